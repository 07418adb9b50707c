"""The metrics once more, pixel by pixel and in plain Python, straight from their definitions."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

EPSILON = 2.0**-23


def neighbours(row: int, column: int, height: int, width: int) -> list[tuple[int, int]]:
    return [
        (r, c)
        for r in range(max(row - 1, 0), min(row + 2, height))
        for c in range(max(column - 1, 0), min(column + 2, width))
        if (r, c) != (row, column)
    ]


def slow_components(mask: NDArray[np.bool_]) -> list[list[tuple[int, int]]]:
    """Pixels of the 8-connected components, in raster order of the components' first pixels."""
    height, width = mask.shape
    seen: set[tuple[int, int]] = set()
    components = []
    for start in map(tuple, np.argwhere(mask).tolist()):
        if start in seen:
            continue
        seen.add(start)
        found, waiting = [], [start]
        while waiting:
            pixel = waiting.pop()
            found.append(pixel)
            for other in neighbours(*pixel, height, width):
                if mask[other] and other not in seen:
                    seen.add(other)
                    waiting.append(other)
        components.append(sorted(found))
    return components


def slow_labels(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    labels = np.zeros(mask.shape, np.int32)
    for number, component in enumerate(slow_components(mask), start=1):
        for pixel in component:
            labels[pixel] = number
    return labels


def slow_metrics(
    probabilities: NDArray[np.floating], mask: NDArray[np.bool_]
) -> list[dict[str, float]]:
    """One dictionary of the 37 + 2C metrics for each component."""
    return [_metrics_of(component, probabilities, mask) for component in slow_components(mask)]


def _metrics_of(
    component: list[tuple[int, int]], probabilities: NDArray[np.floating], mask: NDArray[np.bool_]
) -> dict[str, float]:
    num_classes, height, width = probabilities.shape
    boundary = [
        pixel
        for pixel in component
        if any(not mask[other] for other in neighbours(*pixel, height, width))
    ]
    inner = [pixel for pixel in component if pixel not in set(boundary)]
    border = max(len(boundary), 1)
    metrics = {
        "S": float(len(component)),
        "S_in": float(len(inner)),
        "S_bd": float(len(boundary)),
        "S_rel": len(component) / border,
        "S_rel_in": len(inner) / border,
        "mean_x": _mean([row for row, _ in component]),
        "mean_y": _mean([column for _, column in component]),
    }
    heats = {pixel: _heats(probabilities, pixel) for pixel in component}
    for heat in "EDV":
        for suffix, pixels in (("", component), ("_in", inner), ("_bd", boundary)):
            values = [heats[pixel][heat] for pixel in pixels]
            metrics[heat + suffix] = _mean(values)
            metrics[f"{heat}_var{suffix}"] = _variance(values)
        for kind in (heat, f"{heat}_var"):
            metrics[f"{kind}_rel"] = metrics[kind] * metrics["S_rel"]
            metrics[f"{kind}_rel_in"] = metrics[f"{kind}_in"] * metrics["S_rel_in"]
    outside = [
        int(np.argmax(probabilities[(slice(None), *other)]))
        for pixel in component
        for other in neighbours(*pixel, height, width)
        if not mask[other]
    ]
    for class_id in range(num_classes):
        metrics[f"cprob{class_id}"] = _mean(
            [float(probabilities[(class_id, *pixel)]) for pixel in component]
        )
        metrics[f"ndist{class_id}"] = outside.count(class_id) / max(len(outside), 1)
    return metrics


def _heats(probabilities: NDArray[np.floating], pixel: tuple[int, int]) -> dict[str, float]:
    values = [float(value) for value in probabilities[(slice(None), *pixel)]]
    second, first = sorted(values)[-2:]
    entropy = -math.fsum(p * math.log(p + EPSILON) for p in values) / math.log(len(values))
    return {"E": entropy, "D": 1.0 - first + second, "V": 1.0 - first}


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0


def _variance(values: list[float]) -> float:
    mean = _mean(values)
    return _mean([(value - mean) ** 2 for value in values])
