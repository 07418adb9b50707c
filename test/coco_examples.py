"""A small COCO tree made by hand, with every way to draw a region."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

HEIGHT, WIDTH = 10, 20
CATEGORIES = [
    {"id": 1, "name": "person", "supercategory": "person"},
    {"id": 7, "name": "train", "supercategory": "vehicle"},
    {"id": 18, "name": "dog", "supercategory": "animal"},
    {"id": 47, "name": "cup", "supercategory": "kitchen"},
    {"id": 51, "name": "bowl", "supercategory": "kitchen"},
]
PERSON, TRAIN, DOG, CUP, BOWL = (entry["id"] for entry in CATEGORIES)


def rectangle(top: int, left: int, bottom: int, right: int) -> list[list[float]]:
    """A polygon around the pixels of rows top..bottom-1 and columns left..right-1."""
    return [[left, top, right, top, right, bottom, left, bottom]]


# Columns 2, 3 and 4 as run lengths, column by column: 20 pixels off, 30 on, 150 off. The second is
# the same in COCO's compressed form: five bits a character from '0' on, the lowest first, 32 added
# where more follow.
COLUMNS_2_TO_4 = {"size": [HEIGHT, WIDTH], "counts": [20, 30, 150]}
COLUMNS_2_TO_4_COMPRESSED = {"size": [HEIGHT, WIDTH], "counts": "d0n0f4"}
NOTHING = {"size": [HEIGHT, WIDTH], "counts": [200]}

# (category, region, crowd) of each image, by image id
GOLDEN: dict[int, list[tuple[int, Any, int]]] = {
    1: [(CUP, rectangle(1, 2, 4, 6), 0)],
    2: [(CUP, rectangle(0, 0, 4, 4), 0), (BOWL, rectangle(2, 2, 6, 6), 0),
        (DOG, rectangle(0, 0, 2, 2), 0)],
    3: [(DOG, COLUMNS_2_TO_4, 1)],
    4: [(DOG, COLUMNS_2_TO_4_COMPRESSED, 1), (CUP, rectangle(0, 0, 1, 20), 0)],
    5: [(CUP, rectangle(1, 2, 4, 6), 0), (PERSON, rectangle(0, 0, 9, 9), 0)],
    6: [],
    7: [(CUP, rectangle(1, 2, 4, 6), 0), (TRAIN, rectangle(0, 0, 9, 9), 0)],
    8: [(DOG, rectangle(0, 0, 2, 20), 0)],
    9: [(DOG, rectangle(0, 0, 8, 20), 0)],
    10: [(CUP, NOTHING, 1)],
}  # fmt: skip


def expected_mask(image_id: int) -> np.ndarray:
    """The union of a golden image's regions, written down pixel by pixel."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for _, region, _ in GOLDEN[image_id]:
        if region is NOTHING:
            continue
        if isinstance(region, dict):
            mask[:, 2:5] = 254
        else:
            left, top, right, _, _, bottom = region[0][:6]
            mask[int(top) : int(bottom), int(left) : int(right)] = 254
    return mask


def write_annotations(
    root: Path,
    images: dict[int, list[tuple[int, Any, int]]],
    size: tuple[int, int] = (HEIGHT, WIDTH),
    suffix: str = "jpg",
) -> Path:
    """``annotations/instances_train2017.json`` with all images of one size."""
    regions = [(image_id, *one) for image_id, found in images.items() for one in found]
    content = {
        "images": [
            {"id": image_id, "file_name": f"{image_id:012d}.{suffix}", "height": size[0],
             "width": size[1], "license": 3}
            for image_id in sorted(images, reverse=True)
        ],
        "categories": CATEGORIES,
        "annotations": [
            {"id": number, "image_id": image_id, "category_id": category, "segmentation": region,
             "iscrowd": crowd}
            for number, (image_id, category, region, crowd) in enumerate(regions, start=1)
        ],
    }  # fmt: skip
    path = root / "annotations" / "instances_train2017.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def write_proxies(root: Path, count: int, size: tuple[int, int] = (60, 80)) -> None:
    """A tree of ``count`` grey images, image id i being of grey 100 + i, each with a square dog."""
    square = rectangle(10, 10, 50, 50)
    write_annotations(root, {i: [(DOG, square, 0)] for i in range(1, count + 1)}, size, "png")
    (root / "train2017").mkdir()
    for i in range(1, count + 1):
        grey = np.full((*size, 3), 100 + i, np.uint8)
        assert cv2.imwrite(str(root / "train2017" / f"{i:012d}.png"), grey)
