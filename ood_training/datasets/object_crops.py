"""Household objects with masks: ``NAME_crop.png`` and ``NAME_maskcrop.png``."""

from __future__ import annotations

from pathlib import Path

from ood_perception.errors import OodError
from ood_training.datasets.cutouts import Cutout, cut_out, take_fold
from ood_training.datasets.pictures import read_color, read_labels

_IMAGE_END = "_crop.png"


def object_crops(root: Path, fold: int | None = None, folds: int = 2) -> list[Cutout]:
    """The objects of one fold (by index among the sorted names), or all of them.

    Raises OodError when the folder holds none or a mask is missing or of another size.
    """
    paths = sorted(root.glob(f"*{_IMAGE_END}"))
    if not paths:
        raise OodError(f"{root}: no object found; expected NAME{_IMAGE_END} and NAME_maskcrop.png")
    cutouts = []
    for path in take_fold(paths, fold, folds):
        name = path.name[: -len(_IMAGE_END)]
        image, mask = read_color(path), read_labels(root / f"{name}_maskcrop.png") > 0
        if image.shape[:2] != mask.shape:
            raise OodError(f"{path}: its mask has another size: {mask.shape[1]}x{mask.shape[0]}")
        if mask.any():
            cutouts.append(cut_out(f"object_crops/{name}", image, mask))
    return cutouts
