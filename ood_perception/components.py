"""What is known of each anomalous component: its 37 + 2C metrics, the meta classifier's input.

The core is sparse: it needs the class probabilities at the pixels of the components, and the class
ids next to them. `component_metrics` is the dense form for whole probability planes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ood_perception.component_labels import (
    ComponentInputError,
    ComponentPixels,
    border_class_share,
    bounding_boxes,
    check_class_map,
    component_pixels,
    road_border_share,
)
from ood_perception.component_segments import ComponentSegments
from ood_perception.pixel_statistics import PixelStatistics, ReadProbabilities, read_statistics
from ood_perception.probability_planes import gather, most_probable

__all__ = [
    "ComponentInputError",
    "ComponentMetrics",
    "ComponentPixels",
    "border_class_share",
    "bounding_boxes",
    "component_metrics",
    "component_pixels",
    "metric_names",
    "metrics_where_read",
    "road_border_share",
    "sparse_component_metrics",
]

_HEAT_SUFFIXES = (
    "", "_in", "_bd", "_rel", "_rel_in", "_var", "_var_in", "_var_bd", "_var_rel", "_var_rel_in",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class ComponentMetrics:
    """The metrics of all components of one image.

    values: (n, M) float64, one row a component, one column a metric; all finite.
    names: the M names of the columns, as `metric_names` gives them.
    labels: (H, W) int32, 0 background, k + 1 the component of row k.
    """

    values: NDArray[np.float64]
    names: tuple[str, ...]
    labels: NDArray[np.int32]


@lru_cache(maxsize=32)
def metric_names(num_classes: int) -> tuple[str, ...]:
    """The 37 + 2C names of the metrics in ASCII order, the order of every metrics table.

    The method's specification, section 7. Raises ComponentInputError for fewer than two classes.
    """
    if num_classes < 2:
        raise ComponentInputError(
            f"metrics need at least 2 classes, not {num_classes}: entropy is normalised by ln C"
        )
    names = [heat + suffix for heat in "EDV" for suffix in _HEAT_SUFFIXES]
    names += ["S", "S_in", "S_bd", "S_rel", "S_rel_in", "mean_x", "mean_y"]
    for class_id in range(num_classes):
        names += [f"cprob{class_id}", f"ndist{class_id}"]
    return tuple(sorted(names))


def component_metrics(
    probabilities: NDArray[np.floating],
    mask: NDArray[np.generic],
    *,
    ignore: NDArray[np.generic] | None = None,
) -> ComponentMetrics:
    """Metrics of the 8-connected components of a mask (the method's specification, section 7).

    probabilities: (C, H, W) float32 (or float64) softmax probabilities.
    mask: (H, W) bool or integer, not zero where a pixel is anomalous.
    ignore: (H, W) bool or integer, or None; pixels where it is not zero leave the mask first.
    Only probabilities at the components and next to them are read; of large components by two
    threads, unless OpenCV is set to one (`cv2.setNumThreads(1)`). An empty mask gives (0, M).
    Raises ComponentInputError (also a ValueError) for wrong shapes and dtypes, and for
    probabilities that are not finite where they are read; elsewhere they have no effect.
    """
    probabilities = np.asarray(probabilities)
    _check_probabilities(probabilities, ndim=3, layout="(classes, height, width)")
    pixels = component_pixels(mask, ignore)
    if probabilities.shape[1:] != pixels.labels.shape:
        raise ComponentInputError(
            f"probabilities have shape {probabilities.shape} but the mask has "
            f"{pixels.labels.shape}; give (classes, height, width) of the same grid"
        )
    statistics = read_statistics(
        len(probabilities),
        pixels.starts,
        lambda here: gather(probabilities, pixels.positions[here]),
    )
    return _assemble(pixels, statistics, _neighbour_classes(probabilities, pixels))


def _neighbour_classes(
    probabilities: NDArray[np.floating], pixels: ComponentPixels
) -> NDArray[np.intp]:
    """(m,) the most probable class of the neighbour in every pair of `pixels`."""
    # Most neighbours touch two or three pixels of a component: each is read once.
    positions, occurrence = np.unique(pixels.pair_position, return_inverse=True)
    return most_probable(gather(probabilities, positions))[occurrence]


def sparse_component_metrics(
    pixels: ComponentPixels,
    probabilities: NDArray[np.floating],
    class_map: NDArray[np.integer],
) -> ComponentMetrics:
    """The same metrics from the probabilities at the components' pixels alone.

    pixels: from `component_pixels`.
    probabilities: (C, n) float32 or float64, softmax at (pixels.rows, pixels.columns), in the order
        of these (grouped by component; not the raster order of the mask).
    class_map: (H, W) integer, the most probable class of every pixel, read only next to components.
    Raises ComponentInputError (also a ValueError) for wrong shapes and dtypes, for class ids next
    to a component outside 0..C-1, and for probabilities that are not finite.
    """
    _check_probabilities(probabilities, ndim=2, layout="(classes, pixels)")
    if probabilities.shape[1] != pixels.rows.size:
        raise ComponentInputError(
            f"probabilities have {probabilities.shape[1]} pixels but the components have "
            f"{pixels.rows.size}; give one column for each of pixels.rows"
        )
    return metrics_where_read(
        pixels, len(probabilities), lambda here: probabilities[:, here], class_map
    )


def metrics_where_read(
    pixels: ComponentPixels,
    num_classes: int,
    read: ReadProbabilities,
    class_map: NDArray[np.integer],
) -> ComponentMetrics:
    """The same metrics, the probabilities computed piece by piece while they are measured.

    read: slice of the pixels -> (C, k) float32 or float64 softmax, as `sparse_component_metrics`
        takes for all of them; called by two threads, unless OpenCV is set to one.
    class_map, errors: as `sparse_component_metrics`.
    """
    check_class_map(pixels, class_map)
    pair_classes = class_map.ravel()[pixels.pair_position].astype(np.intp)
    wrong = pair_classes[(pair_classes < 0) | (pair_classes >= num_classes)]
    if wrong.size:
        raise ComponentInputError(
            f"the class map holds class {wrong[0]} next to a component, but there are only "
            f"{num_classes} classes; give the most probable class of every pixel"
        )
    statistics = read_statistics(num_classes, pixels.starts, read)
    return _assemble(pixels, statistics, pair_classes)


def _assemble(
    pixels: ComponentPixels, statistics: PixelStatistics, pair_classes: NDArray[np.intp]
) -> ComponentMetrics:
    class_sums = statistics.class_sums()
    num_classes = len(class_sums)
    names = metric_names(num_classes)
    if pixels.count == 0:
        return ComponentMetrics(np.zeros((0, len(names))), names, pixels.labels)
    segments = ComponentSegments(pixels)
    columns = _geometry_metrics(pixels, segments)
    columns |= _heat_metrics("E", statistics.entropy, segments)
    columns |= _heat_metrics("D", statistics.margin, segments)
    columns |= _heat_metrics("V", statistics.variation, segments)
    neighbour_shares = _neighbour_shares(pixels, pair_classes, num_classes)
    for class_id in range(num_classes):
        columns[f"cprob{class_id}"] = class_sums[class_id] / segments.area
        columns[f"ndist{class_id}"] = neighbour_shares[:, class_id]
    values = np.stack([columns[name] for name in names], axis=1)
    return ComponentMetrics(values, names, pixels.labels)


def _geometry_metrics(
    pixels: ComponentPixels, segments: ComponentSegments
) -> dict[str, NDArray[np.float64]]:
    border = np.maximum(segments.boundary_area, 1)
    return {
        "S": segments.area,
        "S_in": segments.inner_area,
        "S_bd": segments.boundary_area,
        "S_rel": segments.area / border,
        "S_rel_in": segments.inner_area / border,
        # The method calls the mean row index x and the mean column index y.
        "mean_x": np.add.reduceat(pixels.rows, pixels.starts[:-1], dtype=np.intp) / segments.area,
        "mean_y": np.add.reduceat(pixels.columns, pixels.starts[:-1], dtype=np.intp)
        / segments.area,
    }


def _heat_metrics(
    heat: str, values: NDArray[np.float64], segments: ComponentSegments
) -> dict[str, NDArray[np.float64]]:
    mean, mean_in, mean_bd, variance, variance_in, variance_bd = segments.moments(values)
    border = np.maximum(segments.boundary_area, 1)
    relative, relative_in = segments.area / border, segments.inner_area / border
    return {
        heat: mean,
        f"{heat}_in": mean_in,
        f"{heat}_bd": mean_bd,
        f"{heat}_rel": mean * relative,
        f"{heat}_rel_in": mean_in * relative_in,
        f"{heat}_var": variance,
        f"{heat}_var_in": variance_in,
        f"{heat}_var_bd": variance_bd,
        f"{heat}_var_rel": variance * relative,
        f"{heat}_var_rel_in": variance_in * relative_in,
    }


def _neighbour_shares(
    pixels: ComponentPixels, pair_classes: NDArray[np.intp], num_classes: int
) -> NDArray[np.float64]:
    """(count, C): distribution of the classes next to each component, 0 where nothing is."""
    cells = pixels.pair_component * np.intp(num_classes) + pair_classes
    pairs = np.bincount(cells, minlength=pixels.count * num_classes)
    pairs = pairs.reshape(pixels.count, num_classes)
    return np.asarray(pairs / np.maximum(pairs.sum(axis=1, keepdims=True), 1))


def _check_probabilities(probabilities: NDArray[np.floating], ndim: int, layout: str) -> None:
    if probabilities.ndim != ndim:
        raise ComponentInputError(f"probabilities have shape {probabilities.shape}; give {layout}")
    if probabilities.dtype not in (np.float32, np.float64):
        raise ComponentInputError(f"probabilities have dtype {probabilities.dtype}; give float32")
    metric_names(probabilities.shape[0])
