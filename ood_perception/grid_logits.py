"""A network's small logits, read at the cells of the metrics grid that matter."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


class GridLogits:
    """Logits brought to the metrics grid: bilinear with aligned corners, as in the graph.

    Nothing is computed but at the cells that are asked for. Safe to read from several threads.
    """

    def __init__(self, logits: NDArray[np.float32], grid_shape: tuple[int, int]) -> None:
        """logits: (C,h,w) float32 at the decoder's stride. grid_shape: (rows, columns)."""
        self.num_classes, height, width = logits.shape
        self._planes = np.ascontiguousarray(logits)
        self._width = width
        self._top, self._low, self._down = _interpolation(height, grid_shape[0])
        self._left, self._right, self._across = _interpolation(width, grid_shape[1])

    def at(self, rows: NDArray[np.integer], columns: NDArray[np.integer]) -> NDArray[np.float32]:
        """(C,n) float32 logits at (n,) cells of the whole grid."""
        result = np.empty((self.num_classes, len(rows)), np.float32)
        if len(rows) > 0:
            first, end = int(rows.min()), int(rows.max()) + 1
            # cells that lie close together share what is between two lines of logits
            if (end - first) * self._width < len(rows):
                self._read_lines(rows, columns, slice(first, end), result)
            else:
                self._read_corners(rows, columns, result)
        return result

    def _read_lines(
        self,
        rows: NDArray[np.integer],
        columns: NDArray[np.integer],
        lines: slice,
        result: NDArray[np.float32],
    ) -> None:
        """By way of all that lies in these lines of the grid, at the columns of the logits."""
        top, low, down = self._top[lines], self._low[lines], self._down[lines, None]
        start = (rows - lines.start) * np.intp(self._width)
        left, right = start + self._left[columns], start + self._right[columns]
        across = self._across[columns]
        upper, lower = np.empty((2, len(top), self._width), np.float32)
        other = np.empty(len(rows), np.float32)
        # class by class: what one needs at a time stays in the cache
        for plane, value in zip(self._planes, result, strict=True):
            # every position is inside; mode="raise" would write by way of a copy
            plane.take(top, axis=0, out=upper, mode="clip")
            plane.take(low, axis=0, out=lower, mode="clip")
            _move(upper, lower, down)
            upper.ravel().take(left, out=value, mode="clip")
            upper.ravel().take(right, out=other, mode="clip")
            _move(value, other, across)

    def _read_corners(
        self,
        rows: NDArray[np.integer],
        columns: NDArray[np.integer],
        result: NDArray[np.float32],
    ) -> None:
        """By way of the four logits around every cell."""
        top, low, down = self._top[rows], self._low[rows], self._down[rows]
        left, right, across = self._left[columns], self._right[columns], self._across[columns]
        top, low = top * self._width, low * self._width
        corners = (top + left, low + left), (top + right, low + right)
        other_side, other = np.empty((2, len(rows)), np.float32)
        for plane, value in zip(self._planes, result, strict=True):
            values = plane.ravel()
            for (upper, lower), side in zip(corners, (value, other_side), strict=True):
                values.take(upper, out=side, mode="clip")
                values.take(lower, out=other, mode="clip")
                _move(side, other, down)
            _move(value, other_side, across)

    def probabilities_at(
        self, rows: NDArray[np.integer], columns: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """(C,n) float32 softmax of the logits at (n,) cells of the whole grid."""
        logits = self.at(rows, columns)
        if logits.shape[1] == 0:
            return logits
        logits -= logits.max(axis=0)
        cv2.exp(logits, dst=logits)
        logits /= logits.sum(axis=0)
        return logits


def _move(
    value: NDArray[np.float32], towards: NDArray[np.float32], share: NDArray[np.float32]
) -> None:
    """Move the values in place; ``towards`` is used up."""
    towards -= value
    towards *= share
    value += towards


def _interpolation(
    size: int, grid_size: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Of every grid line the two lines of logits around it and how far it is from the first."""
    position = np.arange(grid_size) * ((size - 1) / max(grid_size - 1, 1))
    first = np.minimum(position.astype(np.intp), size - 1)
    second = np.minimum(first + 1, size - 1)
    return first, second, (position - first).astype(np.float32)
