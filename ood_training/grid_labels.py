"""The labels of an image on the metrics grid of the detector."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ood_perception.letterbox import Letterbox

Image = NDArray[np.uint8]


def grid_labels(labels: Image, letterbox: Letterbox, shape: tuple[int, ...]) -> Image:
    """The labels of a full image at the cells of the valid grid, (h, w) uint8."""
    rows, columns = (np.arange(size + 1) for size in shape)
    y, x = letterbox.image_y(rows), letterbox.image_x(columns)
    row = np.minimum(((y[:-1] + y[1:]) / 2).astype(int), labels.shape[0] - 1)
    column = np.minimum(((x[:-1] + x[1:]) / 2).astype(int), labels.shape[1] - 1)
    return np.asarray(labels[np.ix_(row, column)])
