"""Where components lie in the camera image: bounding box, contour, lower edge."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.component_labels import ComponentPixels, bounding_boxes
from ood_perception.detection import Region
from ood_perception.letterbox import Letterbox


class ComponentShape(NamedTuple):
    """One component in full-image pixels; fields as in `detection.Component`.

    lowest_cells: (k, 2) intp (row, column), the grid cells of the lower edge, column by column.
    """

    region: Region
    contour: NDArray[np.int32]
    lower_edge: NDArray[np.float64]
    lowest_cells: NDArray[np.intp]


def component_shapes(pixels: ComponentPixels, letterbox: Letterbox) -> list[ComponentShape]:
    """The shapes of all components, in the order of their labels."""
    lowest = _lowest_cells(pixels)
    contours = _outer_contours(pixels, letterbox)
    return [
        ComponentShape(
            _region(box, letterbox), contours[k], _lower_edge(lowest[k], letterbox), lowest[k]
        )
        for k, box in enumerate(bounding_boxes(pixels))
    ]


def _region(box: NDArray[np.intp], letterbox: Letterbox) -> Region:
    left, top, width, height = box
    x = np.rint(letterbox.image_x(np.array([left, left + width]))).astype(int)
    y = np.rint(letterbox.image_y(np.array([top, top + height]))).astype(int)
    x0 = min(int(x[0]), letterbox.image_width - 1)
    y0 = min(int(y[0]), letterbox.image_height - 1)
    return Region(x0, y0, max(int(x[1]) - x0, 1), max(int(y[1]) - y0, 1))


def _lowest_cells(pixels: ComponentPixels) -> list[NDArray[np.intp]]:
    """For each component, (k, 2) intp: row and column of the lowest cell in each of its columns."""
    grid_width = pixels.labels.shape[1]
    keys = pixels.component * grid_width + pixels.columns
    order = np.lexsort((pixels.rows, keys))
    keys = keys[order]
    is_last = np.append(keys[1:] != keys[:-1], True)
    lowest = order[is_last]
    cells = np.stack([pixels.rows[lowest], pixels.columns[lowest]], axis=1).astype(np.intp)
    ends = np.cumsum(np.bincount(pixels.component[lowest], minlength=pixels.count))
    return np.split(cells, ends[:-1])


def _lower_edge(cells: NDArray[np.intp], letterbox: Letterbox) -> NDArray[np.float64]:
    """(k, 2) float64: x of each column's middle, y of its lower border."""
    x = letterbox.image_x(cells[:, 1] + 0.5)
    y = letterbox.image_y(cells[:, 0] + 1.0)
    return np.stack([x, y], axis=1)


def _outer_contours(pixels: ComponentPixels, letterbox: Letterbox) -> list[NDArray[np.int32]]:
    """For each component, (k, 2) int32 (x, y): its outermost contour, through cell centres."""
    mask = (pixels.labels > 0).astype(np.uint8)
    found, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    outlines: dict[int, NDArray[np.int32]] = {}
    for contour, links in zip(found, hierarchy[0] if hierarchy is not None else (), strict=True):
        if links[3] >= 0:
            continue  # the rim of a hole, traced along the pixels of the component around it
        points = contour.reshape(-1, 2)
        label = int(pixels.labels[points[0, 1], points[0, 0]])
        x = np.minimum(letterbox.image_x(points[:, 0] + 0.5), letterbox.image_width - 1)
        y = np.minimum(letterbox.image_y(points[:, 1] + 0.5), letterbox.image_height - 1)
        outlines[label] = np.stack([x, y], axis=1).astype(np.int32)
    return [outlines[k + 1] for k in range(pixels.count)]
