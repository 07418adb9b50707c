"""From true and false positives at falling thresholds to AP, AUROC and FPR95, with their bounds.

The method's specification, section 9.1 (the definitions of the Fishyscapes benchmark): all pixels
of all images count once, equal scores form one threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError


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

    def named(self) -> dict[str, float]:
        """AP, FPR95 and AUROC, by the names that tables give them."""
        return {"AP": self.average_precision, "FPR95": self.fpr95, "AUROC": self.auroc}


@dataclass(frozen=True)
class MetricBounds:
    """(lowest, highest) value that each metric can have, whatever the order inside the levels."""

    average_precision: tuple[float, float]
    auroc: tuple[float, float]
    fpr95: tuple[float, float]


@dataclass(frozen=True, eq=False)
class PixelCurve:
    """What passes each of n falling thresholds.

    thresholds: (n,) float64; a pixel passes with a score of at least this.
    found: (n,) int64, unknown pixels that pass.
    false: (n,) int64, known pixels that pass.
    single: (n,) bool; whether the pixels that newly pass have one score, so that their order
        is known. Otherwise they are taken as one tie, and only bounds are certain.
    """

    thresholds: NDArray[np.float64]
    found: NDArray[np.int64]
    false: NDArray[np.int64]
    single: NDArray[np.bool_]

    @property
    def has_both_kinds(self) -> bool:
        """Whether unknown and known pixels occur, as the metrics need."""
        return bool(self.found.size and self.found[-1] and self.false[-1])


def pixel_metrics(curve: PixelCurve) -> PixelMetrics:
    """The metrics of a curve, exact where every threshold is single.

    Raises OodError when one of the two kinds of pixels is missing.
    """
    _check_both_kinds(curve)
    found, false = curve.found, curve.false
    unknown_pixels, known_pixels = int(found[-1]), int(false[-1])
    newly_found = np.diff(found, prepend=0)
    newly_false = np.diff(false, prepend=0)
    average_precision = (newly_found / unknown_pixels * (found / (found + false))).sum()
    mean_true_rate = (found - newly_found / 2) / unknown_pixels
    auroc = (newly_false / known_pixels * mean_true_rate).sum()
    return PixelMetrics(
        # sums of shares can end a rounding error above 1
        average_precision=min(1.0, float(average_precision)),
        auroc=min(1.0, float(auroc)),
        fpr95=float(false[_reaches_95_percent(curve)] / known_pixels),
        unknown_pixels=unknown_pixels,
        known_pixels=known_pixels,
    )


def metric_bounds(curve: PixelCurve) -> MetricBounds | None:
    """Bounds over every order, ties included, of the pixels inside levels that are not single.

    None where every threshold is single: the metrics are exact. With F unknown and B known pixels
    above a level that holds u unknown and k known ones:
        AP: an unknown pixel's precision is at most (F + u) / (F + u + B), all unknown ones tied
            above the known ones, and that of the i-th at least (F + i) / (F + i + B + k).
        AUROC: from none to all of the u k pairs inside are in the right order.
        FPR95: the threshold lies before the first or behind the last of the k.
    Raises OodError when one of the two kinds of pixels is missing.
    """
    _check_both_kinds(curve)
    if curve.single.all():
        return None
    metrics = pixel_metrics(curve)
    return MetricBounds(
        average_precision=_around(metrics.average_precision, *_average_precision_bounds(curve)),
        auroc=_around(metrics.auroc, *_auroc_bounds(curve)),
        fpr95=_around(metrics.fpr95, *_fpr95_bounds(curve)),
    )


def spread_points(curve: PixelCurve, most: int) -> NDArray[np.intp]:
    """Indices of at most so many thresholds, evenly spaced along both rates: enough to draw."""
    along = curve.found / curve.found[-1] + curve.false / curve.false[-1]
    wanted = np.searchsorted(along, np.linspace(along[0], along[-1], most))
    return np.unique(np.minimum(wanted, along.size - 1))


def _average_precision_bounds(curve: PixelCurve) -> tuple[float, float]:
    u = np.diff(curve.found, prepend=0).astype(np.float64)
    found_before = curve.found - u
    false_before = np.append(0, curve.false[:-1]).astype(np.float64)
    as_tie = u * curve.found / (curve.found + curve.false)
    worst_false = curve.false.astype(np.float64)
    # sum_i f(i) of a rising f is at least its integral from 0 to u, and at least u f(1).
    above = np.maximum(found_before + worst_false, 1)
    integral = u - worst_false * np.log1p(u / above)
    first = u * (found_before + 1) / (found_before + 1 + worst_false)
    lowest = np.where(curve.single, as_tie, np.maximum(integral, first))
    highest = np.where(
        curve.single, as_tie, u * curve.found / np.maximum(curve.found + false_before, 1)
    )
    return float(lowest.sum() / curve.found[-1]), float(highest.sum() / curve.found[-1])


def _auroc_bounds(curve: PixelCurve) -> tuple[float, float]:
    newly_false = np.diff(curve.false, prepend=0)
    found_before = np.append(0, curve.found[:-1])
    as_tie = (curve.found + found_before) / 2
    pairs = float(curve.found[-1]) * float(curve.false[-1])
    lowest = np.where(curve.single, as_tie, found_before)
    highest = np.where(curve.single, as_tie, curve.found)
    return float((newly_false * lowest).sum() / pairs), float((newly_false * highest).sum() / pairs)


def _fpr95_bounds(curve: PixelCurve) -> tuple[float, float]:
    level = _reaches_95_percent(curve)
    highest = int(curve.false[level])
    inside = level if curve.single[level] else level - 1
    lowest = int(curve.false[inside]) if inside >= 0 else 0
    return lowest / int(curve.false[-1]), highest / int(curve.false[-1])


def _reaches_95_percent(curve: PixelCurve) -> int:
    # In integers: 0.95 itself is no floating-point number.
    return int(np.argmax(20 * curve.found >= 19 * curve.found[-1]))


def _around(value: float, lowest: float, highest: float) -> tuple[float, float]:
    """The bounds with the value inside, against the rounding of sums."""
    return max(0.0, min(value, lowest)), min(1.0, max(value, highest))


def _check_both_kinds(curve: PixelCurve) -> None:
    if not curve.has_both_kinds:
        raise OodError("pixel metrics need both unknown and known pixels; check the labels")
