"""A bundle whose network is a formula: blue, green and red are classes, grey is unknown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ood_perception.bags import Intrinsics
from ood_perception.bundle import (
    Bundle,
    ClassSpec,
    Manifest,
    MetaClassifierSpec,
    NetworkSpec,
    Provenance,
    ScoreSpec,
    write_bundle,
)
from ood_perception.camera import Mounting
from ood_perception.components import metric_names

CLASSES = ("road", "tree", "car")
BLUE, GREEN, RED, GREY = (250, 5, 5), (5, 250, 5), (5, 5, 250), (128, 128, 128)


START_NS = 1_700_000_000_000_000_000
LENS = Intrinsics(100.0, 100.0, 63.5, 15.5)
MOUNTING = Mounting.from_angles(height_m=1.5, pitch_rad=0.3)
"""A camera for these images that sees their lower half on the road."""


def color_network(
    height: int = 64, width: int = 128, stride: int = 4, cell: int = 2, batch: int | str = 1
) -> bytes:
    """ONNX graph: image (batch,h,w,3) uint8 -> labels, score on the grid; logits at the stride."""
    grid = (height // cell, width // cell)
    small = (height // stride, width // stride)
    constants = {
        "scales": np.array([1, 1, stride / cell, stride / cell], np.float32),
        "gain": np.array(10 / 255, np.float32),
        "minus_one_over_log_classes": np.array(-1 / np.log(3), np.float32),
        "zero": np.array(0, np.float32),
        "one": np.array(1, np.float32),
        "channel_axis": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node(
            "AveragePool", ["planes"], ["pooled"], kernel_shape=[stride] * 2, strides=[stride] * 2
        ),
        helper.make_node("Mul", ["pooled", "gain"], ["logits"]),
        helper.make_node(
            "Resize",
            ["logits", "", "scales"],
            ["upsampled"],
            mode="linear",
            coordinate_transformation_mode="align_corners",
        ),
        helper.make_node("LogSoftmax", ["upsampled"], ["log_p"], axis=1),
        helper.make_node("Exp", ["log_p"], ["p"]),
        helper.make_node("Mul", ["p", "log_p"], ["p_log_p"]),
        helper.make_node("ReduceSum", ["p_log_p", "channel_axis"], ["sum"], keepdims=0),
        helper.make_node("Mul", ["sum", "minus_one_over_log_classes"], ["entropy"]),
        helper.make_node("Clip", ["entropy", "zero", "one"], ["score"]),
        helper.make_node("ArgMax", ["upsampled"], ["index"], axis=1, keepdims=0),
        helper.make_node("Cast", ["index"], ["labels"], to=TensorProto.UINT8),
    ]
    graph = helper.make_graph(
        nodes,
        "color",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [batch, height, width, 3])],
        [
            helper.make_tensor_value_info("labels", TensorProto.UINT8, [batch, *grid]),
            helper.make_tensor_value_info("score", TensorProto.FLOAT, [batch, *grid]),
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, 3, *small]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return _serialize(graph)


def area_meta_classifier(smallest_cells: float) -> bytes:
    """ONNX graph: a component of fewer cells than `smallest_cells` is a false positive."""
    names = metric_names(len(CLASSES))
    weights = np.zeros(len(names), np.float32)
    weights[names.index("S")] = -1.0
    constants = {"weights": weights, "bias": np.array(smallest_cells - 0.5, np.float32)}
    constants["last_axis"] = np.array([1], np.int64)
    nodes = [
        helper.make_node("Mul", ["metrics", "weights"], ["contributions"]),
        helper.make_node("ReduceSum", ["contributions", "last_axis"], ["sum"], keepdims=0),
        helper.make_node("Add", ["sum", "bias"], ["log_odds"]),
        helper.make_node("Sigmoid", ["log_odds"], ["false_positive_probability"]),
    ]
    count = len(names)
    graph = helper.make_graph(
        nodes,
        "area",
        [helper.make_tensor_value_info("metrics", TensorProto.FLOAT, ["n", count])],
        [
            helper.make_tensor_value_info("false_positive_probability", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("contributions", TensorProto.FLOAT, ["n", count]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return _serialize(graph)


def color_manifest(with_meta: bool = True) -> Manifest:
    """The manifest that fits the graphs above."""
    meta = MetaClassifierSpec(
        file="meta_classifier.onnx", kind="area", metric_names=metric_names(len(CLASSES))
    )
    colors = ((128, 64, 128), (0, 128, 0), (0, 0, 200))
    return Manifest(
        schema_version=1,
        name="color",
        classes=tuple(ClassSpec(name=n, color=c) for n, c in zip(CLASSES, colors, strict=True)),
        road_classes=(0,),
        network=NetworkSpec.of_sizes((64, 128), (32, 64)),
        score=ScoreSpec(threshold=0.7),
        meta_classifier=meta if with_meta else None,
        provenance=Provenance(trained_on="nothing: a formula", terms="Apache-2.0"),
    )


def write_color_bundle(
    folder: Path, smallest_cells: float = 20, with_meta: bool = True, batch: int | str = 1
) -> Bundle:
    """Write the bundle and load it."""
    meta = area_meta_classifier(smallest_cells) if with_meta else None
    return write_bundle(folder, color_manifest(with_meta), color_network(batch=batch), meta)


def color_image(height: int = 64, width: int = 128) -> np.ndarray:
    """Blue everywhere, with a grey block in the lower middle and a grey speck at the left."""
    image = np.empty((height, width, 3), np.uint8)
    image[:] = BLUE
    rows = slice(round(height * 0.5), round(height * 0.75))
    image[rows, round(width * 0.5) : round(width * 0.75)] = GREY
    image[rows.start : rows.start + height // 8, width // 8 : width // 8 + width // 16] = GREY
    return image


def _serialize(graph: onnx.GraphProto) -> bytes:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())
