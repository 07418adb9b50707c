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
        self._planes = logits.reshape(self.num_classes, -1)
        top, low, self._down = _interpolation(height, grid_shape[0])
        self._top, self._low = top * width, low * width
        self._left, self._right, self._across = _interpolation(width, grid_shape[1])

    def at(self, rows: NDArray[np.integer], columns: NDArray[np.integer]) -> NDArray[np.float32]:
        """(C,n) float32 logits at (n,) cells of the whole grid."""
        left, right, across = self._left[columns], self._right[columns], self._across[columns]
        top, low, down = self._top[rows], self._low[rows], self._down[rows]
        corners = (top + left, top + right), (low + left, low + right)
        result = np.empty((self.num_classes, len(left)), np.float32)
        lower, other = np.empty((2, len(left)), np.float32)
        # class by class: what one needs at a time stays in the cache
        for plane, upper in zip(self._planes, result, strict=True):
            for (start, end), value in zip(corners, (upper, lower), strict=True):
                # every position is inside; mode="raise" would write by way of a copy
                plane.take(start, out=value, mode="clip")
                plane.take(end, out=other, mode="clip")
                _move(value, other, across)
            _move(upper, lower, down)
        return result

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
