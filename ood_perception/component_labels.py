"""Which pixels are anomalous together: 8-connected components and the border around them.

Labelling looks at the whole mask once. Everything after it touches only the pixels that belong to
components and the pixels that surround them, however large the image is.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError

NEIGHBOUR_OFFSETS = tuple(
    (row, column) for row in (-1, 0, 1) for column in (-1, 0, 1) if (row, column) != (0, 0)
)
"""(row, column) steps to the eight neighbours of a pixel."""


_STRIP_ROWS = 64


class ComponentInputError(OodError, ValueError):
    """A mask, probabilities or labels that components cannot be measured on."""


@dataclass(frozen=True, eq=False)
class ComponentPixels:
    """The pixels of all components of one image, grouped by component.

    Pixels come component by component; inside a component the inner pixels come before the boundary
    pixels, and each of the two groups is in raster order. n is the number of pixels in the mask.

    labels: (H, W) int32, 0 background, 1..count in raster order of the components' first pixels.
    count: number of components.
    positions: (n,) int32, row * W + column of each pixel.
    rows, columns: (n,) int32, image coordinates of each pixel.
    component: (n,) int32, 0-based component index (label - 1) of each pixel, never falling.
    starts: (count + 1,) intp; component k owns the pixels starts[k]:starts[k + 1].
    boundary_starts: (count,) intp; its inner pixels are starts[k]:boundary_starts[k], its boundary
        pixels (those that have a neighbour in the image outside the mask) the rest.
    pair_pixel, pair_position: (m,) intp; one entry for every ordered pair of a component pixel and
        a neighbour of it in the image outside the mask: the pixel's index in the arrays above,
        never falling, and the neighbour's position. A neighbour of three pixels occurs three times.
    """

    labels: NDArray[np.int32]
    count: int
    positions: NDArray[np.int32]
    rows: NDArray[np.signedinteger[Any]]
    columns: NDArray[np.signedinteger[Any]]
    component: NDArray[np.int32]
    starts: NDArray[np.intp]
    boundary_starts: NDArray[np.intp]
    pair_pixel: NDArray[np.intp]
    pair_position: NDArray[np.intp]

    @property
    def pair_component(self) -> NDArray[np.int32]:
        """(m,) int32, the 0-based component of each pair."""
        return self.component[self.pair_pixel]

    @property
    def areas(self) -> NDArray[np.intp]:
        """(count,) intp, number of pixels of each component."""
        return np.diff(self.starts)


def component_pixels(
    mask: NDArray[np.generic], ignore: NDArray[np.generic] | None = None
) -> ComponentPixels:
    """Label the 8-connected components of a mask (the method's specification, sections 6.1, 6.2).

    mask: (H, W) bool or integer; a pixel belongs to the mask where it is not zero.
    ignore: (H, W) bool or integer, or None; pixels where it is not zero leave the mask first.
    A component may be as small as one pixel. The image border alone makes no pixel boundary.
    Raises ComponentInputError (also a ValueError) for another shape or dtype.
    """
    mask8 = _as_mask(mask, "mask")
    if ignore is not None:
        ignore8 = _as_mask(ignore, "ignore")
        if ignore8.shape != mask8.shape:
            raise ComponentInputError(
                f"ignore has shape {ignore8.shape} but the mask has {mask8.shape}; "
                "give both the same height and width"
            )
        mask8 = (mask8 > ignore8).view(np.uint8)
    width = mask8.shape[1]
    positions = np.flatnonzero(mask8.view(np.bool_))
    labels, component, count = _label_in_raster_order(mask8, positions)

    keys = component * 2 + _is_boundary(mask8, positions)
    order, keys, group_starts = _group(keys, 2 * count)
    grouped = np.asarray(positions[order], np.int32)
    rows = grouped // np.int32(width)
    columns = grouped - rows * np.int32(width)
    boundary = np.flatnonzero((keys & 1).astype(np.bool_))
    pair_source, pair_position = _outside_neighbours(mask8, rows[boundary], columns[boundary])
    return ComponentPixels(
        labels=labels,
        count=count,
        positions=grouped,
        rows=rows,
        columns=columns,
        component=np.asarray(keys >> 1, np.int32),
        starts=group_starts[::2],
        boundary_starts=group_starts[1::2],
        pair_pixel=boundary[pair_source],
        pair_position=pair_position,
    )


def bounding_boxes(pixels: ComponentPixels) -> NDArray[np.intp]:
    """(count, 4) intp: left, top (both inclusive), width and height of each component in pixels."""
    if pixels.count == 0:
        return np.zeros((0, 4), np.intp)
    first = pixels.starts[:-1]
    left = np.minimum.reduceat(pixels.columns, first)
    top = np.minimum.reduceat(pixels.rows, first)
    width = np.maximum.reduceat(pixels.columns, first) - left + 1
    height = np.maximum.reduceat(pixels.rows, first) - top + 1
    return np.stack([left, top, width, height], axis=1)


def border_class_share(
    pixels: ComponentPixels, class_map: NDArray[np.integer], classes: Collection[int]
) -> NDArray[np.float64]:
    """(count,) float64 in [0, 1]: share of each component's surroundings labelled as `classes`.

    Counts pairs of a component pixel and an outside neighbour, as the metrics ndist do, so that
    this is the sum of ndist over the given classes; 0 for a component without surroundings.
    class_map: (H, W) integer class ids, read only next to components.
    """
    check_class_map(pixels, class_map)
    lookup = np.isin(class_map.ravel()[pixels.pair_position], list(classes))
    component = pixels.pair_component
    hits = np.bincount(component[lookup], minlength=pixels.count)
    total = np.bincount(component, minlength=pixels.count)
    return np.asarray(hits / np.maximum(total, 1))


def road_border_share(
    pixels: ComponentPixels, class_map: NDArray[np.integer], road_classes: Collection[int]
) -> NDArray[np.float64]:
    """(count,) float64 in [0, 1]: how much of what surrounds each component is road.

    The same as `border_class_share` for the ids of the drivable classes.
    """
    return border_class_share(pixels, class_map, road_classes)


def check_class_map(pixels: ComponentPixels, class_map: NDArray[np.integer]) -> None:
    """Raise ComponentInputError unless class_map holds integers on the grid of the labels."""
    if class_map.shape != pixels.labels.shape:
        raise ComponentInputError(
            f"the class map has shape {class_map.shape} but the mask had {pixels.labels.shape}; "
            "give both on the same grid"
        )
    if not np.issubdtype(class_map.dtype, np.integer):
        raise ComponentInputError(
            f"the class map has dtype {class_map.dtype}; give integer class ids"
        )


def _as_mask(mask: NDArray[np.generic], name: str) -> NDArray[np.uint8]:
    """The mask as contiguous (H, W) uint8 of zeros and ones."""
    mask = np.asarray(mask)
    if mask.ndim != 2 or 0 in mask.shape:
        raise ComponentInputError(
            f"{name} has shape {mask.shape}; give (height, width), both at least 1"
        )
    if mask.dtype == np.bool_:
        return np.ascontiguousarray(mask).view(np.uint8)
    if not np.issubdtype(mask.dtype, np.integer):
        raise ComponentInputError(f"{name} has dtype {mask.dtype}; give bool or integers")
    return np.ascontiguousarray(mask != 0).view(np.uint8)


def _label_in_raster_order(
    mask8: NDArray[np.uint8], positions: NDArray[np.intp]
) -> tuple[NDArray[np.int32], NDArray[np.int32], int]:
    """Label map, 0-based component of each mask pixel, and the number of components.

    OpenCV promises no order of its labels, and indeed numbers 2x2 blocks or stripes, so they are
    renumbered by first pixels; most often they already are in order.
    """
    found, map_of_labels = cv2.connectedComponents(mask8, connectivity=8, ltype=cv2.CV_32S)
    labels = np.asarray(map_of_labels, np.int32)
    count = found - 1
    at_pixels = labels.ravel()[positions]
    # In raster order each component's first pixel carries the next number: the highest so far,
    # plus one.
    highest = np.maximum.accumulate(at_pixels)
    if count > 0 and (highest[0] > 1 or np.diff(highest).max(initial=0) > 1):
        first = np.empty(found, np.intp)
        # With repeated indices the last assignment wins: reversed, that is the first pixel.
        first[at_pixels[::-1]] = positions[::-1]
        rank = np.empty(found, np.int32)
        rank[1 + np.argsort(first[1:])] = np.arange(1, found)
        at_pixels = rank[at_pixels]
        labels.ravel()[positions] = at_pixels
    return labels, np.asarray(at_pixels - 1, np.int32), count


def _is_boundary(mask8: NDArray[np.uint8], positions: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which of the mask's pixels have a neighbour in the image outside the mask."""
    height, width = mask8.shape
    kernel = np.ones((3, 3), np.uint8)
    is_boundary = np.empty(positions.size, np.bool_)
    # In strips, because fresh memory for a whole image costs more than eroding it does.
    for top in range(0, height, _STRIP_ROWS):
        bottom = min(top + _STRIP_ROWS, height)
        here = slice(*np.searchsorted(positions, (top * width, bottom * width)).tolist())
        if here.start == here.stop:
            continue
        above = max(top - 1, 0)
        # Outside the image counts as inside the mask, so the image border makes no boundary.
        eroded = cv2.erode(
            mask8[above : bottom + 1], kernel, borderType=cv2.BORDER_CONSTANT, borderValue=1
        )
        np.equal(eroded.ravel()[positions[here] - above * width], 0, out=is_boundary[here])
    return is_boundary


def _group(
    keys: NDArray[np.int32], key_count: int
) -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.intp]]:
    """Stable order that sorts the keys, the sorted keys, (key_count + 1,) starts of groups."""
    # NumPy's stable sort is a radix sort for 16-bit integers, several times faster than for others.
    narrow = keys.astype(np.uint16) if key_count <= 2**16 else keys
    order = np.argsort(narrow, kind="stable")
    keys = keys[order]
    starts = np.searchsorted(keys, np.arange(key_count, dtype=keys.dtype))
    return order, keys, np.append(starts, keys.size)


def _outside_neighbours(
    mask8: NDArray[np.uint8], rows: NDArray[np.int32], columns: NDArray[np.int32]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Every pair of a given pixel and a neighbour in the image outside the mask.

    Returns the index of the pixel in rows and columns, never falling, and the neighbour's position.
    """
    width = mask8.shape[1]
    # a frame that counts as inside the mask: nothing outside the image is a neighbour
    framed = cv2.copyMakeBorder(mask8, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1).ravel()
    row_steps, column_steps = np.array(NEIGHBOUR_OFFSETS, np.intp).T
    here = (rows + np.intp(1)) * (width + 2) + columns + 1
    neighbours = here[:, None] + (row_steps * (width + 2) + column_steps)
    # Flat: NumPy finds nonzeros in several dimensions far more slowly.
    found = np.flatnonzero(framed.take(neighbours, mode="clip") == 0)
    source, step = found >> 3, found & 7  # eight offsets
    positions = rows * np.intp(width) + columns
    return source, positions[source] + (row_steps * width + column_steps)[step]
