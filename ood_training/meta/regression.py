"""MetaSeg's other half: how well a component overlaps a real object, predicted from its metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.meta.batched_training import TrainedNetwork, TrainingSettings, train_networks
from ood_training.meta.contract import Fold
from ood_training.meta.network import hidden_widths, log_odds
from ood_training.meta.network_onnx import iou_to_onnx
from ood_training.meta.onnx_graph import GraphBuilder
from ood_training.meta.standardisation import (
    Standardisation,
    check_metrics,
    fit_standardisation,
    sigmoid,
)

REGRESSION_KINDS = ("ridge", "network")


class IouModel(Protocol):
    """A fitted regression with its own standardisation inside."""

    def predicted_iou(self, metrics: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) in [0, 1] for (n, M) metrics."""
        ...

    def to_onnx(self) -> bytes:
        """The graph: ``metrics`` (n, M) float64 in, ``iou`` (n,) float64 out, as
        ``predicted_iou`` to 1e-5."""
        ...


class IouFamily(Protocol):
    """How regressions of one kind are fitted."""

    @property
    def kind(self) -> str:
        """Its name, as ``create_regression`` takes it."""
        ...

    def fit(
        self, metrics: NDArray[np.float64], iou: NDArray[np.float64], seed: int = 0
    ) -> IouModel:
        """Fit on (n, M) finite metrics and (n,) overlaps in [0, 1].

        Raises OodError with one line for other values and for fewer rows than the family needs. A
        constant metric has no effect.
        """
        ...

    def fit_folds(
        self,
        metrics: NDArray[np.float64],
        iou: NDArray[np.float64],
        folds: Sequence[Fold],
        seed: int = 0,
        on_progress: Any = None,
    ) -> NDArray[np.float64]:
        """Fit once a fold, scaler included; (n,) predictions, NaN for rows that no fold tests."""
        ...


@dataclass(frozen=True, eq=False)
class RidgeModel:
    """Linear in the standardised metrics, cut off at 0 and 1. coefficients: (M,) float64."""

    standardisation: Standardisation
    coefficients: NDArray[np.float64]
    intercept: float

    def predicted_iou(self, metrics: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) in [0, 1] for (n, M) metrics."""
        linear = self.standardisation(metrics) @ self.coefficients + self.intercept
        return np.clip(linear, 0.0, 1.0)

    def to_onnx(self) -> bytes:
        """The graph of ``IouModel.to_onnx``."""
        graph = GraphBuilder("meta_regression", len(self.coefficients))
        centred = graph.add("Sub", "metrics", graph.constant(self.standardisation.mean))
        weight = graph.constant(self.coefficients * self.standardisation.inverse_scale)
        linear = graph.add("MatMul", centred, weight)
        linear = graph.add("Add", linear, graph.constant(self.intercept))
        graph.add("Clip", linear, graph.constant(0.0), graph.constant(1.0), name="iou")
        return graph.finish({"iou": ["n"]})


@dataclass(frozen=True)
class RidgeFamily:
    """Least squares with an L2 penalty of 1 on standardised metrics."""

    kind: str = "ridge"

    def fit(
        self, metrics: NDArray[np.float64], iou: NDArray[np.float64], seed: int = 0
    ) -> RidgeModel:
        """As ``IouFamily.fit``; the seed has no part in it."""
        from sklearn.linear_model import Ridge

        _check_iou(metrics, iou)
        scaler = fit_standardisation(metrics)
        model = Ridge(alpha=1.0).fit(scaler(metrics), iou)
        return RidgeModel(scaler, np.asarray(model.coef_), float(model.intercept_))

    def fit_folds(
        self,
        metrics: NDArray[np.float64],
        iou: NDArray[np.float64],
        folds: Sequence[Fold],
        seed: int = 0,
        on_progress: Any = None,
    ) -> NDArray[np.float64]:
        """As ``IouFamily.fit_folds``, one fold after another."""
        result = np.full(len(metrics), np.nan)
        for number, (fitted, tested) in enumerate(folds):
            model = self.fit(metrics[fitted], iou[fitted], seed)
            result[tested] = model.predicted_iou(metrics[tested])
            if on_progress:
                on_progress(number + 1, len(folds))
        return result


@dataclass(frozen=True, eq=False)
class NetworkIouModel:
    """A network whose sigmoid is the overlap."""

    network: TrainedNetwork

    def predicted_iou(self, metrics: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) in [0, 1] for (n, M) metrics."""
        return sigmoid(log_odds(self.network, self.network.standardisation(metrics)))

    def to_onnx(self) -> bytes:
        """The graph of ``IouModel.to_onnx``."""
        return iou_to_onnx(self.network)


