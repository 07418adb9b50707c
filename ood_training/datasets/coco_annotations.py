"""COCO instance annotations: which images are free of street classes, and regions as RLE."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError

# Known classes of a street data set that the published code leaves out (spec section 2.1).
STREET_CATEGORIES = (
    "person", "bicycle", "car", "motorcycle", "bus", "truck", "traffic light", "stop sign",
)  # fmt: skip
# It forgets "train", which is a class of street data sets too.
EXCLUDED_CATEGORIES = (*STREET_CATEGORIES, "train")


@dataclass(frozen=True)
class Region:
    """Pixels of an image as compressed run lengths: a few hundred bytes, whatever the size.

    size: (height, width) of the image.
    counts: COCO's compressed run lengths, column by column.
    """

    size: tuple[int, int]
    counts: bytes

    @property
    def _rle(self) -> dict[str, Any]:
        return {"size": list(self.size), "counts": self.counts}

    @property
    def area_px(self) -> int:
        """Number of pixels, without decoding."""
        from pycocotools import mask as run_lengths

        return int(run_lengths.area(self._rle))

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The bounding box (x, y, width, height) in pixels, without decoding."""
        from pycocotools import mask as run_lengths

        x, y, width, height = (int(value) for value in run_lengths.toBbox(self._rle))
        return x, y, width, height

    def decode(self) -> NDArray[np.bool_]:
        """The pixels as (H, W) bool."""
        from pycocotools import mask as run_lengths

        return np.asarray(run_lengths.decode(self._rle), bool)


def join_regions(regions: list[Region]) -> Region:
    """The union of regions of one image; overlapping pixels count once."""
    from pycocotools import mask as run_lengths

    merged = run_lengths.merge([one._rle for one in regions], intersect=0)
    return Region(regions[0].size, merged["counts"])


@dataclass(frozen=True)
class CandidateImages:
    """Images that may become proxies, and why the others may not.

    numbered: (number, image id) of images with annotations, none of an excluded category, sorted
        by id. Folds are made of the numbers. Images without any of ``EXCLUDED_CATEGORIES`` are
        counted by themselves and so are the others, so that an image is in the same fold whether
        or not trains are wanted.
    with_excluded: number of images dropped for an excluded category.
    without_annotation: number of images dropped because nothing is annotated on them.
    """

    numbered: tuple[tuple[int, int], ...]
    with_excluded: int
    without_annotation: int


class CocoAnnotations:
    """The annotation file of one year; raises OodError when it cannot be read."""

    def __init__(self, root: Path, year: str) -> None:
        self.path = root / "annotations" / f"instances_{year}.json"
        self._index = _read_index(self.path)

    def candidates(self, excluded: tuple[str, ...]) -> CandidateImages:
        """Every image with an annotation of an excluded category goes, and every empty one."""
        chosen: list[tuple[int, int]] = []
        with_excluded, empty = 0, 0
        counters = {True: itertools.count(), False: itertools.count()}
        for image_id in sorted(self._index.imgs):
            names = {self._category(one).get("name") for one in self.annotations(image_id)}
            if not names:
                empty += 1
            elif names.isdisjoint(excluded):
                counter = counters[names.isdisjoint(EXCLUDED_CATEGORIES)]
                chosen.append((next(counter), image_id))
            else:
                with_excluded += 1
        return CandidateImages(tuple(chosen), with_excluded, empty)

    def image(self, image_id: int) -> tuple[str, tuple[int, int], int | None]:
        """File name, (height, width) and licence id, None where the file names none."""
        entry = self._index.imgs[image_id]
        try:
            size = int(entry["height"]), int(entry["width"])
            licence = entry.get("license")
            return str(entry["file_name"]), size, None if licence is None else int(licence)
        except (KeyError, TypeError, ValueError) as error:
            raise OodError(f"{self.path}: image {image_id} has no valid {error}") from error

    def annotations(self, image_id: int) -> list[dict[str, Any]]:
        """The image's annotations, as they stand in the file."""
        return list(self._index.imgToAnns.get(image_id, []))

    def supercategory(self, annotation: dict[str, Any]) -> str:
        """The annotation's supercategory; its category's own name where there is none."""
        category = self._category(annotation)
        return str(category.get("supercategory") or category["name"])

    def _category(self, annotation: dict[str, Any]) -> dict[str, Any]:
        category: dict[str, Any] | None = self._index.cats.get(annotation.get("category_id"))
        if category is None or "name" not in category:
            raise OodError(
                f"{self.path}: annotation {annotation.get('id')} is of category "
                f"{annotation.get('category_id')}, which the file does not name"
            )
        return category

    def region(self, annotation: dict[str, Any]) -> Region:
        """Rasterise polygons or run lengths, compressed or not, at the image's full size.

        Raises OodError that names the annotation when its segmentation cannot be read.
        """
        _, size, _ = self.image(annotation["image_id"])
        where = f"{self.path}: annotation {annotation['id']} of image {annotation['image_id']}"
        stored = annotation.get("segmentation")
        if isinstance(stored, dict) and list(stored.get("size", [])) != list(size):
            raise OodError(f"{where}: its region is not of the image's size {size[1]}x{size[0]}")
        if isinstance(stored, list) and not all(isinstance(polygon, list) for polygon in stored):
            raise OodError(f"{where}: its segmentation is no list of polygons")
        if isinstance(stored, list) and any(len(polygon) < 6 for polygon in stored):
            raise OodError(f"{where}: a polygon has less than three corners")
        if stored in (None, []):
            raise OodError(f"{where}: it has no segmentation; use instance annotations")
        try:
            counts = self._index.annToRLE(annotation)["counts"]
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise OodError(f"{where}: its segmentation cannot be read: {error}") from error
        return Region(size, counts.encode() if isinstance(counts, str) else counts)


def _read_index(path: Path) -> Any:
    """pycocotools' index, without its chatter on stdout."""
    from pycocotools.coco import COCO

    if not path.is_file():
        raise OodError(f"{path}: no such annotation file")
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            index = COCO(str(path))
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, AssertionError, TypeError) as error:
        raise OodError(f"{path}: not COCO instance annotations: {error}") from error
    except OSError as error:
        raise OodError(f"{path}: cannot be read: {error.strerror}") from error
    if not index.imgs or not index.cats:
        raise OodError(f"{path}: not COCO instance annotations: no images or no categories")
    return index
