"""How many metrics a classifier needs: its quality on the best-ranked ones, out of fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from ood_perception.errors import OodError
from ood_training.meta.confidence import SequenceBootstrap
from ood_training.meta.contract import Fold, MetaFamily
from ood_training.meta.ranking import Ranking, rank_metrics
from ood_training.meta.table import ComponentTable

TOLERANCE = 0.01
"""Average precision that counts as no loss where no standard error can be had."""

_DENSE_UP_TO, _FURTHER = 21, (30, 45)
_RESAMPLES = 200


@dataclass(frozen=True, eq=False)
class QualityByCount:
    """Out-of-fold quality of one kind of classifier on the ``counts`` best-ranked metrics.

    counts: (c,) int, rising. auroc, average_precision: (c,) float64 in [0, 1] of P(false positive).
    tolerance: what a smaller number may lose in average precision: the standard error of the best
        by a bootstrap over sequences, or `TOLERANCE` where there is one sequence alone.
    enough: the smallest count whose average precision is within the tolerance of the best.
    """

    kind: str
    counts: NDArray[np.intp]
    auroc: NDArray[np.float64]
    average_precision: NDArray[np.float64]
    tolerance: float
    enough: int

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, those of quality rounded to four digits."""
        return {
            "kind": self.kind,
            "counts": self.counts.tolist(),
            "auroc": np.round(self.auroc, 4).tolist(),
            "average_precision": np.round(self.average_precision, 4).tolist(),
            "tolerance": round(self.tolerance, 4),
            "enough": self.enough,
        }


def metric_counts(total: int) -> tuple[int, ...]:
    """1 to 21 one by one, 30, 45 and all: where the thesis's curve bends, densely."""
    counts = (*range(1, _DENSE_UP_TO + 1), *_FURTHER)
    return (*(count for count in counts if count < total), total)


def rank_in_folds(table: ComponentTable, folds: Sequence[Fold]) -> list[Ranking]:
    """One ranking a fold, of its training rows alone. Raises OodError as `rank_metrics`."""
    return [rank_metrics(table.metrics[rows], table.false_positive[rows]) for rows, _ in folds]


def quality_by_count(
    family: MetaFamily,
    table: ComponentTable,
    folds: Sequence[Fold],
    rankings: Sequence[Ranking],
    counts: Sequence[int],
    seed: int = 0,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> QualityByCount:
    """Quality on the m best-ranked metrics, for every m of ``counts`` (thesis, Figure 5.7).

    rankings: one a fold, as `rank_in_folds` gives them. Ranking all rows once would let the tested
    rows choose the metrics they are tested on, and even noise would then look better than chance.

    Raises OodError for folds that leave rows untested and as ``MetaFamily.fit_folds``.
    """
    probabilities = []
    for done, count in enumerate(counts):
        probabilities.append(_predict(family, table, folds, rankings, count, seed))
        on_progress(done + 1, len(counts))
    truth = table.false_positive
    auroc = np.array([roc_auc_score(truth, p) for p in probabilities])
    precision = np.array([average_precision_score(truth, p) for p in probabilities])
    best = int(np.argmax(precision))
    tolerance = _standard_error(table, probabilities[best], seed)
    enough = int(np.argmax(precision >= precision[best] - tolerance))
    return QualityByCount(
        family.kind, np.array(counts, np.intp), auroc, precision, tolerance, int(counts[enough])
    )


def _predict(
    family: MetaFamily,
    table: ComponentTable,
    folds: Sequence[Fold],
    rankings: Sequence[Ranking],
    count: int,
    seed: int,
) -> NDArray[np.float64]:
    """(n,) out-of-fold P(false positive), every fold with its own best ``count`` metrics.

    A family fits all its folds in one go and on one matrix. So the table is repeated once a fold,
    each time with that fold's columns, and every fold keeps to its own copy.
    """
    rows = len(table)
    copies = [table.metrics[:, ranking.order[:count]] for ranking in rankings]
    shifted = [
        (train + index * rows, test + index * rows) for index, (train, test) in enumerate(folds)
    ]
    found = family.fit_folds(
        np.concatenate(copies), np.tile(table.false_positive, len(folds)), shifted, seed
    )
    probability = np.full(rows, np.nan)
    for index, (_, test) in enumerate(folds):
        probability[test] = found[test + index * rows]
    if not np.isfinite(probability).all():
        raise OodError("the folds leave components untested; give folds that test each one")
    return probability


def _standard_error(table: ComponentTable, probability: NDArray[np.float64], seed: int) -> float:
    """Of the average precision, sequences drawn with replacement."""
    if len(np.unique(np.concatenate([table.sequence, table.object_sequence]))) < 2:
        return TOLERANCE
    truth = table.false_positive

    def precision(weights: NDArray[np.float64], _: NDArray[np.float64]) -> float:
        if not weights[truth].any() or not weights[~truth].any():
            return np.nan
        return float(average_precision_score(truth, probability, sample_weight=weights))

    values = SequenceBootstrap(table, _RESAMPLES, seed).values(precision)
    values = values[np.isfinite(values)]
    return float(values.std(ddof=1)) if len(values) > 1 else TOLERANCE
