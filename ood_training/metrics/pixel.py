"""Pixel metrics of anomaly scores, pooled over a data set, in memory that does not grow with it.

The method's specification, section 9.1; the definitions are in ``pixel_curve``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.metrics.pixel_curve import (
    MetricBounds,
    PixelCurve,
    PixelMetrics,
    metric_bounds,
    pixel_metrics,
)
from ood_training.metrics.score_levels import LevelCounts, no_counts


def exact_pixel_metrics(scores: NDArray[np.number], unknown: NDArray[np.bool_]) -> PixelMetrics:
    """The metrics from every single score, by sorting.

    scores: any shape, higher = more anomalous. unknown: the same shape, bool. Leave ignored
    pixels out before. Raises OodError for shapes that differ, NaN, or one kind of pixel alone.
    """
    scores, unknown = _checked(scores, unknown)
    order = np.argsort(scores)[::-1]
    falling, is_unknown = scores[order], unknown[order]
    last_of_tie = np.append(falling[1:] != falling[:-1], True)[: falling.size]
    found = np.cumsum(is_unknown, dtype=np.int64)[last_of_tie]
    passed = np.flatnonzero(last_of_tie) + 1
    single = np.ones(found.size, bool)
    return pixel_metrics(
        PixelCurve(falling[last_of_tie].astype(np.float64), found, passed - found, single)
    )


class ScoreHistogram:
    """Counts the scores of known and unknown pixels by level, image after image.

    There are 2^24 levels (``score_levels``), of which those that occur are kept, so that a data
    set of any size needs some ten megabytes. The metrics are exact when no level holds two
    different scores, which is so for scores of up to 16 significant bits (float16, 16-bit
    integers); for finer scores, different scores of one level count as a tie, and ``bounds`` says
    how much that can matter.
    """

    def __init__(self) -> None:
        self._counts = no_counts()

    def add(self, scores: NDArray[np.number], unknown: NDArray[np.bool_]) -> None:
        """Count pixels: scores of any shape and range, unknown bool of the same shape.

        Leave ignored pixels out before. Raises OodError for shapes that differ and for NaN;
        nothing is counted then.
        """
        scores, unknown = _checked(scores, unknown)
        counts = LevelCounts.of(scores[~unknown], scores[unknown])
        self._counts = self._counts.merged(counts)

    def merge(self, other: ScoreHistogram) -> None:
        """Add what another histogram counted, for example of one image or another process."""
        self._counts = self._counts.merged(other._counts)

    def curve(self) -> PixelCurve:
        """What passes each level, from the highest score down."""
        counted = self._counts
        known, unknown = np.cumsum(counted.counts[:, ::-1], axis=1)
        single = counted.lowest == counted.highest
        return PixelCurve(counted.lowest[::-1], unknown, known, single[::-1])

    def metrics(self) -> PixelMetrics:
        """The metrics of all that was counted; OodError when one kind of pixel is missing."""
        return pixel_metrics(self.curve())

    def bounds(self) -> MetricBounds | None:
        """Between what the exact metrics lie; None where ``metrics`` is exact."""
        return metric_bounds(self.curve())


def _checked(
    scores: NDArray[np.number], unknown: NDArray[np.bool_]
) -> tuple[NDArray[np.number], NDArray[np.bool_]]:
    scores, unknown = np.asarray(scores), np.asarray(unknown)
    if scores.shape != unknown.shape:
        raise OodError(
            f"scores have shape {scores.shape} but the unknown pixels {unknown.shape}; "
            "give one truth for each score"
        )
    if unknown.dtype != np.bool_:
        raise OodError(f"the unknown pixels have dtype {unknown.dtype}; give bool")
    if np.isnan(scores).any():
        raise OodError("a score is NaN; check the network's output")
    return scores.ravel(), unknown.ravel()
