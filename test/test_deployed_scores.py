"""Every score of a bundle: the exported graph computes what NumPy computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from method_bundles import GRID, SIZE, score_spec, some_statistics, untrained_network
from pydantic import ValidationError

from ood_perception.manifest import UnitRangeSpec
from ood_perception.score_formula import finished_score, raw_score
from ood_training.evidence import Evidence
from ood_training.export import network_to_onnx
from ood_training.export_check import Expectation
from ood_training.feature_distance import FeatureStatistics
from ood_training.models import SegmentationNetwork
from ood_training.pytorch_backend import PyTorchBackend
from ood_training.score_request import SCORE_NAMES


def _image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (1, *SIZE, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "smoothing_cells"),
    [*((name, 0.0) for name in SCORE_NAMES), ("entropy", 1.2), ("energy", 0.6)],
)
def test_the_graph_computes_the_score_of_the_manifest(name: str, smoothing_cells: float) -> None:
    network, spec = untrained_network(), score_spec(name, smoothing_cells=smoothing_cells)
    if name == "kernel_distance":
        network.evidence = Evidence("kernels")
        with torch.no_grad():  # kernels are at most one
            network.classifier.bias -= 10  # type: ignore[union-attr, operator]
    features = some_statistics(network) if name == "mahalanobis" else None
    graph = network_to_onnx(network, SIZE, GRID, spec, features)
    session = onnxruntime.InferenceSession(graph)
    score, logits = session.run(["score", "logits"], {"image": _image()})
    expected = Expectation(network, GRID, spec, features).of(_image())
    np.testing.assert_allclose(score, expected[1], atol=2e-5)
    np.testing.assert_allclose(logits, expected[2], atol=1e-4)
    assert 0 <= score.min() < score.max() <= 1
    if name != "mahalanobis":
        upsampled = torch.nn.functional.interpolate(
            torch.from_numpy(logits), size=GRID, mode="bilinear", align_corners=True
        )
        alone = finished_score(spec, raw_score(spec, upsampled[0].double().numpy()))
        np.testing.assert_allclose(score[0], alone, atol=2e-5)
    other = PyTorchBackend(graph, "graph").run({"image": _image()})["score"]
    np.testing.assert_allclose(score, other, atol=1e-4)


def test_the_softmax_of_one_vs_rest_logits_is_the_normalised_sigmoids() -> None:
    """What stands for class probabilities in the metrics of components."""
    network = untrained_network()
    network.evidence = Evidence("sigmoids", 2.0)
    session = onnxruntime.InferenceSession(
        network_to_onnx(network, SIZE, GRID, score_spec("max_logit"))
    )
    logits = session.run(["logits"], {"image": _image()})[0].astype(np.float64)
    with torch.inference_mode():
        own = network.small_logits(_network_input(network)).double().numpy()
    sigmoids = 1 / (1 + np.exp(-2.0 * own))
    found = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(found, sigmoids / sigmoids.sum(1, keepdims=True), atol=1e-5)


def test_one_vs_rest_logits_are_exact_however_sure_the_network_is() -> None:
    """Of the classes that are not there a real network is surer than a rounded sigmoid can say."""
    network = untrained_network()
    network.evidence = Evidence("sigmoids", 1.0)
    with torch.no_grad():
        network.classifier.bias.copy_(torch.linspace(-200, 60, len(network.classifier.bias)))  # type: ignore[union-attr, operator, arg-type]
    session = onnxruntime.InferenceSession(
        network_to_onnx(network, SIZE, GRID, score_spec("max_logit"))
    )
    logits = session.run(["logits"], {"image": _image()})[0].astype(np.float64)
    with torch.inference_mode():
        own = network.small_logits(_network_input(network)).double().numpy()
    np.testing.assert_allclose(logits, -np.logaddexp(0, -own), rtol=1e-5, atol=1e-4)


def _network_input(network: SegmentationNetwork) -> torch.Tensor:
    from ood_training.evaluation import network_input

    return network_input(_image()[0], network)


def test_the_distance_to_a_class_follows_its_definition() -> None:
    """Two classes around (0, 0) and (4, 0), spread four times as wide along the second axis."""
    spread = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]], dtype=torch.float64)
    points = torch.cat([spread, spread + torch.tensor([4.0, 0.0])])
    found = FeatureStatistics.fit(points, torch.tensor([0] * 4 + [3] * 4))
    # the shared covariance is diag(0.5, 2), with a thousandth of their mean 1.25 added to each
    asked = torch.tensor([[-1.5, 0.0], [4.0, 2.0], [0.0, 0.0]], dtype=torch.float64)
    expected = torch.tensor([1.5**2 / 0.50125, 2**2 / 2.00125, 0.0], dtype=torch.float64)
    assert torch.allclose(found.distances(asked), expected, atol=1e-4)
    module = found.as_module()
    planes = asked.float().T.reshape(1, 2, 1, 3)
    assert torch.allclose(module(planes).flatten().double(), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "energy", "unit_range": None}, "has no bounds: it needs a unit_range"),
        ({"name": "entropy", "unit_range": UnitRangeSpec(center=0, scale=1)}, "takes no unit"),
        ({"name": "standardized_max_logit", "logit_statistics": None}, "logit_statistics belong"),
        ({"name": "max_logits"}, "Input should be"),
        ({"name": "entropy", "unit_range": None, "smoothing_cells": -1.0}, "greater than or equal"),
    ],
)
def test_an_incomplete_score_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        score_spec(**{"name": "", **changes})
