"""The pixel metrics of the published code: 100 bins and rescaled samples.

The method's specification, section 9, mark [L], kept under its own name so that published figures
can be approached; ``pixel`` is the exact one. Scores are known to 1% only, and the truncation drops
bins with few pixels, the very tail that decides FPR95.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError

BINS = 100
_CURVE_SAMPLES = 10**5
_PRECISION_SAMPLES = 10**7


@dataclass(frozen=True)
class Legacy100Metrics:
    """The published protocol's figures, fractions in [0, 1].

    fpr95: at the point of the ROC curve whose true-positive rate is nearest to 0.95, which may lie
        below it; the higher threshold of two that are equally near.
    """

    average_precision: float
    auroc: float
    fpr95: float


class Legacy100:
    """Counts scores in [0, 1] in 100 equal bins, by kind of pixel, summed over images."""

    def __init__(self) -> None:
        self.counts: NDArray[np.int64] = np.zeros((2, BINS), np.int64)

    def add(self, scores: NDArray[np.floating], unknown: NDArray[np.bool_]) -> None:
        """Count pixels: scores of any shape in [0, 1], unknown bool of the same shape.

        Raises OodError for shapes that differ and for scores outside [0, 1].
        """
        if scores.shape != unknown.shape:
            raise OodError(f"scores have shape {scores.shape}, the unknown pixels {unknown.shape}")
        if scores.size and not (scores.min() >= 0 and scores.max() <= 1):
            raise OodError(
                f"scores from {scores.min()} to {scores.max()} leave [0, 1], the range of the "
                "protocol legacy100; use the protocol fishyscapes"
            )
        for row, kind in enumerate((~unknown, unknown)):
            values = scores[kind].astype(np.float64)
            self.counts[row] += np.histogram(values, BINS, (0.0, 1.0))[0]

    def metrics(self) -> Legacy100Metrics:
        """The figures of all that was counted.

        Raises OodError when one kind of pixel is missing or the truncation leaves none of it.
        """
        known, unknown = self.counts
        if not (known.any() and unknown.any()):
            raise OodError("pixel metrics need both unknown and known pixels; check the labels")
        false_rate = _rates(_rescaled(known, known.sum(), _CURVE_SAMPLES))
        true_rate = _rates(_rescaled(unknown, unknown.sum(), _CURVE_SAMPLES))
        total = self.counts.sum()
        return Legacy100Metrics(
            average_precision=_average_precision(
                _rescaled(known, total, _PRECISION_SAMPLES),
                _rescaled(unknown, total, _PRECISION_SAMPLES),
            ),
            auroc=float((np.diff(false_rate) * (true_rate[1:] + true_rate[:-1]) / 2).sum()),
            fpr95=float(false_rate[np.argmin(np.abs(true_rate - 0.95))]),
        )


def _rescaled(counts: NDArray[np.int64], total: np.int64, samples: int) -> NDArray[np.int64]:
    """Bins scaled to a number of samples, each cut to an integer; in integers, so exactly."""
    scaled = [int(count) * samples // int(total) for count in counts]
    if not any(scaled):
        raise OodError(
            f"fewer than one of {samples} samples is left of one kind of pixel in the protocol "
            "legacy100; use the protocol fishyscapes"
        )
    return np.array(scaled, np.int64)


def _rates(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of the samples at or above each of the 100 upper edges, falling, from 0 on."""
    passed = np.append(0, np.cumsum(counts[::-1]))
    return np.asarray(passed / passed[-1], np.float64)


def _average_precision(known: NDArray[np.int64], unknown: NDArray[np.int64]) -> float:
    found, false = np.cumsum(unknown[::-1]), np.cumsum(known[::-1])
    precision = found / np.maximum(found + false, 1)
    return float((unknown[::-1] / found[-1] * precision).sum())
