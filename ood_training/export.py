"""From a trained network to a bundle: one ONNX graph that does all work on pixels."""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ood_perception.bundle import (
    SCHEMA_VERSION,
    Bundle,
    ClassSpec,
    Manifest,
    NetworkSpec,
    Provenance,
    ScoreSpec,
    write_bundle,
)
from ood_perception.errors import OodError
from ood_training.checkpoint import load_network_state, read_checkpoint
from ood_training.class_colors import class_color
from ood_training.models import SegmentationNetwork, create_model

_OPSET = 17
_OUTPUTS = ("labels", "score", "logits")
# ONNX Runtime and PyTorch add up in another order; more than this means another function.
_LOGIT_TOLERANCE, _SCORE_TOLERANCE = 2e-3, 1e-3


@dataclass(frozen=True)
class ExportSettings:
    """What a bundle is made for.

    input_size, grid_size: (height, width); the grid is half the input when None.
    threshold: anomalous is a score of at least this.
    road_classes: names of the classes that a vehicle drives on.
    """

    name: str
    trained_on: str
    terms: str
    input_size: tuple[int, int] = (576, 1024)
    grid_size: tuple[int, int] | None = None
    threshold: float = 0.7
    road_classes: tuple[str, ...] = ("road",)
    recipe: str = ""

    @property
    def grid(self) -> tuple[int, int]:
        """(height, width) of the metrics grid."""
        return self.grid_size or (self.input_size[0] // 2, self.input_size[1] // 2)


class DeployedNetwork(nn.Module):
    """A network with colour order, normalisation, labels and anomaly score inside.

    forward: image (1, H, W, 3) uint8 BGR -> labels (1, gh, gw) uint8, score (1, gh, gw) float32
    in [0, 1] (softmax entropy over ln C, section 6 of the method's specification), logits
    (1, C, h', w') float32 at the decoder's stride. Labels and score come from the logits brought
    to the grid bilinearly with aligned corners.
    """

    def __init__(self, network: SegmentationNetwork, grid: tuple[int, int]) -> None:
        super().__init__()
        self.network = network
        self.grid = grid
        self.gain: Tensor
        self.offset: Tensor
        self.rgb_from_bgr: Tensor
        mean = torch.tensor(network.mean).view(1, 3, 1, 1)
        std = torch.tensor(network.std).view(1, 3, 1, 1)
        self.register_buffer("gain", 1.0 / (255.0 * std))
        self.register_buffer("offset", -mean / std)
        self.register_buffer("rgb_from_bgr", torch.tensor([2, 1, 0]))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        planes = image.permute(0, 3, 1, 2).float().index_select(1, self.rgb_from_bgr)
        logits = self.network.small_logits(planes * self.gain + self.offset)
        upsampled = functional.interpolate(
            logits, size=self.grid, mode="bilinear", align_corners=True
        )
        log_probabilities = torch.log_softmax(upsampled, dim=1)
        entropy = -(log_probabilities.exp() * log_probabilities).sum(dim=1)
        # rounding lifts a uniform softmax slightly above 1
        score = (entropy / math.log(self.network.num_classes)).clamp(0.0, 1.0)
        return upsampled.argmax(dim=1).to(torch.uint8), score, logits


def load_trained_network(path: Path) -> tuple[SegmentationNetwork, tuple[str, ...]]:
    """The network of a checkpoint, in evaluation mode, and its class names; OodError if none."""
    tensors, progress = read_checkpoint(path)
    network = create_model(
        progress.model, len(progress.classes), decoder_channels=progress.decoder_channels
    )
    load_network_state(network, tensors, path)
    return network.eval(), progress.classes


def network_to_onnx(
    network: SegmentationNetwork, input_size: tuple[int, int], grid: tuple[int, int]
) -> bytes:
    """The graph of ``DeployedNetwork`` for a fixed input size, checked against PyTorch.

    Raises OodError when ONNX Runtime computes something else than PyTorch.
    """
    if input_size[0] % 16 or input_size[1] % 16:
        raise OodError(f"input size {input_size[0]}x{input_size[1]}: sides must be multiples of 16")
    deployed = DeployedNetwork(network.to(memory_format=torch.contiguous_format), grid).eval()
    example = torch.from_numpy(_example_image(input_size))
    buffer = io.BytesIO()
    with torch.inference_mode(), warnings.catch_warnings():
        # the exporter by tracing is announced to go, but its graphs are the smaller and plainer
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            deployed,
            (example,),
            buffer,  # type: ignore[arg-type]
            input_names=["image"],
            output_names=list(_OUTPUTS),
            opset_version=_OPSET,
            dynamo=False,
        )
        expected = [output.numpy() for output in deployed(example)]
    graph = _name_output_shapes(buffer.getvalue(), expected)
    _check_graph(graph, example.numpy(), expected)
    return graph


