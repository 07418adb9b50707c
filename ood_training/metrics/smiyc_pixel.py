"""SegmentMeIfYouCan's own pixel metrics (the method's specification, section 9.2).

The benchmark stores scores as float16 and looks at each frame through thresholds of its own: the
quantiles of its scores. Pooled, every frame contributes its bins to one falling curve, so the
figures differ slightly from the exact ones of ``pixel``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError

BINS = 768
_END_EDGES = (0.0, 1.0)


@dataclass(frozen=True)
class SmiycPixelMetrics:
    """The benchmark's figures.

    average_precision: step sum over the pooled thresholds, in [0, 1].
    fpr95: false-positive rate at the first threshold with a true-positive rate of 0.95 or more;
        1.0 when none reaches it.
    best_f1: largest 2 TP / (2 TP + FP + FN) over the thresholds.
    best_f1_threshold: the score where it is reached; component metrics use it (section 9.3).
    """

    average_precision: float
    fpr95: float
    best_f1: float
    best_f1_threshold: float


class SmiycPixelCurve:
    """Collects frames; each leaves at most 769 thresholds behind (18 kB)."""

    def __init__(self) -> None:
        self._thresholds: list[NDArray[np.float64]] = []
        self._found: list[NDArray[np.int64]] = []
        self._false: list[NDArray[np.int64]] = []

    def add(self, scores: NDArray[np.number], unknown: NDArray[np.bool_]) -> None:
        """Count one frame: the scores of its region of interest (n,), and which are unknown.

        Raises OodError for shapes that differ and for scores that float16 cannot hold.
        """
        if scores.shape != unknown.shape:
            raise OodError(f"scores have shape {scores.shape}, the unknown pixels {unknown.shape}")
        with np.errstate(over="ignore"):
            stored = scores.astype(np.float16)
        if not np.isfinite(stored).all():
            raise OodError(
                "a score is beyond 65504 or no number: this benchmark stores scores as float16; "
                "scale them"
            )
        if stored.size == 0:
            return
        # float32 holds every half, and NumPy sorts it ten times as fast.
        kinds = [stored[unknown].astype(np.float32), stored[~unknown].astype(np.float32)]
        edges = _edges(kinds)
        # All bins are closed below and open above, the last one is closed at both ends.
        found, false = (np.histogram(kind, edges)[0] for kind in kinds)
        self._thresholds.append(edges[:-1])
        self._found.append(found.astype(np.int64))
        self._false.append(false.astype(np.int64))

    def metrics(self) -> SmiycPixelMetrics:
        """The pooled figures; OodError when one of the two kinds of pixels is missing."""
        if not self._thresholds:
            raise OodError("pixel metrics need both unknown and known pixels; no frame was counted")
        thresholds = np.concatenate(self._thresholds)
        # Equal thresholds of several frames stay points of their own, as in the benchmark; there
        # their order is left to the sorting, here the last frame comes first.
        falling = np.argsort(thresholds, kind="stable")[::-1]
        newly_found = np.concatenate(self._found)[falling]
        found, false = np.cumsum(newly_found), np.cumsum(np.concatenate(self._false)[falling])
        unknown_pixels, known_pixels = int(found[-1]), int(false[-1])
        if not (unknown_pixels and known_pixels):
            raise OodError("pixel metrics need both unknown and known pixels; check the labels")
        precision = found / np.maximum(found + false, 1)
        f1 = 2 * found / (found + false + unknown_pixels)
        best = int(np.argmax(f1))
        enough = np.flatnonzero(20 * found >= 19 * unknown_pixels)
        return SmiycPixelMetrics(
            average_precision=float((newly_found / unknown_pixels * precision).sum()),
            fpr95=float(false[enough[0]] / known_pixels) if enough.size else 1.0,
            best_f1=float(f1[best]),
            best_f1_threshold=float(thresholds[falling][best]),
        )


def _edges(kinds: list[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Rising edges of a frame's bins: up to 384 quantiles of each kind, and 0 and 1."""
    edges = [np.array(_END_EDGES)]
    for scores in kinds:
        if scores.size:
            quantiles = np.linspace(0, 1, min(BINS // 2, scores.size))
            edges.append(np.quantile(scores, quantiles))
    return np.unique(np.concatenate(edges))
