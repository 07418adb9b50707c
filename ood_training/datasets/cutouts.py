"""Objects cut out of their pictures, and the folds that keep held-out objects out of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError

T = TypeVar("T")


@dataclass(frozen=True)
class Cutout:
    """One object with its mask, cropped to the mask's bounding box.

    cutout_id: its source and number, the same on every machine.
    image: (h, w, 3) uint8 BGR.
    mask: (h, w) bool.
    """

    cutout_id: str
    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]


def cut_out(cutout_id: str, image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Cutout:
    """Crop an image and a mask (both full size) to the mask; OodError for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        raise OodError(f"{cutout_id}: the object's mask is empty")
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return Cutout(cutout_id, image[window].copy(), mask[window].copy())


def take_fold(
    items: Sequence[T], fold: int | None, folds: int = 2, numbers: Sequence[int] | None = None
) -> list[T]:
    """The items whose number modulo ``folds`` is ``fold``; all of them when it is None.

    numbers: of the items; their index when None, and then they must be sorted by their id. Raises
    OodError when nothing is left.
    """
    if fold is not None and not 0 <= fold < folds:
        raise OodError(f"fold {fold} does not exist: there are {folds}, numbered from 0")
    counted = zip(range(len(items)) if numbers is None else numbers, items, strict=True)
    chosen = [one for number, one in counted if fold is None or number % folds == fold]
    if not chosen:
        raise OodError(f"fold {fold} of {folds} is empty: only {len(items)} objects were found")
    return chosen
