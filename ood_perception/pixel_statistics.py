"""Uncertainty of each anomalous pixel and sums of its class probabilities, block by block.

A block is used for everything while it lies in the processor's cache: the time goes into memory,
not into arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.component_labels import ComponentInputError

PROBABILITY_EPSILON = float(np.finfo(np.float32).eps)
"""Added to a probability before its logarithm in E, 2^-23 (section 6 of the specification)."""

ReadProbabilities = Callable[[slice], NDArray[np.floating]]
"""(C, k) probabilities of a slice of the pixels."""

_BLOCK_PIXELS = 16384
"""Pixels handled at a time: small enough for the cache, large enough for NumPy."""

_MOST_THREADS = 2
"""More would only queue for the interpreter's lock between their short operations."""

_LARGEST_PROBABILITY = 1.001
"""Rounding may lift a softmax slightly above 1; logits or percentages lie far above."""


class PixelStatistics:
    """What the metrics need to know of the n pixels of all components, grouped by component.

    entropy: (n,) float64, E = -sum_c p_c ln(p_c + eps) / ln C.
    margin: (n,) float64, D = 1 - p(1) + p(2) of the two largest probabilities.
    variation: (n,) float64, V = 1 - p(1).

    The method's specification, sections 6 and 7. Valid once every pixel was added; several threads
    may add at once.
    """

    def __init__(self, num_classes: int, starts: NDArray[np.intp]) -> None:
        """starts: (count + 1,), component k owns the pixels starts[k]:starts[k + 1]."""
        self._starts = starts
        self.entropy = np.zeros(starts[-1])
        self.margin = np.empty(starts[-1])
        self.variation = np.empty(starts[-1])
        self._class_sums_shape = (num_classes, len(starts) - 1)
        self._block_sums: dict[int, tuple[int, NDArray[np.float64]]] = {}

    def class_sums(self) -> NDArray[np.float64]:
        """(C, count) float64, sum of each class's probability over each component."""
        total = np.zeros(self._class_sums_shape)
        # In the order of the pixels: rounding must not depend on which thread was first.
        for _, (first, sums) in sorted(self._block_sums.items(), key=lambda item: item[0]):
            total[:, first : first + sums.shape[1]] += sums
        return total

    def add(self, block: NDArray[np.floating], start: int) -> None:
        """Take in (C, k) probabilities of the pixels start..start + k - 1, each pixel once.

        Raises ComponentInputError for a probability outside [0, 1], NaN included.
        """
        largest, second = _two_largest(block)
        self._check_range(block, largest, start)
        here = slice(start, start + block.shape[1])
        np.subtract(1.0, largest, out=self.variation[here], dtype=np.float64)
        np.add(self.variation[here], second, out=self.margin[here])

        first = int(np.searchsorted(self._starts, here.start, side="right")) - 1
        last = int(np.searchsorted(self._starts, here.stop, side="left"))
        local_starts = np.maximum(self._starts[first:last] - here.start, 0)
        sums = np.empty((len(block), last - first))
        exact, logarithm = np.empty((2, block.shape[1]))
        entropy = self.entropy[here]
        for class_id, plane in enumerate(block):
            exact[...] = plane
            np.add.reduceat(exact, local_starts, out=sums[class_id])
            np.add(exact, PROBABILITY_EPSILON, out=logarithm)
            # OpenCV's double logarithm is exact to the last bits and faster than NumPy's.
            cv2.log(logarithm, dst=logarithm)
            cv2.accumulateProduct(exact, logarithm, entropy)
        entropy /= -math.log(len(block))
        self._block_sums[start] = (first, sums)

    def _check_range(
        self, block: NDArray[np.floating], largest: NDArray[np.floating], start: int
    ) -> None:
        # Written so that NaN, which compares false with everything, fails as well.
        if block.min() >= 0 and largest.max() <= _LARGEST_PROBABILITY:
            return
        wrong = ~((block >= 0) & (block <= _LARGEST_PROBABILITY))
        class_id, column = np.argwhere(wrong)[0]
        label = int(np.searchsorted(self._starts, start + column, side="right"))
        raise ComponentInputError(
            f"component {label} has probability {block[class_id, column]} for class {class_id}; "
            "give softmax probabilities in [0, 1] and check the network's output"
        )


def read_statistics(
    num_classes: int, starts: NDArray[np.intp], read: ReadProbabilities
) -> PixelStatistics:
    """Statistics of all pixels, read block by block; with enough of them by two threads.

    starts: as of `PixelStatistics`. One thread reads where OpenCV is set to one
    (`cv2.setNumThreads(1)`). Raises ComponentInputError as `PixelStatistics.add`.
    """
    statistics = PixelStatistics(num_classes, starts)
    total = int(starts[-1])
    blocks = [slice(at, min(at + _BLOCK_PIXELS, total)) for at in range(0, total, _BLOCK_PIXELS)]

    def add(here: slice) -> None:
        statistics.add(read(here), here.start)

    threads = min(_MOST_THREADS, cv2.getNumThreads(), len(blocks) // 2)
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(add, blocks))
    else:
        for block in blocks:
            add(block)
    return statistics


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
