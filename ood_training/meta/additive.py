"""An explainable boosting machine: a curve for each metric, and the log-odds are their sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.meta.contract import Fold
from ood_training.meta.one_by_one import fit_one_by_one
from ood_training.meta.onnx_graph import GraphBuilder, finish_classifier
from ood_training.meta.standardisation import check_both_kinds, check_metrics, sigmoid

ADDITIVE_KIND = "explainable_boosting"
_LEAST_OF_A_KIND = 2


@dataclass(frozen=True, eq=False)
class AdditiveModel:
    """Log-odds = base + the sum over metrics of a step function of that metric.

    cuts: of each metric its (b,) increasing float64 cuts. values: (b + 1,) float64 log-odds between
    them, where a value at a cut belongs above it; 0 on the mean of the training rows.
    base: log-odds where all curves are 0.
    """

    kind: str
    cuts: tuple[NDArray[np.float64], ...]
    values: tuple[NDArray[np.float64], ...]
    base: float

    def contributions(self, metrics: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, M): each metric's curve at its value, relative to the training rows' mean; exact."""
        columns = [
            values[np.searchsorted(cuts, metrics[:, metric], side="right")]
            for metric, (cuts, values) in enumerate(zip(self.cuts, self.values, strict=True))
        ]
        # a number that is none stays none: the vehicle keeps such a component
        return np.stack(columns, axis=1) + 0.0 * metrics

    def false_positive_probability(self, metrics: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) in [0, 1] for (n, M) metrics."""
        return sigmoid(self.contributions(metrics).sum(axis=1) + self.base)

    def to_onnx(self) -> bytes:
        """The graph of ``MetaModel.to_onnx``: a binary search in all metrics' cuts at once."""
        count, steps = len(self.cuts), max(1, max(len(c) for c in self.cuts).bit_length())
        width = 1 << steps
        cuts = np.full((count, width), np.inf)
        values = np.zeros((count, width))
        for metric, (own_cuts, own_values) in enumerate(zip(self.cuts, self.values, strict=True)):
            cuts[metric, : len(own_cuts)] = own_cuts
            values[metric, : len(own_values)] = own_values
        graph = GraphBuilder("meta_classifier", count)
        all_cuts, all_values = graph.constant(cuts.ravel()), graph.constant(values.ravel())
        # place of each metric's first bin in the flat tables; after the search of the value's bin
        place = graph.add(
            "Expand", graph.constant(np.arange(count) * width), graph.add("Shape", "metrics")
        )
        for step in (1 << power for power in reversed(range(steps))):
            probe = graph.add("Add", place, graph.constant(np.array(step - 1)))
            above = graph.add("GreaterOrEqual", "metrics", graph.add("Gather", all_cuts, probe))
            moved = graph.add("Mul", graph.add("Cast", above, to=7), graph.constant(np.array(step)))
            place = graph.add("Add", place, moved)
        value = graph.add("Gather", all_values, place)
        nothing = graph.add("Mul", "metrics", graph.constant(0.0))
        graph.add("Add", value, nothing, name="contributions")
        total = graph.add("ReduceSum", "contributions", graph.constant(np.array([1])), keepdims=0)
        log_odds = graph.add("Add", total, graph.constant(self.base))
        graph.add("Sigmoid", log_odds, name="false_positive_probability")
        return finish_classifier(graph, count)


def boosting_machine(metrics: int, seed: int) -> Any:
    """interpret's machine for so many metrics, not yet fitted, without interactions.

    Fewer bags and bins and a higher rate than the library's defaults: a fraction of their time, and
    validation fits it dozens of times.
    """
    from interpret.glassbox import ExplainableBoostingClassifier

    return ExplainableBoostingClassifier(
        interactions=0,
        outer_bags=4,
        max_bins=64,
        learning_rate=0.04,
        n_jobs=1,
        random_state=seed,
        feature_types=["continuous"] * metrics,
    )


@dataclass(frozen=True)
class AdditiveFamily:
    """interpret's ExplainableBoostingClassifier without interactions: curves alone, so that every
    decision is the sum of what each metric says by itself."""

    kind: str = ADDITIVE_KIND

    def fit(
        self, metrics: NDArray[np.float64], false_positive: NDArray[np.bool_], seed: int = 0
    ) -> AdditiveModel:
        """Fit on (n, M) metrics and (n,) labels; refusals as ``MetaFamily.fit``, and OodError for
        fewer than two rows of a kind, which the boosting cannot split from one another."""
        check_metrics(metrics, false_positive)
        check_both_kinds(false_positive)
        fewest = int(min(false_positive.sum(), (~false_positive).sum()))
        if fewest < _LEAST_OF_A_KIND:
            raise OodError(
                f"{self.kind} needs at least {_LEAST_OF_A_KIND} components of each kind, but there "
                f"is only {fewest} of one; give more images or use logistic_regression"
            )
        machine = boosting_machine(metrics.shape[1], seed).fit(metrics, false_positive)
        return _as_curves(machine, metrics, self.kind)

    def fit_folds(
        self,
        metrics: NDArray[np.float64],
        false_positive: NDArray[np.bool_],
        folds: Sequence[Fold],
        seed: int = 0,
        on_progress: Any = None,
    ) -> NDArray[np.float64]:
        """``MetaFamily.fit_folds``, one fold after another: seconds a fold."""
        return fit_one_by_one(self, metrics, false_positive, folds, seed, on_progress)


def _as_curves(machine: Any, metrics: NDArray[np.float64], kind: str) -> AdditiveModel:
    """The machine's terms as step functions with mean 0 over the (n, M) training rows."""
    cuts, values, base = [], [], float(machine.intercept_[0])
    for metric in range(metrics.shape[1]):
        own_cuts = np.asarray(machine.bins_[metric][0], np.float64)
        # the first bin is of missing values and the last of unknown ones: neither is served
        own_values = np.asarray(machine.term_scores_[metric], np.float64)[1:-1]
        if len(own_values) == 0:
            own_values = np.zeros(1)
        mean = float(own_values[np.searchsorted(own_cuts, metrics[:, metric], "right")].mean())
        base += mean
        cuts.append(own_cuts)
        values.append(own_values - mean)
    return AdditiveModel(kind, tuple(cuts), tuple(values), base)
