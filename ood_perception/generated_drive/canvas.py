"""The picture under construction: colours, labels and instance ids are always drawn together."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .classes import ClassId


class Canvas:
    """image (H, W, 3) uint8 BGR, labels (H, W) uint8, instances (H, W) int32."""

    def __init__(self, height: int, width: int) -> None:
        self.image: NDArray[Any] = np.zeros((height, width, 3), np.uint8)
        self.labels: NDArray[Any] = np.full((height, width), ClassId.SKY, np.uint8)
        self.instances: NDArray[Any] = np.zeros((height, width), np.int32)

    def clip_box(
        self, left: float, top: float, right: float, bottom: float
    ) -> tuple[int, int, int, int] | None:
        """Whole pixels (left, top, right, bottom; the last two exclusive), None if outside."""
        height, width = self.labels.shape
        x0, y0 = max(int(left), 0), max(int(top), 0)
        x1, y1 = min(int(right), width), min(int(bottom), height)
        return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None

    def blend(
        self, x: int, y: int, patch: NDArray[Any], label: int, instance: int = 0
    ) -> NDArray[np.bool_]:
        """Lay a (h, w, 4) uint8 patch, BGR premultiplied by its alpha, at column x and row y.

        Pixels that it covers by half take its label and instance id. Returns them.
        """
        height, width = patch.shape[:2]
        window = np.s_[y : y + height, x : x + width]
        alpha = patch[:, :, 3]
        through = cv2.cvtColor(cv2.bitwise_not(alpha), cv2.COLOR_GRAY2BGR)
        behind = cv2.multiply(self.image[window], through, scale=1 / 255)
        self.image[window] = cv2.add(behind, cv2.cvtColor(patch, cv2.COLOR_BGRA2BGR))
        # Thin poles keep their pixels at exactly half; where instances are measured, it is no more
        # than the true outline.
        covered = alpha > 128 if instance else alpha >= 128
        return self._mark(window, covered, label, instance)

    def paste(self, x: int, y: int, colors: NDArray[Any], mask: NDArray[Any], label: int) -> None:
        """Copy (h, w, 3) uint8 colours where the (h, w) uint8 mask is above 0."""
        height, width = mask.shape
        window = np.s_[y : y + height, x : x + width]
        target = self.image[window]
        cv2.copyTo(colors, mask, target)
        self._mark(window, mask > 0, label, 0)

    def _mark(
        self, window: Any, covered: NDArray[np.bool_], label: int, instance: int
    ) -> NDArray[np.bool_]:
        self.labels[window][covered] = label
        self.instances[window][covered] = instance
        return covered