@dataclass(frozen=True)
class NetworkIouFamily:
    """The classifier's network and training with the overlap in the place of the label.

    Cross-entropy of a share is smallest at its expectation, as the squared error is, and does not
    go flat where the sigmoid saturates: most overlaps are 0.
    """

    hidden: tuple[int, ...]
    kind: str = "network"
    settings: TrainingSettings = field(default_factory=TrainingSettings)

    def fit(
        self, metrics: NDArray[np.float64], iou: NDArray[np.float64], seed: int = 0
    ) -> NetworkIouModel:
        """As ``IouFamily.fit``."""
        _check_iou(metrics, iou)
        rows = [np.arange(len(metrics))]
        trained = train_networks(metrics, iou, rows, self.hidden, seed, self.settings)
        return NetworkIouModel(next(iter(trained))[1])

    def fit_folds(
        self,
        metrics: NDArray[np.float64],
        iou: NDArray[np.float64],
        folds: Sequence[Fold],
        seed: int = 0,
        on_progress: Any = None,
    ) -> NDArray[np.float64]:
        """As ``IouFamily.fit_folds``, all folds as one batched program."""
        _check_iou(metrics, iou)
        result = np.full(len(metrics), np.nan)
        rows = [fitted for fitted, _ in folds]
        for number, network in train_networks(
            metrics, iou, rows, self.hidden, seed, self.settings, on_progress
        ):
            tested = folds[number][1]
            result[tested] = NetworkIouModel(network).predicted_iou(metrics[tested])
        return result


def create_regression(kind: str) -> IouFamily:
    """``ridge``, or ``network`` with any hidden widths as for the classifier. Raises OodError."""
    hidden = hidden_widths(kind)
    if hidden is not None:
        return NetworkIouFamily(hidden, kind)
    if kind == "ridge":
        return RidgeFamily()
    raise OodError(
        f"unknown kind of regression {kind!r}: choose one of {', '.join(REGRESSION_KINDS)}"
    )


def r_squared(iou: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    """Share of the variance of (n,) overlaps that (n,) predictions explain, 1 at best.

    Rows whose prediction is NaN (no fold tested them) are left out. Raises OodError where fewer
    than two rows are left or all overlaps are equal: there is no variance to explain.
    """
    from sklearn.metrics import r2_score

    tested = ~np.isnan(predicted)
    if tested.sum() < 2 or np.ptp(iou[tested]) == 0:
        raise OodError(
            f"R^2 needs at least two different overlaps, but the {tested.sum()} tested components "
            "have none; give more images"
        )
    return float(r2_score(iou[tested], predicted[tested]))


def _check_iou(metrics: NDArray[np.float64], iou: NDArray[np.float64]) -> None:
    check_metrics(metrics, iou)
    if len(iou) == 0:
        raise OodError("the regression needs components, but there are none; give more images")
    outside = np.flatnonzero(~((iou >= 0) & (iou <= 1)))
    if len(outside):
        raise OodError(
            f"the overlap of component {outside[0]} is {iou[outside[0]]}, not in [0, 1]: build the "
            "table of components again"
        )
