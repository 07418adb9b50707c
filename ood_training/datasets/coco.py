"""COCO images as proxies for the unknown: whole images with masks, and single objects."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.datasets.cutouts import Cutout, cut_out, take_fold
from ood_training.datasets.pictures import read_color

# Known classes of a street data set. The published code forgets "train", which is one of them.
EXCLUDED_CATEGORIES = (
    "person", "bicycle", "car", "motorcycle", "bus", "truck", "traffic light", "stop sign", "train",
)  # fmt: skip


@dataclass(frozen=True)
class ProxyImage:
    """A COCO image without street classes.

    image_id: COCO's id.
    path: the picture.
    mask: (H, W) bool, pixels of any annotated object.
    objects: (annotation id, mask (H, W) bool) of each object that is no crowd region.
    """

    image_id: int
    path: Path
    mask: NDArray[np.bool_]
    objects: tuple[tuple[int, NDArray[np.bool_]], ...]

    @property
    def share(self) -> float:
        """Share of the image's pixels that belong to objects, in (0, 1]."""
        return float(self.mask.mean())

    def load(self) -> NDArray[np.uint8]:
        """The picture, (H, W, 3) uint8 BGR; OodError when it does not fit its annotation."""
        image = read_color(self.path)
        if image.shape[:2] != self.mask.shape:
            raise OodError(f"{self.path}: its size differs from the size in the annotations")
        return image


def coco_proxies(
    root: Path,
    year: str = "train2017",
    *,
    fold: int | None = None,
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
    index = _read_annotations(root / "annotations" / f"instances_{year}.json")
    excluded_ids = {one["id"] for one in index.cats.values() if one["name"] in excluded}
    chosen = []
    for image_id in sorted(index.imgs):
        annotations = index.imgToAnns.get(image_id, [])
        if annotations and not any(one["category_id"] in excluded_ids for one in annotations):
            chosen.append(image_id)
    proxies = []
    for image_id in take_fold(chosen, fold):
        path = root / year / index.imgs[image_id]["file_name"]
        if not path.is_file():
            raise OodError(f"{path}: no such image, but the annotations name it")
        masks = [(one, index.annToMask(one).astype(bool)) for one in index.imgToAnns[image_id]]
        union = np.logical_or.reduce([mask for _, mask in masks])
        if union.any():
            objects = tuple((int(a["id"]), m) for a, m in masks if not a.get("iscrowd", 0))
            proxies.append(ProxyImage(image_id, path, union, objects))
    if not proxies:
        raise OodError(f"{root}: no image is left without {', '.join(excluded)}")
    return proxies


def coco_cutouts(
    proxies: list[ProxyImage], *, min_side_px: int = 24, border_px: int = 2
) -> list[Cutout]:
    """Objects that are large enough and not cut by the picture's border, sorted by id."""
    cutouts = []
    for proxy in proxies:
        image = proxy.load()
        for annotation_id, mask in proxy.objects:
            inner = mask[border_px:-border_px, border_px:-border_px]
            if inner.sum() != mask.sum() or not mask.any():
                continue
            cutout = cut_out(f"coco/{proxy.image_id:012d}/{annotation_id}", image, mask)
            if min(cutout.mask.shape) >= min_side_px and cutout.mask.mean() > 0.25:
                cutouts.append(cutout)
    return cutouts


def _read_annotations(path: Path) -> Any:
    """pycocotools' index, without its chatter on stdout."""
    from pycocotools.coco import COCO

    if not path.is_file():
        raise OodError(f"{path}: no such annotation file")
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return COCO(str(path))
    except (json.JSONDecodeError, KeyError, AssertionError, TypeError) as error:
        raise OodError(f"{path}: not COCO instance annotations: {error}") from error
