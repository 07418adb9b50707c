"""The graphs that engines are built from: TensorRT's types inside, the same answers outside."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from color_bundle import area_meta_classifier, color_image, color_network
from onnx import TensorProto, helper, numpy_helper

from ood_perception.backends.engine_graph import engine_graph
from ood_perception.backends.onnxruntime import OnnxRuntimeBackend
from ood_perception.errors import BackendError

F, D = TensorProto.FLOAT, TensorProto.DOUBLE


def model(nodes, inputs, outputs, constants) -> bytes:
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    return bytes(made.SerializeToString())


def convolutions(weight: float = 0.5) -> bytes:
    """image (1,h,w,3) uint8 -> logits after two convolutions, their labels and softmax."""
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Transpose", ["image"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["planes"], ["float"], to=F),
        helper.make_node("Mul", ["float", "gain"], ["scaled"]),
        helper.make_node("Conv", ["scaled", "first"], ["hidden"]),
        helper.make_node("Clip", ["hidden", "zero", "six"], ["clipped"]),
        helper.make_node("Resize", ["clipped", "", "scales"], ["larger"], mode="linear"),
        helper.make_node("Conv", ["larger", "second"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["score"], axis=1),
        helper.make_node("ArgMax", ["logits"], ["index"], axis=1, keepdims=0),
        helper.make_node("Cast", ["index"], ["labels"], to=TensorProto.UINT8),
    ]
    constants = {
        "gain": np.array(1 / 255, np.float32),
        "first": rng.normal(0, weight, (8, 3, 1, 1)).astype(np.float32),
        "second": rng.normal(0, 0.5, (4, 8, 1, 1)).astype(np.float32),
        "zero": np.array(0, np.float32),
        "six": np.array(6, np.float32),
        "scales": np.array([1, 1, 2, 2], np.float32),
    }
    outputs = [
        ("labels", TensorProto.UINT8, [1, 16, 24]),
        ("score", F, [1, 4, 16, 24]),
        ("logits", F, [1, 4, 16, 24]),
    ]
    return model(nodes, [("image", TensorProto.UINT8, [1, 8, 12, 3])], outputs, constants)


def types_by_name(data: bytes) -> dict[str, int]:
    inferred = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(data))
    graph = inferred.graph
    values = (*graph.input, *graph.output, *graph.value_info)
    return {value.name: value.type.tensor_type.elem_type for value in values}


def run(data: bytes, **tensors: np.ndarray) -> dict[str, np.ndarray]:
    return OnnxRuntimeBackend(data, "test").run(tensors)


def specs(data: bytes) -> list:
    backend = OnnxRuntimeBackend(data, "test")
    return [*backend.inputs, *backend.outputs]


@pytest.mark.parametrize("graph", [color_network(), convolutions()], ids=["color", "convolutions"])
def test_uint8_stays_at_the_edges_and_nothing_changes(graph):
    adapted = engine_graph(graph, "network.onnx", "fp32")
    assert specs(adapted) == specs(graph)
    loaded = onnx.load_model_from_string(adapted)
    small = {name for name, kind in types_by_name(adapted).items() if kind == TensorProto.UINT8}
    assert small == {"image", "labels"}
    readers = [node.op_type for node in loaded.graph.node if "image" in node.input]
    makers = [node for node in loaded.graph.node if "labels" in node.output]
    assert readers == ["Cast"]
    # TensorRT makes uint8 from floating point alone
    assert [node.op_type for node in makers] == ["Cast"]
    assert types_by_name(adapted)[makers[0].input[0]] == F
    shape = OnnxRuntimeBackend(graph, "test").inputs[0].shape
    image = color_image(*shape[1:3])[None]
    before, after = run(graph, image=image), run(adapted, image=image)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_float64_becomes_float32_everywhere():
    nodes = [
        helper.make_node("Sub", ["metrics", "mean"], ["centred"]),
        helper.make_node("Cast", ["centred"], ["same"], to=D),
        helper.make_node("Mul", ["same", "weight"], ["contributions"]),
    ]
    constants = {"mean": np.array([1.0, 2.0]), "weight": np.array([0.1, -3.0])}
    graph = model(nodes, [("metrics", D, ["n", 2])], [("contributions", D, ["n", 2])], constants)
    adapted = engine_graph(graph, "meta_classifier.onnx", "fp32")
    assert {spec.dtype for spec in specs(adapted)} == {np.dtype(np.float32)}
    assert specs(adapted)[0].shape == (-1, 2)
    rows = np.random.default_rng(0).normal(size=(5, 2))
    exact = run(graph, metrics=rows)["contributions"]
    near = run(adapted, metrics=rows.astype(np.float32))["contributions"]
    assert np.allclose(exact, near, rtol=1e-6, atol=1e-6)


def test_an_epsilon_below_float32_still_keeps_a_division_from_nothing_by_nothing():
    nodes = [
        helper.make_node("Add", ["x", "epsilon"], ["sum"]),
        helper.make_node("Div", ["x", "sum"], ["y"]),
    ]
    graph = model(nodes, [("x", D, ["n"])], [("y", D, ["n"])], {"epsilon": np.array(1e-300)})
    adapted = engine_graph(graph, "division.onnx", "fp32")
    assert run(adapted, x=np.array([0, 3], np.float32))["y"].tolist() == [0.0, 1.0]


def test_half_precision_lies_between_the_first_and_the_last_layer():
    graph = convolutions()
    adapted = engine_graph(graph, "network.onnx", "fp16")
    assert specs(adapted) == specs(graph)
    kinds = types_by_name(adapted)
    half = {name for name, kind in kinds.items() if kind == TensorProto.FLOAT16}
    assert {"hidden_half", "clipped_half", "larger_half", "logits_half"} <= half
    loaded = onnx.load_model_from_string(adapted)
    weights = {tensor.name: tensor.data_type for tensor in loaded.graph.initializer}
    assert weights["first_half"] == weights["second_half"] == TensorProto.FLOAT16
    assert "first" not in weights, "a weight lies in the file twice"
    assert weights["scales"] == F, "ONNX wants the scales of a Resize in float32"
    softmax = next(node for node in loaded.graph.node if node.op_type == "Softmax")
    assert kinds[softmax.input[0]] == F
    image = np.random.default_rng(1).integers(0, 256, (1, 8, 12, 3), np.uint8)
    before, after = run(graph, image=image), run(adapted, image=image)
    difference = np.abs(before["logits"] - after["logits"]).max()
    assert 0 < difference < 0.02
    assert np.mean(before["labels"] == after["labels"]) > 0.95


def test_weights_that_half_precision_cannot_hold_are_refused():
    with pytest.raises(BackendError, match=r"weight first.*--precision fp32"):
        engine_graph(convolutions(weight=1e6), "network.onnx", "fp16")


def test_a_graph_without_layers_has_no_half_precision():
    with pytest.raises(BackendError, match="no convolution"):
        engine_graph(area_meta_classifier(3), "meta_classifier.onnx", "fp16")


@pytest.mark.parametrize("data", [b"", b"no graph", color_network()[:-40]])
def test_what_is_no_graph_is_refused_in_one_line(data):
    with pytest.raises(BackendError, match=r"network\.onnx") as caught:
        engine_graph(data, "network.onnx", "fp32")
    assert len(str(caught.value).splitlines()) == 1


def test_an_unknown_precision_is_refused():
    with pytest.raises(BackendError, match="choose one of fp32, fp16"):
        engine_graph(color_network(), "network.onnx", "int3")
