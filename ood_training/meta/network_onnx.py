"""A trained network as an ONNX graph: what it says, and in the same graph why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from ood_training.meta.batched_training import TrainedNetwork
from ood_training.meta.network_reasons import NO_CHANGE, SEGMENTS, path_shares
from ood_training.meta.onnx_graph import GraphBuilder, finish_classifier


def classifier_to_onnx(network: TrainedNetwork) -> bytes:
    """The graph of ``MetaModel.to_onnx``; its contributions are ``path_contributions``."""
    count = len(network.standardisation.mean)
    graph = GraphBuilder("meta_classifier", count)
    standardised = _standardised(graph, network)
    graph.add("Sigmoid", _log_odds(graph, network, standardised), name="false_positive_probability")
    _contributions(graph, network, standardised)
    return finish_classifier(graph, count)


def iou_to_onnx(network: TrainedNetwork) -> bytes:
    """The graph of ``IouModel.to_onnx``."""
    graph = GraphBuilder("meta_regression", len(network.standardisation.mean))
    graph.add("Sigmoid", _log_odds(graph, network, _standardised(graph, network)), name="iou")
    return graph.finish({"iou": ["n"]})


def _standardised(graph: GraphBuilder, network: TrainedNetwork) -> str:
    scaler = network.standardisation
    centred = graph.add("Sub", "metrics", graph.constant(scaler.mean))
    return graph.add("Mul", centred, graph.constant(scaler.inverse_scale))


def _log_odds(graph: GraphBuilder, network: TrainedNetwork, values: str) -> str:
    """(n,) log-odds of (n, M) standardised metrics."""
    last = len(network.weights) - 1
    for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        product = graph.add("MatMul", values, graph.constant(weight))
        values = graph.add("Add", product, graph.constant(bias))
        if layer < last:
            values = graph.add("Relu", values)
    return graph.add("Squeeze", values, graph.constant(np.array([1])))


def _contributions(graph: GraphBuilder, network: TrainedNetwork, standardised: str) -> None:
    """The steps of ``network_reasons._contributions`` one by one, in float32.

    It is twice as fast, and a segment's share is an approximation long before the seventh digit.
    """
    weights, biases = _single(network.weights), _single(network.biases)
    if len(weights) == 1:
        exact = graph.constant(network.weights[0][:, 0])
        graph.add("Mul", standardised, exact, name="contributions")
        return
    standardised = graph.add("Cast", standardised, to=TensorProto.FLOAT)
    first = graph.add("MatMul", standardised, graph.constant(weights[0]))
    before = graph.add("Mul", first, graph.constant(path_shares(SEGMENTS).astype(np.float32)))
    before = graph.add("Add", before, graph.constant(biases[0]))
    derivatives = []
    for weight, bias in zip(weights[1:], biases[1:], strict=True):
        after = graph.add("Relu", before)
        derivatives.append(_mean_derivative(graph, before, after))
        product = graph.add("MatMul", after, graph.constant(weight))
        before = graph.add("Add", product, graph.constant(bias))
    gradient = graph.add("Mul", graph.constant(weights[-1][:, 0]), derivatives[-1])
    for weight, derivative in zip(weights[-2:0:-1], derivatives[-2::-1], strict=True):
        product = graph.add("MatMul", gradient, graph.constant(np.ascontiguousarray(weight.T)))
        gradient = graph.add("Mul", product, derivative)
    mean = graph.add("ReduceMean", gradient, axes=[0], keepdims=0)
    mean = graph.add("MatMul", mean, graph.constant(np.ascontiguousarray(weights[0].T)))
    parts = graph.add("Mul", mean, standardised)
    graph.add("Cast", parts, to=TensorProto.DOUBLE, name="contributions")


def _single(values: Sequence[NDArray[np.float64]]) -> list[NDArray[np.float32]]:
    return [one.astype(np.float32) for one in values]


def _mean_derivative(graph: GraphBuilder, before: str, after: str) -> str:
    divisor = graph.add(
        "Add", _change(graph, before), graph.constant(np.array(NO_CHANGE, np.float32))
    )
    return graph.add("Div", _change(graph, after), divisor)


def _change(graph: GraphBuilder, values: str) -> str:
    """(K, n, H): what (K + 1, n, H) values change by on each segment."""
    axis, segments = graph.constant(np.array([0])), graph.constant(np.array([SEGMENTS]))
    first, second = graph.constant(np.array([0])), graph.constant(np.array([1]))
    end = graph.constant(np.array([SEGMENTS + 1]))
    starts = graph.add("Slice", values, first, segments, axis)
    return graph.add("Sub", graph.add("Slice", values, second, end, axis), starts)
