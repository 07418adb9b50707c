"""Whether road lies before an obstacle's foot, past the hole that the obstacle leaves in it.

An obstacle takes the label "road" from its own pixels and from a rim around them, so that what
touches it is often anything but road. A short way nearer than its foot the road is itself again.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

from ood_perception.detection import Component

_LEAST_CELLS, _MOST_CELLS = 3, 12


def road_before_foot_share(
    component: Component,
    labels: NDArray[np.uint8],
    image_size: tuple[int, int],
    road_classes: Collection[int],
) -> float:
    """Share in [0, 1] of the columns of a component's lower edge below which road is found.

    labels: (h, w) uint8 class ids on a grid that shows the whole image. image_size: (height,
    width) in pixels. Looked at are as many cells below the edge as half the component is wide, 3
    to 12; columns that end at the image's lower edge find none.
    """
    edge = np.asarray(component.lower_edge, dtype=np.float64).reshape(-1, 2)
    if not len(edge):
        return 0.0
    height, width = labels.shape
    columns = np.clip((edge[:, 0] * width / image_size[1]).astype(int), 0, width - 1)
    first = np.rint(edge[:, 1] * height / image_size[0]).astype(int)
    half_cells = ceil(component.region.width * width / image_size[1] / 2)
    depth = min(max(half_cells, _LEAST_CELLS), _MOST_CELLS)
    rows = first[:, None] + np.arange(depth)
    below = labels[np.minimum(rows, height - 1), columns[:, None]]
    found = (_is_road(tuple(road_classes))[below] & (rows < height)).any(axis=1)
    return np.count_nonzero(found) / len(found)


@cache
def _is_road(road_classes: tuple[int, ...]) -> NDArray[np.bool_]:
    """(256,) bool of every class id."""
    is_road = np.zeros(256, dtype=np.bool_)
    is_road[list(road_classes)] = True
    return is_road
