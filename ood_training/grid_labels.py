"""The labels of an image on the metrics grid of the detector, and the unknown objects there."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.letterbox import Letterbox
from ood_training.label_values import OOD_LABEL

Image = NDArray[np.uint8]


def grid_labels(labels: Image, letterbox: Letterbox, shape: tuple[int, ...]) -> Image:
    """The labels of a full image at the cells of the valid grid, (h, w) uint8."""
    rows, columns = (np.arange(size + 1) for size in shape)
    y, x = letterbox.image_y(rows), letterbox.image_x(columns)
    row = np.minimum(((y[:-1] + y[1:]) / 2).astype(int), labels.shape[0] - 1)
    column = np.minimum(((x[:-1] + x[1:]) / 2).astype(int), labels.shape[1] - 1)
    return np.asarray(labels[np.ix_(row, column)])


def unknown_objects(labels: Image) -> NDArray[np.int32]:
    """(h, w) int32 of (h, w) uint8 labels: 0 none, 1.. the 8-connected regions of 254."""
    unknown = (labels == OOD_LABEL).astype(np.uint8)
    return np.asarray(cv2.connectedComponents(unknown, connectivity=8)[1], np.int32)