def export_bundle(checkpoint: Path, folder: Path, settings: ExportSettings) -> Bundle:
    """Write the bundle of a checkpoint, without a meta classifier.

    Raises OodError for a file that is no checkpoint, an unknown road class, or a graph that does
    not compute what PyTorch computes.
    """
    network, classes = load_trained_network(checkpoint)
    missing = [name for name in settings.road_classes if name not in classes]
    if missing:
        raise OodError(f"no class {missing[0]!r} to drive on: the classes are {', '.join(classes)}")
    graph = network_to_onnx(network, settings.input_size, settings.grid)
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        name=settings.name,
        classes=tuple(
            ClassSpec(name=name, color=class_color(name, index))
            for index, name in enumerate(classes)
        ),
        road_classes=tuple(classes.index(name) for name in settings.road_classes),
        network=NetworkSpec(
            file="network.onnx",
            input_height=settings.input_size[0],
            input_width=settings.input_size[1],
            grid_height=settings.grid[0],
            grid_width=settings.grid[1],
        ),
        score=ScoreSpec(name="entropy", threshold=settings.threshold),
        provenance=Provenance(
            trained_on=settings.trained_on,
            terms=settings.terms,
            created=date.today().isoformat(),
            recipe=settings.recipe,
        ),
    )
    return write_bundle(folder, manifest, graph)


def _example_image(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Smooth colours with noise: something on which all classes may occur."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(0, 255, (1, 3, 9, 16)).astype(np.float32))
    smooth = functional.interpolate(coarse, size=size, mode="bilinear")[0].permute(1, 2, 0).numpy()
    noisy = smooth + rng.normal(0, 12, smooth.shape)
    return np.asarray(np.clip(noisy, 0, 255).astype(np.uint8)[None])


def _name_output_shapes(graph: bytes, expected: list[NDArray[Any]]) -> bytes:
    """Write the fixed output shapes into the graph, where the exporter left them open."""
    import onnx

    model = onnx.load_model_from_string(graph)
    for output, array in zip(model.graph.output, expected, strict=True):
        dims = output.type.tensor_type.shape.dim
        for dim, size in zip(dims, array.shape, strict=True):
            dim.dim_value = size
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _check_graph(graph: bytes, image: NDArray[np.uint8], expected: list[NDArray[Any]]) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    labels, score, logits = session.run(list(_OUTPUTS), {"image": image})
    scale = max(1.0, float(np.abs(expected[2]).max()))
    logit_error = float(np.abs(logits - expected[2]).max()) / scale
    score_error = float(np.abs(score - expected[1]).max())
    other_labels = float(np.mean(labels != expected[0]))
    if logit_error > _LOGIT_TOLERANCE or score_error > _SCORE_TOLERANCE or other_labels > 1e-3:
        raise OodError(
            f"the exported graph differs from the network: logits by {logit_error:.1e}, score by "
            f"{score_error:.1e}, labels at {other_labels:.2%} of the cells"
        )
