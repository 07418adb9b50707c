"""Uncertainty of each anomalous pixel and sums of its class probabilities, block by block.

A block of pixels is read, used for everything and dropped while it lies in the processor's cache:
the time goes into memory, not into arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.component_labels import ComponentInputError

PROBABILITY_EPSILON = float(np.finfo(np.float32).eps)
"""Added to a probability before its logarithm in E, 2^-23 (section 6 of the specification)."""

_BLOCK_PIXELS = 8192
_BlockSums = tuple[int, NDArray[np.float64]]
"""Index of the first component in a block, and (C, components in the block) sums."""

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
    read_block: Callable[[int, int], NDArray[np.floating]],
    num_classes: int,
    starts: NDArray[np.intp],
) -> PixelStatistics:
    """E, D and V of every pixel and the class sums of every component (specification, section 7).

    read_block: gives the (C, stop - start) probabilities of the pixels start..stop-1.
    starts: (count + 1,), component k owns the pixels starts[k]:starts[k + 1].
    Raises ComponentInputError for a probability outside [0, 1], NaN included.
    """
    pixel_count = int(starts[-1])
    result = PixelStatistics(
        np.empty(pixel_count),
        np.empty(pixel_count),
        np.empty(pixel_count),
        np.zeros((num_classes, len(starts) - 1)),
    )
    blocks = [
        range(start, min(start + _BLOCK_PIXELS, pixel_count))
        for start in range(0, pixel_count, _BLOCK_PIXELS)
    ]
    for first, sums in _measure_blocks(read_block, blocks, starts, result):
        result.class_sums[:, first : first + sums.shape[1]] += sums
    np.divide(result.entropy, -math.log(num_classes), out=result.entropy)
    return result


def _measure_blocks(
    read_block: Callable[[int, int], NDArray[np.floating]],
    blocks: list[range],
    starts: NDArray[np.intp],
    result: PixelStatistics,
) -> Iterator[_BlockSums]:
    """Fill in the pixels of some blocks; yield each block's class sums."""
    num_classes = len(result.class_sums)
    buffers = np.empty((2, num_classes, _BLOCK_PIXELS))
    for start, stop in ((block.start, block.stop) for block in blocks):
        if stop - start < _BLOCK_PIXELS:
            buffers = np.empty((2, num_classes, stop - start))
        exact, logarithm = buffers
        probabilities = read_block(start, stop)
        largest, second = _two_largest(probabilities)
        _check_range(probabilities, largest, start, starts)
        exact[...] = probabilities
        np.add(exact, PROBABILITY_EPSILON, out=logarithm)
        # OpenCV's double logarithm is exact to the last bits and faster than NumPy's.
        cv2.log(logarithm, dst=logarithm)
        np.einsum("cn,cn->n", exact, logarithm, out=result.entropy[start:stop])
        np.subtract(1.0, largest, out=result.variation[start:stop], dtype=np.float64)
        np.add(result.variation[start:stop], second, out=result.margin[start:stop])
        yield _block_sums(exact, start, stop, starts)


def _two_largest(
    block: NDArray[np.floating],
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """The largest and the second largest value of each column of (C, k)."""
    half = len(block) // 2
    # A tournament on whole halves: few large operations instead of many small ones.
    largest = np.maximum(block[:half], block[-half:])
    second = np.minimum(block[:half], block[-half:])
    if len(block) % 2:
        np.maximum(second[0], np.minimum(largest[0], block[half]), out=second[0])
        np.maximum(largest[0], block[half], out=largest[0])
    while len(largest) > 1:
        half, kept = len(largest) // 2, (len(largest) + 1) // 2
        beaten = np.minimum(largest[:half], largest[kept:])
        np.maximum(largest[:half], largest[kept:], out=largest[:half])
        np.maximum(second[:half], second[kept:], out=second[:half])
        np.maximum(second[:half], beaten, out=second[:half])
        largest, second = largest[:kept], second[:kept]
    return largest[0], second[0]


def _block_sums(
    exact: NDArray[np.float64], start: int, stop: int, starts: NDArray[np.intp]
) -> _BlockSums:
    """A block's share in the sums of the components that it touches."""
    first = int(np.searchsorted(starts, start, side="right")) - 1
    last = int(np.searchsorted(starts, stop, side="left"))
    if last - first == 1:
        return first, exact.sum(axis=1, keepdims=True)
    local_starts = np.maximum(starts[first:last] - start, 0)
    return first, np.add.reduceat(exact, local_starts, axis=1)


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
