"""How well false positives are told: figures of the probability, and counts at a decision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from ood_training.meta.table import ComponentTable

RELIABILITY_BINS = 10


@dataclass(frozen=True)
class ReliabilityPoint:
    """One of the bins of equal width: what was promised, and what came of it."""

    mean_probability: float
    false_positive_share: float
    components: int


@dataclass(frozen=True)
class ProbabilityFigures:
    """Figures of P(false positive), positive = false positive, all but the last in [0, 1].

    auroc, average_precision: None where there is one kind of component only; ``average_precision``
    is the step sum of section 8.3 of the specification. accuracy: at P > 0.5.
    expected_calibration_error: mean distance of promise and outcome over the reliability points.
    """

    auroc: float | None
    average_precision: float | None
    accuracy: float
    brier_score: float
    expected_calibration_error: float
    reliability: tuple[ReliabilityPoint, ...]


@dataclass(frozen=True)
class DecisionFigures:
    """Counts of components and objects when some components are removed (section 8.4).

    An object is hit when a component shares a cell with it, missed otherwise; newly missed when
    all of its components are removed. F1 = 2 TP / (2 TP + FP + FN) with TP the objects hit, FP the
    false-positive components and FN the objects missed; error = FP + FN, its reduction relative to
    the score alone (None where that makes no error).
    """

    false_positives_kept: int
    false_positives_removed: int
    true_positives_kept: int
    true_positives_removed: int
    objects: int
    objects_hit: int
    objects_missed_before: int
    objects_missed_after: int
    objects_newly_missed: int
    f1_before: float
    f1_after: float
    error_before: int
    error_after: int
    error_reduction: float | None


def average_precision(
    false_positive: NDArray[np.bool_],
    probability: NDArray[np.float64],
    weights: NDArray[np.float64] | None = None,
) -> float:
    """In (0, 1]; NaN where no row, or every row, of positive weight is a false positive."""
    if weights is not None:
        rows = weights > 0
        false_positive, probability = false_positive[rows], probability[rows]
        weights = weights[rows]
    if false_positive.all() or not false_positive.any():
        return float("nan")
    return float(average_precision_score(false_positive, probability, sample_weight=weights))


def probability_figures(
    false_positive: NDArray[np.bool_], probability: NDArray[np.float64]
) -> ProbabilityFigures:
    """Figures of (n,) P(false positive) against (n,) labels, n > 0."""
    both = bool(false_positive.any() and not false_positive.all())
    points = reliability_points(false_positive, probability)
    distance = sum(p.components * abs(p.mean_probability - p.false_positive_share) for p in points)
    return ProbabilityFigures(
        auroc=float(roc_auc_score(false_positive, probability)) if both else None,
        average_precision=average_precision(false_positive, probability) if both else None,
        accuracy=float(np.mean((probability > 0.5) == false_positive)),
        brier_score=float(brier_score_loss(false_positive, probability, pos_label=True)),
        expected_calibration_error=distance / len(probability),
        reliability=points,
    )


def reliability_points(
    false_positive: NDArray[np.bool_], probability: NDArray[np.float64]
) -> tuple[ReliabilityPoint, ...]:
    """Points of the reliability curve, of the bins that hold a component, by probability."""
    bins = np.minimum((probability * RELIABILITY_BINS).astype(int), RELIABILITY_BINS - 1)
    return tuple(
        ReliabilityPoint(
            float(probability[bins == index].mean()),
            float(false_positive[bins == index].mean()),
            int(np.count_nonzero(bins == index)),
        )
        for index in np.unique(bins)
    )


def decision_figures(table: ComponentTable, removed: NDArray[np.bool_]) -> DecisionFigures:
    """Counts when the components of ``removed`` (n,) bool go."""
    positive = table.false_positive
    hit, still_hit = table.hit(), table.hit(~removed)
    found_before, found_after = int(hit.sum()), int(still_hit.sum())
    missed_before, missed_after = table.objects - found_before, table.objects - found_after
    kept = int(np.sum(positive & ~removed))
    before, after = int(positive.sum()) + missed_before, kept + missed_after
    return DecisionFigures(
        false_positives_kept=kept,
        false_positives_removed=int(np.sum(positive & removed)),
        true_positives_kept=int(np.sum(~positive & ~removed)),
        true_positives_removed=int(np.sum(~positive & removed)),
        objects=table.objects,
        objects_hit=found_before,
        objects_missed_before=missed_before,
        objects_missed_after=missed_after,
        objects_newly_missed=found_before - found_after,
        f1_before=_f1(found_before, before),
        f1_after=_f1(found_after, after),
        error_before=before,
        error_after=after,
        error_reduction=1.0 - after / before if before else None,
    )


def _f1(found: int, error: int) -> float:
    """1 where there is nothing to find and nothing found."""
    return 2 * found / (2 * found + error) if found or error else 1.0


@dataclass(frozen=True, eq=False)
class TradeOff:
    """What each decision removes and misses: (d,) of falling decisions, from nothing removed on.

    false_positives_removed, objects_newly_missed: (d,) int64.
    """

    decision: NDArray[np.float64]
    false_positives_removed: NDArray[np.int64]
    objects_newly_missed: NDArray[np.int64]


def trade_off(table: ComponentTable, probability: NDArray[np.float64]) -> TradeOff:
    """All that one common decision on (n,) P(false positive) can do."""
    positive = np.sort(probability[table.false_positive])
    lowest = table.lowest_by_object(probability)
    lowest = np.sort(lowest[np.isfinite(lowest)])
    decision = np.unique(np.append(probability, (0.0, 1.0)))[::-1]

    def above(values: NDArray[np.float64]) -> NDArray[np.int64]:
        return (len(values) - np.searchsorted(values, decision, side="right")).astype(np.int64)

    return TradeOff(decision, above(positive), above(lowest))
