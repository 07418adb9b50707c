"""COCO images as proxies for the unknown: whole images with masks, and single objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.datasets.coco_annotations import (
    EXCLUDED_CATEGORIES,
    STREET_CATEGORIES,
    CocoAnnotations,
    Region,
    join_regions,
)
from ood_training.datasets.cutouts import Cutout, cut_out, take_fold
from ood_training.datasets.pictures import read_color


def excluded_categories(exclude_train: bool = True) -> tuple[str, ...]:
    """The categories that drop an image (spec section 2.1), with or without COCO's trains."""
    return EXCLUDED_CATEGORIES if exclude_train else STREET_CATEGORIES


@dataclass(frozen=True)
class ProxyImage:
    """A COCO image without street classes. It holds regions, no pixels: many fit into memory.

    image_id: COCO's id.
    number: folds are made of it (``CandidateImages``).
    path: the picture.
    region: pixels of any annotated object, crowds included.
    objects: (annotation id, region) of each object that is no crowd region.
    areas: pixels of each supercategory that occurs, overlapping objects counted once.
    license_id: COCO's licence id, None where the annotations name none.
    """

    image_id: int
    number: int
    path: Path
    region: Region
    objects: tuple[tuple[int, Region], ...]
    areas: dict[str, int]
    license_id: int | None = None

    @property
    def height(self) -> int:
        return self.region.size[0]

    @property
    def width(self) -> int:
        return self.region.size[1]

    @property
    def share(self) -> float:
        """Share of the image's pixels that belong to objects, in (0, 1]."""
        return self.region.area_px / (self.height * self.width)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(H, W) bool, pixels of any annotated object, decoded at each call."""
        return self.region.decode()

    def load(self) -> NDArray[np.uint8]:
        """The picture, (H, W, 3) uint8 BGR; OodError when it does not fit its annotation."""
        image = read_color(self.path)
        if image.shape[:2] != self.region.size:
            raise OodError(f"{self.path}: its size differs from the size in the annotations")
        return image


def iterate_proxies(
    annotations: CocoAnnotations, folder: Path, numbered_ids: Sequence[tuple[int, int]]
) -> Iterator[ProxyImage]:
    """One proxy after another, without those whose regions hold no pixel at all.

    numbered_ids: (number, image id) of the images to take.
    """
    for number, image_id in numbered_ids:
        entries = annotations.annotations(image_id)
        regions = [annotations.region(one) for one in entries]
        union = join_regions(regions)
        if union.area_px == 0:
            continue
        groups: dict[str, list[Region]] = {}
        for entry, region in zip(entries, regions, strict=True):
            groups.setdefault(annotations.supercategory(entry), []).append(region)
        file_name, _, license_id = annotations.image(image_id)
        yield ProxyImage(
            image_id,
            number,
            folder / file_name,
            union,
            tuple(
                (int(entry["id"]), region)
                for entry, region in zip(entries, regions, strict=True)
                if not entry.get("iscrowd", 0)
            ),
            {name: join_regions(group).area_px for name, group in sorted(groups.items())},
            license_id,
        )


def coco_proxies(
    root: Path,
    year: str = "train2017",
    *,
    fold: int | None = None,
    folds: int = 2,
    excluded: tuple[str, ...] = EXCLUDED_CATEGORIES,
) -> list[ProxyImage]:
    """Images without any excluded category and with at least one object, sorted by id.

    Args:
        root: the official tree, with ``annotations`` and the folder ``year``.
        fold: keep only this fold of the images (``take_fold``), all of them when None. Folds are
            made of whole images, so that no object of one fold is seen in an image of another.
        excluded: category names; one annotation of them drops the image.

    Raises OodError when the annotations cannot be read, an image is missing, or none is left.
    Reference: section 2.1 of the method's specification.
    """
    annotations = CocoAnnotations(root, year)
    chosen = annotations.candidates(excluded).numbered
    proxies = []
    if chosen:
        taken = take_fold(chosen, fold, folds, [number for number, _ in chosen])
        proxies = list(iterate_proxies(annotations, root / year, taken))
    if not proxies:
        raise OodError(f"{root}: no image is left without {', '.join(excluded)}")
    for proxy in proxies:
        if not proxy.path.is_file():
            raise OodError(f"{proxy.path}: no such image, but the annotations name it")
    return proxies


@dataclass(frozen=True)
class CocoObject:
    """An object of a proxy image that is cut out of its picture when it is asked for."""

    proxy: ProxyImage
    annotation_id: int
    region: Region

    def cutout(self) -> Cutout:
        """The object; OodError when its picture cannot be read."""
        name = f"coco/{self.proxy.image_id:012d}/{self.annotation_id}"
        return cut_out(name, self.proxy.load(), self.region.decode())


def coco_objects(
    proxies: list[ProxyImage], *, min_side_px: int = 24, border_px: int = 2
) -> list[CocoObject]:
    """Objects that are large enough and not cut by the picture's border, sorted by id."""
    chosen = []
    for proxy in proxies:
        for annotation_id, region in proxy.objects:
            x, y, width, height = region.box
            inside = min(x, y) >= border_px and x + width <= proxy.width - border_px
            inside = inside and y + height <= proxy.height - border_px
            large = min(width, height) >= min_side_px
            if inside and large and region.area_px > 0.25 * width * height:
                chosen.append(CocoObject(proxy, annotation_id, region))
    return chosen


def coco_cutouts(
    proxies: list[ProxyImage], *, min_side_px: int = 24, border_px: int = 2
) -> list[Cutout]:
    """The same objects, all cut out and held in memory."""
    found = coco_objects(proxies, min_side_px=min_side_px, border_px=border_px)
    return [one.cutout() for one in found]
