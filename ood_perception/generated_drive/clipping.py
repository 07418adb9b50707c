"""Cutting polygons off where they come too near to the camera to be projected."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def cut_before(polygon: NDArray[np.float64], axis: int, least: float) -> NDArray[np.float64]:
    """The part of a (k, n) polygon whose coordinate on an axis is at least ``least``; maybe none.

    Sutherland and Hodgman's way, for one plane.
    """
    depth = polygon[:, axis] - least
    if depth.min() >= 0:
        return polygon
    kept = []
    for index in range(len(polygon)):
        before = index - 1
        if (depth[index] >= 0) != (depth[before] >= 0):
            share = depth[before] / (depth[before] - depth[index])
            kept.append(polygon[before] + share * (polygon[index] - polygon[before]))
        if depth[index] >= 0:
            kept.append(polygon[index])
    return np.array(kept, np.float64).reshape(-1, polygon.shape[1])
