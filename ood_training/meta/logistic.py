"""Logistic regression on component metrics: the paper's meta classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_training.meta.contract import Fold
from ood_training.meta.one_by_one import fit_one_by_one
from ood_training.meta.onnx_graph import GraphBuilder, finish_classifier
from ood_training.meta.standardisation import (
    Standardisation,
    check_both_kinds,
    check_metrics,
    fit_standardisation,
    sigmoid,
)

LOGISTIC_KIND = "logistic_regression"


@dataclass(frozen=True, eq=False)
class LogisticModel:
    """P(false positive) of a component from its M metrics.

    coefficients: (M,) float64 for standardised metrics. intercept: log-odds of false positive at
    the mean of the training rows.
    """

    kind: str
    standardisation: Standardisation
    coefficients: NDArray[np.float64]
    intercept: float

    def contributions(self, metrics: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, M): each metric's part in the log-odds of false positive, relative to the training
        rows' mean; exact."""
        return self.standardisation(metrics) * self.coefficients

    def false_positive_probability(self, metrics: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) in [0, 1] for (n, M) metrics."""
        return sigmoid(self.contributions(metrics).sum(axis=1) + self.intercept)

    def to_onnx(self) -> bytes:
        """The graph of ``MetaModel.to_onnx``."""
        count = len(self.coefficients)
        graph = GraphBuilder("meta_classifier", count)
        centred = graph.add("Sub", "metrics", graph.constant(self.standardisation.mean))
        weight = graph.constant(self.coefficients * self.standardisation.inverse_scale)
        graph.add("Mul", centred, weight, name="contributions")
        total = graph.add("ReduceSum", "contributions", graph.constant(np.array([1])), keepdims=0)
        log_odds = graph.add("Add", total, graph.constant(self.intercept))
        graph.add("Sigmoid", log_odds, name="false_positive_probability")
        return finish_classifier(graph, count)


@dataclass(frozen=True)
class LogisticFamily:
    """L2 with C = 1 by liblinear on standardised metrics, no class weights (specification, 8.2).

    liblinear regularises the intercept as well, as published.
    """

    kind: str = LOGISTIC_KIND

    def fit(
        self, metrics: NDArray[np.float64], false_positive: NDArray[np.bool_], seed: int = 0
    ) -> LogisticModel:
        """Fit on (n, M) metrics and (n,) labels; refusals as ``MetaFamily.fit``."""
        from sklearn.linear_model import LogisticRegression

        check_metrics(metrics, false_positive)
        check_both_kinds(false_positive)
        scaler = fit_standardisation(metrics)
        model = LogisticRegression(solver="liblinear", C=1.0, max_iter=1000, random_state=seed)
        model.fit(scaler(metrics), false_positive)
        return LogisticModel(self.kind, scaler, model.coef_[0], float(model.intercept_[0]))

    def fit_folds(
        self,
        metrics: NDArray[np.float64],
        false_positive: NDArray[np.bool_],
        folds: Sequence[Fold],
        seed: int = 0,
        on_progress: Any = None,
    ) -> NDArray[np.float64]:
        """``MetaFamily.fit_folds``, one fold after another: some hundredths of a second each."""
        return fit_one_by_one(self, metrics, false_positive, folds, seed, on_progress)
