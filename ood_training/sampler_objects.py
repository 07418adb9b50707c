"""Unknown objects to draw from: single objects to paste, and whole proxy images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.data_configuration import (
    ObjectsConfiguration,
    PasteConfiguration,
    ProxyConfiguration,
)
from ood_training.datasets.coco import (
    CocoObject,
    ProxyImage,
    coco_objects,
    coco_proxies,
    excluded_categories,
)
from ood_training.datasets.cutouts import Cutout, take_fold
from ood_training.datasets.object_crops import object_crops
from ood_training.proxy_index import (
    ProxySelection,
    Selectable,
    StoredProxy,
    mask_path,
    read_index,
    select_proxies,
)
from ood_training.sampler_cache import PictureCache


class WholeProxy(Selectable, Protocol):
    """A proxy image that is read when it is needed."""

    @property
    def image_id(self) -> int: ...
    @property
    def mask(self) -> NDArray[np.bool_]: ...
    def load(self) -> NDArray[np.uint8]: ...


class UnknownObjects:
    """What a run may paste and show whole; raises OodError where nothing is left to draw from."""

    def __init__(
        self,
        data_root: Path,
        objects: ObjectsConfiguration,
        paste: PasteConfiguration,
        proxies: ProxyConfiguration,
        cache: PictureCache,
    ) -> None:
        self._cache = cache
        self._crops_share = paste.crops_share
        self._coco_objects: list[CocoObject] = []
        self._crops: list[Cutout] = []
        self.proxies: Sequence[WholeProxy] = ()
        pastes = paste.probability > 0
        images: list[ProxyImage] = []
        if proxies.wanted and objects.coco is None:
            raise OodError("whole proxy images are wanted, but objects.coco names no folder")
        if objects.coco is not None and (pastes or (proxies.wanted and proxies.index is None)):
            images = coco_proxies(
                data_root / objects.coco,
                objects.coco_year,
                fold=objects.fold,
                folds=objects.folds,
                excluded=excluded_categories(proxies.exclude_train),
            )
        if proxies.wanted:
            found = images if proxies.index is None else _indexed(data_root, objects, proxies.index)
            self.proxies = select_proxies(found, _selection(proxies))
        if pastes:
            self._coco_objects = coco_objects(images)
            if objects.object_crops is not None:
                root = data_root / objects.object_crops
                self._crops = object_crops(root, objects.fold, objects.folds)
            self._check_crops_share()

    @property
    def cutouts(self) -> int:
        """How many single objects there are."""
        return len(self._coco_objects) + len(self._crops)

    def draw_cutout(self, rng: np.random.Generator) -> Cutout:
        """One object; of both sources with the configured share, or all with equal probability."""
        coco, crops = len(self._coco_objects), len(self._crops)
        if self._crops_share is None:
            return self._cutout(int(rng.integers(coco + crops)))
        if rng.random() < self._crops_share:
            return self._cutout(coco + int(rng.integers(crops)))
        return self._cutout(int(rng.integers(coco)))

    def proxy(self, number: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Picture (H, W, 3) uint8 BGR and mask (H, W) bool of a proxy, from memory or disk."""
        chosen = self.proxies[number]
        return self._cache.get(("proxy", number), lambda: (chosen.load(), chosen.mask))

    def _cutout(self, number: int) -> Cutout:
        if number >= len(self._coco_objects):
            return self._crops[number - len(self._coco_objects)]
        return self._cache.get(("cutout", number), self._coco_objects[number].cutout)

    def _check_crops_share(self) -> None:
        share = self._crops_share
        if share is None:
            return
        if share > 0 and not self._crops:
            raise OodError("paste.crops_share is above 0, but objects.object_crops gives no object")
        if share < 1 and not self._coco_objects:
            raise OodError("paste.crops_share is below 1, but objects.coco gives no object")


def _selection(settings: ProxyConfiguration) -> ProxySelection:
    return ProxySelection(
        settings.min_share, settings.max_share, settings.min_side, settings.supercategories
    )


def _indexed(data_root: Path, objects: ObjectsConfiguration, index: str) -> list[StoredProxy]:
    """The proxies of an index, with the masks in the folder of its name beside it."""
    path = data_root / index
    masks = path.with_suffix("")
    images = data_root / str(objects.coco) / objects.coco_year
    rows = read_index(path)
    found = []
    for row in take_fold(rows, objects.fold, objects.folds, [row.number for row in rows]):
        stored = StoredProxy(row, images / row.file_name, mask_path(masks, row.image_id))
        for file in (stored.path, stored.mask_file):
            if not file.is_file():
                raise OodError(f"{file}: no such image, but the index {path} names it")
        found.append(stored)
    return found
