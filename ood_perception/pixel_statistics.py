"""Uncertainty of each anomalous pixel and sums of its class probabilities, block by block.

A block of pixels is read, used for everything and dropped while it lies in the processor's cache:
the time goes into memory, not into arithmetic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.component_labels import ComponentInputError

PROBABILITY_EPSILON = float(np.finfo(np.float32).eps)
"""Added to a probability before its logarithm in E, 2^-23 (section 6 of the specification)."""

_BLOCK_PIXELS = 16384

_LARGEST_PROBABILITY = 1.001
"""Rounding may lift a softmax slightly above 1; logits or percentages lie far above."""


@dataclass(frozen=True, eq=False)
class PixelStatistics:
    """What the metrics need to know of the n pixels, grouped by component.

    entropy: (n,) float64, E = -sum_c p_c ln(p_c + eps) / ln C.
    margin: (n,) float64, D = 1 - p(1) + p(2) of the two largest probabilities.
    variation: (n,) float64, V = 1 - p(1).
    class_sums: (C, count) float64, sum of each class's probability over each component.
    """

    entropy: NDArray[np.float64]
    margin: NDArray[np.float64]
    variation: NDArray[np.float64]
    class_sums: NDArray[np.float64]


def pixel_statistics(
    probabilities: NDArray[np.floating], starts: NDArray[np.intp]
) -> PixelStatistics:
    """E, D and V of every pixel and the class sums of every component (specification, section 7).

    probabilities: (C, n) float32 or float64, at the pixels grouped by component.
    starts: (count + 1,), component k owns the pixels starts[k]:starts[k + 1].
    Raises ComponentInputError for a probability outside [0, 1], NaN included.
    """
    num_classes, pixel_count = probabilities.shape
    result = PixelStatistics(
        np.empty(pixel_count),
        np.empty(pixel_count),
        np.empty(pixel_count),
        np.zeros((num_classes, len(starts) - 1)),
    )
    for start in range(0, pixel_count, _BLOCK_PIXELS):
        _measure_block(probabilities[:, start : start + _BLOCK_PIXELS], start, starts, result)
    np.divide(result.entropy, -math.log(num_classes), out=result.entropy)
    return result


def _measure_block(
    block: NDArray[np.floating], start: int, starts: NDArray[np.intp], result: PixelStatistics
) -> None:
    """Write the unscaled E, D and V of the pixels from `start` on; add to the class sums."""
    here = slice(start, start + block.shape[1])
    largest, second = _two_largest(block)
    _check_range(block, largest, start, starts)
    np.subtract(1.0, largest, out=result.variation[here], dtype=np.float64)
    np.add(result.variation[here], second, out=result.margin[here])

    first = int(np.searchsorted(starts, here.start, side="right")) - 1
    last = int(np.searchsorted(starts, here.stop, side="left"))
    local_starts = np.maximum(starts[first:last] - here.start, 0)
    exact, logarithm = np.empty((2, block.shape[1]))
    entropy = result.entropy[here]
    entropy[...] = 0
    for class_id, plane in enumerate(block):
        exact[...] = plane
        result.class_sums[class_id, first:last] += np.add.reduceat(exact, local_starts)
        np.add(exact, PROBABILITY_EPSILON, out=logarithm)
        # OpenCV's double logarithm is exact to the last bits and faster than NumPy's.
        cv2.log(logarithm, dst=logarithm)
        cv2.accumulateProduct(exact, logarithm, entropy)


def _two_largest(
    block: NDArray[np.floating],
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """The largest and the second largest value of each column of (C, k)."""
    largest = np.maximum(block[0], block[1])
    second = np.minimum(block[0], block[1])
    smaller = np.empty_like(largest)
    for plane in block[2:]:
        np.minimum(largest, plane, out=smaller)
        np.maximum(largest, plane, out=largest)
        np.maximum(second, smaller, out=second)
    return largest, second


def _check_range(
    probabilities: NDArray[np.floating],
    largest: NDArray[np.floating],
    start: int,
    starts: NDArray[np.intp],
) -> None:
    # Written so that NaN, which compares false with everything, fails as well.
    if probabilities.min() >= 0 and largest.max() <= _LARGEST_PROBABILITY:
        return
    wrong = ~((probabilities >= 0) & (probabilities <= _LARGEST_PROBABILITY))
    class_id, column = np.argwhere(wrong)[0]
    label = int(np.searchsorted(starts, start + column, side="right"))
    raise ComponentInputError(
        f"component {label} has probability {probabilities[class_id, column]} for class "
        f"{class_id}; give softmax probabilities in [0, 1] and check the network's output"
    )
