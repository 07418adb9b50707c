"""The pixels inside a component's outline: what was measured there, and how much of it."""

from __future__ import annotations

from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.detection import Component

_MOST_COLUMNS = 8
_LEAST_COLUMN_PX = 4


class FilledOutline:
    """A component's outline, filled once, in its own box; for the box itself where it has none.

    Contours run through the centres of the grid's cells, so that half a cell around them is left
    out, where the background shows. Of what is hardly wider than a cell that would leave nothing:
    it is filled up to its cells' borders.
    width, height: of the image, pixels.
    """

    def __init__(self, component: Component, width: int, height: int) -> None:
        contour = np.asarray(component.contour, np.int32).reshape(-1, 2)
        x, y, box_width, box_height = component.region
        self._left, self._top = min(width - 1, max(0, int(x))), min(height - 1, max(0, int(y)))
        rows = max(1, min(height, ceil(y + box_height)) - self._top)
        columns = max(1, min(width, ceil(x + box_width)) - self._left)
        self._mask = np.zeros((rows, columns), np.uint8)
        if len(contour):
            corners = contour - np.array((self._left, self._top), np.int32)
            cv2.fillPoly(self._mask, [corners], (1,))
            half_cell_px = int(corners.min())
            if half_cell_px > 0 and np.count_nonzero(self._mask) < component.area_px / 2:
                cv2.polylines(self._mask, [corners], True, (1,), 2 * half_cell_px + 1)
        else:
            self._mask[:] = 1
        self._edge = np.asarray(component.lower_edge, np.float64).reshape(-1, 2)

    def holds(self, pixels: NDArray[np.float64]) -> NDArray[np.intp]:
        """Which pixels lie inside, and not below the lower edge of their own column.

        pixels: (n, 2) float64 (x, y), centres on whole numbers. Returns (k,) indices, rising.
        """
        rows, columns = self._mask.shape
        x, y = pixels[:, 0] + (0.5 - self._left), pixels[:, 1] + (0.5 - self._top)
        chosen = np.flatnonzero((x >= 0) & (x < columns) & (y >= 0) & (y < rows))
        x, y = x[chosen], y[chosen]
        inside = self._mask[y.astype(np.intp), x.astype(np.intp)] > 0
        chosen, x, y = chosen[inside], x[inside], y[inside]
        if len(self._edge) and len(chosen):
            order = np.argsort(self._edge[:, 0])
            foot = np.interp(x + self._left, self._edge[order, 0], self._edge[order, 1])
            chosen = chosen[y + self._top <= foot]
        return chosen

    def share_of_area(self, standing: int, ground: int, sample_area_px: float) -> float:
        """How much of what is not seen to be ground was measured, in [0, 1], by a grid of samples.

        standing, ground: how many samples inside stand out of the ground and how many are it; the
        others are holes. sample_area_px: the square pixels that each stands for.
        """
        samples = np.count_nonzero(self._mask) / sample_area_px
        return standing / max(standing, samples - ground, 1.0)

    def share_of_columns(self, pixels: NDArray[np.float64]) -> float:
        """Over how much of the outline's width anything was measured, in [0, 1].

        pixels: (n, 2) float64 inside, n > 0. For the lines of a scanner, which are dense along a
        line and far apart: by its area even a wall would hardly be measured.
        """
        filled = np.flatnonzero(self._mask.any(axis=0))
        first, width = filled[0], filled[-1] + 1 - filled[0]
        count = min(_MOST_COLUMNS, ceil(width / _LEAST_COLUMN_PX))
        columns = (pixels[:, 0] + (0.5 - self._left - first)) * (count / width)
        return len(np.unique(columns.astype(np.intp))) / count
