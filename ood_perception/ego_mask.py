"""Which part of the picture shows the own vehicle: what lies there is no obstacle."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.detection import Region
from ood_perception.errors import OodError

_COVERED_SHARE = 0.5
_MAX_SHARE = 0.9


class EgoMaskError(OodError):
    """A mask of the own vehicle that cannot be used."""


class EgoMask:
    """The own vehicle in the images of one camera.

    mask: (h, w) bool or integer, not zero where the vehicle itself is seen; of any size, it is
    brought to the images' size. Raises EgoMaskError for another shape, or when hardly anything
    of the picture is left.
    """

    def __init__(self, mask: NDArray[np.generic]) -> None:
        mask = np.asarray(mask)
        if mask.ndim != 2 or 0 in mask.shape:
            raise EgoMaskError(f"ego mask: shape {mask.shape}; give one channel, (height, width)")
        self._mask = (mask != 0).astype(np.uint8)
        if self._mask.mean() > _MAX_SHARE:
            raise EgoMaskError(
                f"ego mask: {self._mask.mean():.0%} of the picture counts as own vehicle; paint "
                "the vehicle white and everything else black"
            )
        self._sized = self._mask
        self._rows = _lowest_rows(self._mask)

    def lowest_rows(self, width: int, height: int) -> NDArray[np.float64]:
        """(width,) float64, of each image column the row from which on down to the image's lower
        edge everything is the own vehicle; the image's height where nothing is."""
        self._bring_to(width, height)
        return self._rows

    def covers(
        self,
        region: Region,
        width: int,
        height: int,
        contour: NDArray[np.int32] | None = None,
    ) -> bool:
        """Whether at least half of a region of the image is the own vehicle.

        contour: (k, 2) pixels, what of the region counts; None for all of it. The box of something
        low and wide before a curved bonnet is mostly bonnet, the thing itself is not.
        """
        self._bring_to(width, height)
        x, y = max(0, int(region.x)), max(0, int(region.y))
        part = self._sized[
            y : max(y + 1, int(region.y + region.height)),
            x : max(x + 1, int(region.x + region.width)),
        ]
        if not part.size:
            return False
        inside = np.zeros(part.shape, np.uint8)
        if contour is not None and len(contour):
            corners = np.asarray(contour, np.int32).reshape(-1, 2) - np.array((x, y), np.int32)
            cv2.fillPoly(inside, [corners], (1,))
        # Without a pixel of an outline there is the box alone to judge by.
        counted = part[inside > 0] if inside.any() else part
        return bool(counted.mean() >= _COVERED_SHARE)

    def _bring_to(self, width: int, height: int) -> None:
        if self._sized.shape != (height, width):
            sized = cv2.resize(self._mask, (width, height), interpolation=cv2.INTER_NEAREST)
            self._sized = np.asarray(sized, np.uint8)
            self._rows = _lowest_rows(self._sized)


def load_ego_mask(path: Path | str) -> EgoMask:
    """The mask of a picture file: the own vehicle white, everything else black.

    Raises EgoMaskError when the file is no picture or cannot be a mask.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) if Path(path).is_file() else None
    if picture is None:
        raise EgoMaskError(f"ego mask {path}: no readable picture; give a PNG file")
    return EgoMask(picture >= 128)


def _lowest_rows(mask: NDArray[np.uint8]) -> NDArray[np.float64]:
    free_from_below = np.argmax(mask[::-1] == 0, axis=0)
    free_from_below[mask.all(axis=0)] = len(mask)
    return np.asarray(len(mask) - free_from_below, np.float64)
