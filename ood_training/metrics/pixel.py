"""Pixel metrics of anomaly scores, pooled over a data set: AP, AUROC and FPR95.

The method's specification, section 9.1 (the definitions of the Fishyscapes benchmark): all pixels
of all images count once, equal scores form one threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError

_LEVELS = 1 << 16
_CHUNK = 1 << 20

ScoreRange = Literal["unit", "any"]


@dataclass(frozen=True)
class PixelMetrics:
    """How well a score separates unknown pixels from known ones.

    average_precision: sum_n (R_n - R_{n-1}) P_n over falling thresholds, in [0, 1].
    auroc: area under the ROC curve by trapezoids from (0, 0), in [0, 1].
    fpr95: false-positive rate at the first threshold with a true-positive rate of 0.95 or more.
    unknown_pixels, known_pixels: how many pixels of each kind were counted.
    """

    average_precision: float
    auroc: float
    fpr95: float
    unknown_pixels: int
    known_pixels: int


def exact_pixel_metrics(scores: NDArray[np.floating], unknown: NDArray[np.bool_]) -> PixelMetrics:
    """The metrics from every single score, by sorting.

    scores: any shape, float, higher = more anomalous. unknown: the same shape, bool. Leave ignored
    pixels out before. Raises OodError for shapes that differ, NaN, or one kind of pixel alone.
    """
    scores, unknown = _checked(scores, unknown)
    order = np.argsort(scores)[::-1]
    falling, is_unknown = scores[order], unknown[order]
    last_of_tie = np.append(falling[1:] != falling[:-1], True)[: falling.size]
    found = np.cumsum(is_unknown, dtype=np.int64)[last_of_tie]
    passed = np.flatnonzero(last_of_tie) + 1
    return _metrics_of_curve(found, passed - found)


class ScoreHistogram:
    """Counts scores by level, so that a whole data set needs one megabyte.

    The metrics are exact for the scores rounded to 65536 levels:
        unit: equal steps of 2^-16 on [0, 1]; scores outside are refused.
        any: the values of half-precision floats, as SegmentMeIfYouCan stores scores (section 9.2);
            about three significant digits; scores beyond 65504 fall together.
    """

    def __init__(self, score_range: ScoreRange = "unit") -> None:
        if score_range not in ("unit", "any"):
            raise OodError(f"score range {score_range!r} is unknown; give 'unit' or 'any'")
        self.score_range = score_range
        self.counts: NDArray[np.int64] = np.zeros((2, _LEVELS), np.int64)

    def add(self, scores: NDArray[np.floating], unknown: NDArray[np.bool_]) -> None:
        """Count pixels: scores of any shape, unknown bool of the same shape.

        Leave ignored pixels out before. Raises OodError for shapes that differ, for NaN and for
        scores outside the range; nothing is counted then.
        """
        scores, unknown = _checked(scores, unknown)
        if self.score_range == "unit" and scores.size:
            lowest, highest = scores.min(), scores.max()
            if lowest < 0 or highest > 1:
                raise OodError(
                    f"scores from {lowest} to {highest} leave [0, 1]; use the score range 'any'"
                )
        for start in range(0, scores.size, _CHUNK):
            levels = self._levels(scores[start : start + _CHUNK])
            cells = levels + _LEVELS * unknown[start : start + _CHUNK]
            self.counts += np.bincount(cells, minlength=2 * _LEVELS).reshape(2, _LEVELS)

    def merge(self, other: ScoreHistogram) -> None:
        """Add the counts of another histogram of the same range, for example another process's."""
        if other.score_range != self.score_range:
            raise OodError(
                f"histograms of the ranges {self.score_range!r} and {other.score_range!r} "
                "cannot be merged; use one range"
            )
        self.counts += other.counts

    def metrics(self) -> PixelMetrics:
        """The metrics of all that was counted; OodError when one kind of pixel is missing."""
        used = self.counts.any(axis=0)
        known, unknown = np.cumsum(self.counts[:, used][:, ::-1], axis=1)
        return _metrics_of_curve(unknown, known)

    def _levels(self, scores: NDArray[np.floating]) -> NDArray[np.int64]:
        """Rising levels 0..65535 of rising scores."""
        if self.score_range == "unit":
            return np.minimum((scores * _LEVELS).astype(np.int64), _LEVELS - 1)
        with np.errstate(over="ignore"):
            # Adding zero turns -0 into 0, so that the two are one level.
            half = scores.astype(np.float16) + np.float16(0)
        bits = half.view(np.uint16)
        # The bits of positive floats rise with them, those of negative ones fall.
        return np.where(bits >> 15, ~bits, bits | 0x8000).astype(np.int64)


def _checked(
    scores: NDArray[np.floating], unknown: NDArray[np.bool_]
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
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


def _metrics_of_curve(found: NDArray[np.int64], false: NDArray[np.int64]) -> PixelMetrics:
    """Metrics from true and false positives at falling thresholds; the last one passes all."""
    if not (found.size and found[-1] and false[-1]):
        raise OodError("pixel metrics need both unknown and known pixels; check the labels")
    unknown_pixels, known_pixels = int(found[-1]), int(false[-1])
    newly_found = np.diff(found, prepend=0)
    newly_false = np.diff(false, prepend=0)
    average_precision = (newly_found / unknown_pixels * (found / (found + false))).sum()
    mean_true_rate = (found - newly_found / 2) / unknown_pixels
    auroc = (newly_false / known_pixels * mean_true_rate).sum()
    # In integers: 0.95 itself is no floating-point number.
    enough = int(np.argmax(20 * found >= 19 * unknown_pixels))
    return PixelMetrics(
        average_precision=float(average_precision),
        auroc=float(auroc),
        fpr95=float(false[enough] / known_pixels),
        unknown_pixels=unknown_pixels,
        known_pixels=known_pixels,
    )
