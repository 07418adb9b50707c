"""Where components lie in the camera image: bounding boxes, contours, lower edges.

All components are worked on at once; only the handing out of each one's part is a loop.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.component_labels import ComponentPixels, bounding_boxes
from ood_perception.detection import Region
from ood_perception.letterbox import Letterbox


class ComponentShapes(NamedTuple):
    """All components of one image in full-image pixels, in the order of their labels.

    regions, contours, lower_edges: one a component; as the fields of `detection.Component`.
    lowest_cells: (m, 2) intp (row, column), the grid cells of all lower edges, component after
        component, each column by column.
    edge_ends: (count - 1,) intp, where in them each component but the last ends.
    """

    regions: list[Region]
    contours: list[NDArray[np.int32]]
    lower_edges: list[NDArray[np.float64]]
    lowest_cells: NDArray[np.intp]
    edge_ends: NDArray[np.intp]


def component_shapes(pixels: ComponentPixels, letterbox: Letterbox) -> ComponentShapes:
    """The shapes of all components, of which there is at least one."""
    cells, ends = _lowest_cells(pixels)
    # of each column the middle's x and the lower border's y
    edges = np.stack(
        [letterbox.image_x(cells[:, 1] + 0.5), letterbox.image_y(cells[:, 0] + 1.0)], axis=1
    )
    return ComponentShapes(
        _regions(bounding_boxes(pixels), letterbox),
        _outer_contours(pixels, letterbox),
        np.split(edges, ends),
        cells,
        ends,
    )


def _regions(boxes: NDArray[np.intp], letterbox: Letterbox) -> list[Region]:
    left, top, width, height = boxes.T
    x, right = np.rint(letterbox.image_x(np.stack([left, left + width]))).astype(int)
    y, bottom = np.rint(letterbox.image_y(np.stack([top, top + height]))).astype(int)
    x = np.minimum(x, letterbox.image_width - 1)
    y = np.minimum(y, letterbox.image_height - 1)
    sizes = np.maximum([right - x, bottom - y], 1)
    return [Region(*box) for box in np.stack([x, y, *sizes], axis=1).tolist()]


def _lowest_cells(pixels: ComponentPixels) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column of the lowest cell in each column of each component; ends of all but one."""
    grid_width = pixels.labels.shape[1]
    keys = pixels.component * np.intp(grid_width) + pixels.columns
    order = np.lexsort((pixels.rows, keys))
    keys = keys[order]
    is_last = np.append(keys[1:] != keys[:-1], True)
    lowest = order[is_last]
    cells = np.stack([pixels.rows[lowest], pixels.columns[lowest]], axis=1).astype(np.intp)
    ends = np.cumsum(np.bincount(pixels.component[lowest], minlength=pixels.count))
    return cells, ends[:-1]


def _outer_contours(pixels: ComponentPixels, letterbox: Letterbox) -> list[NDArray[np.int32]]:
    """For each component, (k, 2) int32 (x, y): its outermost contour, through cell centres."""
    mask = (pixels.labels > 0).astype(np.uint8)
    found, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    # one with a parent is the rim of a hole, traced along the pixels of the component around it
    outlines = [outline for outline, links in zip(found, hierarchy[0], strict=True) if links[3] < 0]
    points = np.concatenate(outlines).reshape(-1, 2)
    x = np.minimum(letterbox.image_x(points[:, 0] + 0.5), letterbox.image_width - 1)
    y = np.minimum(letterbox.image_y(points[:, 1] + 0.5), letterbox.image_height - 1)
    ends = np.cumsum([len(outline) for outline in outlines])
    parts = np.split(np.stack([x, y], axis=1).astype(np.int32), ends[:-1])
    first = points[np.append(0, ends[:-1])]
    order = np.argsort(pixels.labels[first[:, 1], first[:, 0]])
    return [parts[k] for k in order]
