"""The thesis's network as a meta classifier, and its whole family of depths and widths."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.meta.batched_training import TrainedNetwork, TrainingSettings, train_networks
from ood_training.meta.contract import Fold
from ood_training.meta.network_onnx import classifier_to_onnx
from ood_training.meta.network_reasons import path_contributions
from ood_training.meta.standardisation import check_both_kinds, check_folds, check_metrics, sigmoid

THESIS_HIDDEN = (75, 75, 75)
_SHAPE = re.compile(r"network:(none|[1-9]\d*(?:-[1-9]\d*)*)")


def hidden_widths(kind: str) -> tuple[int, ...] | None:
    """Widths of the hidden layers that a kind names, None where it names no network.

    ``network`` is the thesis's 75-75-75; ``network:40-80-135`` any other of Tables 4.4 to 4.6,
    ``network:none`` the single neuron of Table 4.4.
    """
    if kind == "network":
        return THESIS_HIDDEN
    match = _SHAPE.fullmatch(kind)
    if match is None:
        return None
    return () if match[1] == "none" else tuple(int(width) for width in match[1].split("-"))


def parameter_count(metric_count: int, hidden: tuple[int, ...]) -> int:
    """Learned numbers of a network: 17,176 for 75 metrics and the thesis's layers."""
    widths = (metric_count, *hidden, 1)
    return sum((a + 1) * b for a, b in pairwise(widths))


def log_odds(network: TrainedNetwork, standardised: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) output of the network for (n, M) standardised metrics, float64."""
    values = standardised
    last = len(network.weights) - 1
    for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        values = values @ weight + bias
        if layer < last:
            values = np.maximum(values, 0.0)
    return values[:, 0]


@dataclass(frozen=True, eq=False)
class NetworkModel:
    """A trained network as ``MetaModel``."""

    kind: str
    network: TrainedNetwork

    def false_positive_probability(self, metrics: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) in [0, 1] for (n, M) metrics."""
        return sigmoid(log_odds(self.network, self.network.standardisation(metrics)))

    def contributions(self, metrics: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, M): integrated gradients of the log-odds from the mean of the training rows.

        A row sums to its log-odds less those of the mean; see ``path_contributions``.
        """
        return path_contributions(self.network, self.network.standardisation(metrics))

    def to_onnx(self) -> bytes:
        """The graph of ``MetaModel.to_onnx``, the reasons computed inside it."""
        return classifier_to_onnx(self.network)


@dataclass(frozen=True)
class NetworkFamily:
    """N-hidden-1 with ReLU, trained as in specification 8.2 (``TrainingSettings``).

    The published code drops the incomplete last batch and so takes no step at all on fewer rows
    than a batch: it would hand out random weights as a classifier. Here that is refused.
    """

    kind: str = "network"
    settings: TrainingSettings = field(default_factory=TrainingSettings)

    @property
    def hidden(self) -> tuple[int, ...]:
        """Widths of the hidden layers. Raises OodError for a kind that names no network."""
        widths = hidden_widths(self.kind)
        if widths is None:
            raise OodError(
                f"{self.kind!r} names no network: write network, network:none or "
                "network:WIDTH-WIDTH-..., for instance network:75-75-75"
            )
        return widths

    def fit(
        self, metrics: NDArray[np.float64], false_positive: NDArray[np.bool_], seed: int = 0
    ) -> NetworkModel:
        """Train one network on (n, M) metrics and (n,) labels; refusals as ``MetaFamily.fit``."""
        check_metrics(metrics, false_positive)
        check_both_kinds(false_positive)
        rows = [np.arange(len(metrics))]
        targets = false_positive.astype(np.float64)
        trained = train_networks(metrics, targets, rows, self.hidden, seed, self.settings)
        return NetworkModel(self.kind, next(iter(trained))[1])

    def fit_folds(
        self,
        metrics: NDArray[np.float64],
        false_positive: NDArray[np.bool_],
        folds: Sequence[Fold],
        seed: int = 0,
        on_progress: Any = None,
    ) -> NDArray[np.float64]:
        """All folds as one batched program; each gives what ``fit`` on its rows gives.

        Returns (n,) P(false positive), NaN for rows that no fold tests. Progress is in steps.
        """
        check_folds(metrics, false_positive, folds)
        result = np.full(len(metrics), np.nan)
        trained = train_networks(
            metrics,
            false_positive.astype(np.float64),
            [fitted for fitted, _ in folds],
            self.hidden,
            seed,
            self.settings,
            on_progress,
        )
        for number, network in trained:
            tested = folds[number][1]
            model = NetworkModel(self.kind, network)
            result[tested] = model.false_positive_probability(metrics[tested])
        return result
