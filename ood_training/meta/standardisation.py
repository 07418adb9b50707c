"""Metrics with mean 0 and deviation 1, and what every fit refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import NothingToLearnError, OodError
from ood_training.meta.contract import Fold

_STD_FLOOR = 1e-10
# a column that is constant but for rounding would be blown up by its own noise
_CONSTANT = 1e-12


@dataclass(frozen=True, eq=False)
class Standardisation:
    """x' = (x - mean) * inverse_scale (specification, section 8.1).

    mean: (M,) float64. inverse_scale: (M,) float64, 0 for a constant metric: it has no effect,
    whatever it is later.
    """

    mean: NDArray[np.float64]
    inverse_scale: NDArray[np.float64]

    def __call__(self, metrics: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, M) float64 standardised metrics."""
        return (metrics - self.mean) * self.inverse_scale


def fit_standardisation(metrics: NDArray[np.float64]) -> Standardisation:
    """Mean and population deviation of (n, M) metrics, n at least 1."""
    mean, deviation = metrics.mean(axis=0), metrics.std(axis=0)
    constant = deviation <= _CONSTANT * np.maximum(1.0, np.abs(mean))
    return Standardisation(
        mean, np.where(constant, 0.0, 1.0 / (np.where(constant, 1.0, deviation) + _STD_FLOOR))
    )


def check_metrics(metrics: NDArray[np.float64], values: NDArray[Any]) -> None:
    """Raises OodError unless metrics are (n, M) finite numbers and there are n values for them."""
    if metrics.ndim != 2 or len(metrics) != len(values):
        raise OodError(
            f"metrics of shape {metrics.shape} do not belong to {len(values)} components: give a "
            "row a component"
        )
    bad = np.argwhere(~np.isfinite(metrics))
    if len(bad):
        row, column = bad[0]
        raise OodError(
            f"metric {column} of component {row} is {metrics[row, column]}, no finite number "
            f"({len(bad)} such values): build the table of components again"
        )


def check_both_kinds(false_positive: NDArray[np.bool_]) -> None:
    """Raises OodError when (n,) labels are of one class only, or none."""
    if false_positive.all() or not false_positive.any():
        kind = "false positives" if false_positive.size and false_positive[0] else "hits"
        raise NothingToLearnError(
            f"the meta classifier needs components of both kinds, but all {false_positive.size} "
            f"are {kind}; change the threshold or give more images"
        )


def check_folds(
    metrics: NDArray[np.float64], false_positive: NDArray[np.bool_], folds: Sequence[Fold]
) -> None:
    """Raises OodError for bad metrics, and naming the fold whose rows are of one class only."""
    check_metrics(metrics, false_positive)
    for number, (fitted, _) in enumerate(folds):
        try:
            check_both_kinds(false_positive[fitted])
        except OodError as error:
            raise OodError(f"fold {number + 1} of {len(folds)}: {error}") from error


def sigmoid(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability in [0, 1] of log-odds of any size."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * log_odds)))
