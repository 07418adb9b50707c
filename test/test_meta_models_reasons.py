"""Reasons: integrated gradients that add up, and curves that are the boosting machine's own."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ood_perception.backends.onnxruntime import OnnxRuntimeBackend
from ood_perception.errors import OodError
from ood_training.meta.additive import AdditiveFamily, boosting_machine
from ood_training.meta.batched_training import TrainedNetwork
from ood_training.meta.network import log_odds
from ood_training.meta.network_onnx import classifier_to_onnx
from ood_training.meta.network_reasons import path_contributions
from ood_training.meta.standardisation import Standardisation


def network(widths: tuple[int, ...], seed: int) -> TrainedNetwork:
    rng = np.random.default_rng(seed)
    shapes = list(pairwise(widths))
    return TrainedNetwork(
        Standardisation(np.zeros(widths[0]), np.ones(widths[0])),
        tuple(rng.normal(0, 2 / a**0.5, (a, b)) for a, b in shapes),
        tuple(rng.normal(0, 0.5, b) for _, b in shapes),
    )


def gradient(model: TrainedNetwork, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, M) derivative of the log-odds, by backpropagation."""
    slopes, values = [], rows
    for weight, bias in zip(model.weights[:-1], model.biases[:-1], strict=True):
        values = values @ weight + bias
        slopes.append(values > 0)
        values = np.maximum(values, 0)
    result = np.broadcast_to(model.weights[-1][:, 0], values.shape)
    for weight, slope in zip(model.weights[-2::-1], slopes[::-1], strict=True):
        result = (result * slope) @ weight.T
    return result


@settings(deadline=None, max_examples=40)
@given(
    hidden=st.lists(st.integers(1, 12), max_size=4).map(tuple),
    seed=st.integers(0, 1000),
    size=st.sampled_from([0.0, 1e-6, 1.0, 1e4]),
)
def test_contributions_add_up_for_any_network(
    hidden: tuple[int, ...], seed: int, size: float
) -> None:
    model = network((5, *hidden, 1), seed)
    rows = np.random.default_rng(seed).normal(size=(20, 5)) * size
    parts = path_contributions(model, rows)
    change = log_odds(model, rows) - log_odds(model, np.zeros((1, 5)))
    np.testing.assert_allclose(parts.sum(axis=1), change, atol=1e-9 * (1 + size))


def test_contributions_are_integrated_gradients() -> None:
    model = network((8, 20, 20, 20, 1), 0)
    rows = np.random.default_rng(1).normal(size=(30, 8))
    points = (np.arange(4000) + 0.5) / 4000
    expected = rows * np.mean([gradient(model, rows * share) for share in points], axis=0)
    largest = np.abs(expected).max()
    errors = {
        segments: np.abs(path_contributions(model, rows, segments) - expected).max() / largest
        for segments in (4, 16, 64)
    }
    assert errors[16] < 0.01
    assert errors[64] < 0.002
    assert errors[4] > errors[16] > errors[64]


def test_a_unit_that_stands_still_gives_no_reason_and_no_nan_in_the_vehicle() -> None:
    model = network((5, 6, 6, 1), 0)
    for weight in model.weights[:2]:
        weight[:, 2] = 0.0
    rows = np.random.default_rng(0).normal(size=(20, 5))
    rows[0] = 0.0
    graph = OnnxRuntimeBackend(classifier_to_onnx(model), "meta_classifier.onnx")
    found = graph.run({"metrics": rows})["contributions"]
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, path_contributions(model, rows), atol=1e-6)


def table(count: int = 120) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    rng = np.random.default_rng(2)
    metrics = rng.normal(size=(count, 4))
    metrics[:, 1] = 2.0
    metrics[:, 2] = rng.integers(0, 3, count)  # few values, many ties with the cuts
    odds = np.sin(2 * metrics[:, 0]) * 3 + metrics[:, 2] - 1
    return metrics, rng.random(count) < 1 / (1 + np.exp(-odds))


def test_curves_are_the_boosting_machine_itself() -> None:
    metrics, false_positive = table()
    model = AdditiveFamily().fit(metrics, false_positive, seed=3)
    machine = boosting_machine(4, seed=3).fit(metrics, false_positive)
    # other rows, values exactly at cuts, and values beyond all that was seen
    rows = np.random.default_rng(4).normal(size=(100, 4)) * 3
    rows[:50, 0] = machine.bins_[0][0][:50]
    expected = machine.predict_proba(rows)[:, 1]
    np.testing.assert_allclose(model.false_positive_probability(rows), expected, atol=1e-12)
    # contributions are relative to the mean of the rows it was fitted on
    np.testing.assert_allclose(model.contributions(metrics).mean(axis=0), 0, atol=1e-12)
    assert [len(one) for one in model.values] == [len(one) + 1 for one in model.cuts]
    assert len(model.cuts[1]) == 0


def test_a_kind_of_one_component_is_refused_by_the_boosting() -> None:
    metrics, _ = table()
    single = np.arange(120) == 7
    with pytest.raises(OodError, match="at least 2 components of each kind, but there is only 1"):
        AdditiveFamily().fit(metrics, single)
    assert np.isfinite(AdditiveFamily().fit(metrics, single | (np.arange(120) == 8)).base)
