"""What a meta classifier goes by: each metric's weight overall, and the reasons of one decision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_training.meta.contract import Fold, MetaFamily, MetaModel
from ood_training.meta.table import ComponentTable

# Log-odds beyond this stand for a probability that rounding has brought to 0 or 1.
_LEAST_PROBABILITY = 1e-15


@dataclass(frozen=True)
class MetricReason:
    """One metric's part in a decision, in log-odds of false positive."""

    metric: str
    value: float
    contribution: float


@dataclass(frozen=True)
class Explanation:
    """Why one component was taken for a false positive or not.

    row: in the table. probability: P(false positive). start: log-odds before any metric speaks;
    start + the reasons' contributions + others = log-odds of the probability.
    reasons: the strongest metrics by falling |contribution|. others: what all further metrics add.
    """

    row: int
    frame: str
    area_cells: int
    false_positive: bool
    probability: float
    start: float
    reasons: tuple[MetricReason, ...]
    others: float

    @property
    def log_odds(self) -> float:
        """Of false positive."""
        return self.start + sum(reason.contribution for reason in self.reasons) + self.others

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; contributions in log-odds of false positive."""
        return {
            "row": self.row,
            "frame": self.frame,
            "area_cells": self.area_cells,
            "false_positive": self.false_positive,
            "false_positive_probability": round(self.probability, 6),
            "start": round(self.start, 4),
            "reasons": [
                {
                    "metric": reason.metric,
                    "value": round(reason.value, 6),
                    "contribution": round(reason.contribution, 4),
                }
                for reason in self.reasons
            ],
            "others": round(self.others, 4),
        }


@dataclass(frozen=True, eq=False)
class Judged:
    """What classifiers said of rows that they had not seen.

    probability: (n,) P(false positive). contributions: (n, M), each metric's part in the log-odds
    of the very classifier that gave the probability.
    """

    probability: NDArray[np.float64]
    contributions: NDArray[np.float64]


def importance(model: MetaModel, metrics: NDArray[np.float64]) -> NDArray[np.float64]:
    """(M,) mean |contribution| of each metric over (n, M) components, in log-odds."""
    return np.abs(model.contributions(metrics)).mean(axis=0)


def judge_out_of_fold(
    family: MetaFamily,
    table: ComponentTable,
    folds: Sequence[Fold],
    seed: int = 0,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Judged:
    """Each row's probability and contributions by a classifier fitted without it.

    Raises OodError as ``MetaFamily.fit``.
    """
    probability = np.full(len(table), np.nan)
    contributions = np.full(table.metrics.shape, np.nan)
    for done, (train, test) in enumerate(folds):
        model = family.fit(table.metrics[train], table.false_positive[train], seed)
        probability[test] = model.false_positive_probability(table.metrics[test])
        contributions[test] = model.contributions(table.metrics[test])
        on_progress(done + 1, len(folds))
    return Judged(probability, contributions)


def most_mistaken(
    probability: NDArray[np.float64], false_positive: NDArray[np.bool_], count: int
) -> NDArray[np.intp]:
    """Rows (at most ``count``) by rising probability of what is true.

    The most confident mistakes come first, then what was in doubt; rows without a probability
    (NaN) never come.
    """
    of_truth = np.where(false_positive, probability, 1.0 - probability)
    order = np.argsort(of_truth, kind="stable")
    return order[: min(count, int(np.isfinite(of_truth).sum()))]


def explain(table: ComponentTable, judged: Judged, row: int, top: int = 5) -> Explanation:
    """The ``top`` reasons of one row's decision."""
    contributions = judged.contributions[row]
    probability = float(judged.probability[row])
    order = np.argsort(-np.abs(contributions), kind="stable")
    names = table.origin.metric_names
    reasons = tuple(
        MetricReason(names[i], float(table.metrics[row, i]), float(contributions[i]))
        for i in order[:top]
        if contributions[i] != 0
    )
    return Explanation(
        row=int(row),
        frame=str(table.frame[row]),
        area_cells=int(table.area_cells[row]),
        false_positive=bool(table.false_positive[row]),
        probability=probability,
        start=_log_odds(probability) - float(contributions.sum()),
        reasons=reasons,
        others=float(contributions.sum()) - sum(reason.contribution for reason in reasons),
    )


def _log_odds(probability: float) -> float:
    inside = min(max(probability, _LEAST_PROBABILITY), 1.0 - _LEAST_PROBABILITY)
    return float(np.log(inside) - np.log1p(-inside))
