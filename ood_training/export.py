"""From a trained network to a bundle: one ONNX graph that does all work on pixels."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

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
from ood_training.deployed_score import DeployedScore
from ood_training.evidence import Evidence, EvidenceKind
from ood_training.export_check import (
    OUTPUTS,
    Expectation,
    GraphDifference,
    check_graph,
    real_images,
    synthetic_image,
)
from ood_training.feature_distance import FeatureStatistics
from ood_training.models import SegmentationNetwork, create_model
from ood_training.models.kernel_head import KernelSettings

_OPSET = 17
ENTROPY = ScoreSpec(name="entropy", threshold=0.7)


@dataclass(frozen=True)
class ExportSettings:
    """What a bundle is made for.

    input_size, grid_size: (height, width); the grid is half the input when None.
    score: which anomaly score, and from which value on it is anomalous (``score_calibration``).
    features: of the training set, for the score mahalanobis.
    road_classes: names of the classes that a vehicle drives on.
    """

    name: str
    trained_on: str
    terms: str
    input_size: tuple[int, int] = (576, 1024)
    grid_size: tuple[int, int] | None = None
    score: ScoreSpec = ENTROPY
    features: FeatureStatistics | None = None
    road_classes: tuple[str, ...] = ("road",)
    recipe: str = ""

    @property
    def grid(self) -> tuple[int, int]:
        """(height, width) of the metrics grid."""
        return self.grid_size or (self.input_size[0] // 2, self.input_size[1] // 2)


class DeployedNetwork(nn.Module):
    """A network with colour order, normalisation, labels and anomaly score inside.

    forward: image (N, H, W, 3) uint8 BGR -> labels (N, gh, gw) uint8, score (N, gh, gw) float32
    in [0, 1], logits (N, C, h', w') float32 at the decoder's stride, whose softmax is the class
    probabilities of whatever kind of ``Evidence``. Labels and score come from the network's own
    logits, brought to the grid bilinearly with aligned corners.

    score: which one; mahalanobis needs ``features`` beside it.
    """

    def __init__(
        self,
        network: SegmentationNetwork,
        grid: tuple[int, int],
        score: ScoreSpec = ENTROPY,
        features: FeatureStatistics | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.grid = grid
        self.score = DeployedScore(score, grid, features)
        self.gain: Tensor
        self.offset: Tensor
        self.rgb_from_bgr: Tensor
        mean = torch.tensor(network.mean).view(1, 3, 1, 1)
        std = torch.tensor(network.std).view(1, 3, 1, 1)
        self.register_buffer("gain", 1.0 / (255.0 * std))
        self.register_buffer("offset", -mean / std)
        self.register_buffer("rgb_from_bgr", torch.tensor([2, 1, 0]))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        upsampled, features, logits = self.grid_logits(image)
        score = self.score(upsampled, features)
        labels = upsampled.argmax(dim=1).to(torch.uint8)
        return labels, score, self.network.evidence.log_evidence(logits)

    def grid_logits(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits on the grid, features and logits at the decoder's stride, of uint8 BGR images."""
        planes = image.permute(0, 3, 1, 2).float().index_select(1, self.rgb_from_bgr)
        features = self.network.features(planes * self.gain + self.offset)
        logits = self.network.classify(features)
        upsampled = functional.interpolate(
            logits, size=self.grid, mode="bilinear", align_corners=True
        )
        return upsampled, features, logits


def load_trained_network(path: Path) -> tuple[SegmentationNetwork, tuple[str, ...]]:
    """The network of a checkpoint, in evaluation mode, and its class names; OodError if none."""
    tensors, progress = read_checkpoint(path)
    network = create_model(
        progress.model,
        len(progress.classes),
        decoder_channels=progress.decoder_channels,
        output_stride=progress.output_stride,
        kernels=KernelSettings(**progress.kernels) if progress.kernels else None,
    )
    load_network_state(network, tensors, path)
    network.evidence = Evidence(**progress.evidence)
    return network.eval(), progress.classes


def network_to_onnx(
    network: SegmentationNetwork,
    input_size: tuple[int, int],
    grid: tuple[int, int],
    score: ScoreSpec = ENTROPY,
    features: FeatureStatistics | None = None,
) -> bytes:
    """The graph of ``DeployedNetwork`` for a fixed input size and any batch, in evaluation mode.

    Args:
        network: of any kind; it is left in evaluation mode, with contiguous weights.
        input_size, grid: (height, width); the input's sides are multiples of 16.
        score, features: as ``DeployedNetwork`` takes them.

    Raises OodError when ONNX Runtime computes something else than PyTorch on a synthetic image.
    """
    if input_size[0] % 16 or input_size[1] % 16 or min(input_size) < 16:
        raise OodError(f"input size {input_size[0]}x{input_size[1]}: sides must be multiples of 16")
    network = network.to(memory_format=torch.contiguous_format).eval()
    image = synthetic_image(input_size)
    graph = _trace(DeployedNetwork(network, grid, score, features).eval(), torch.from_numpy(image))
    check_graph(graph, Expectation(network, grid, score, features), [image])
    return graph


def export_bundle(
    checkpoint: Path,
    folder: Path,
    settings: ExportSettings,
    *,
    check_images: Path | None = None,
) -> tuple[Bundle, GraphDifference]:
    """Write the bundle of a checkpoint, without a meta classifier.

    Args:
        checkpoint: of ``ood train``.
        folder: of the bundle.
        settings: what it is made for.
        check_images: a folder of pictures on which the graph is compared with PyTorch before
            anything is written; one synthetic picture when None.

    Returns the bundle and how far its graph is from PyTorch. Raises OodError for a file that is no
    checkpoint, an unknown road class, a folder without a readable picture, or a graph that does
    not compute what PyTorch computes.
    """
    network, classes = load_trained_network(checkpoint)
    manifest = _manifest(classes, settings, network.evidence.kind)
    images: Iterable[NDArray[np.uint8]] = [synthetic_image(settings.input_size)]
    if check_images is not None:
        images = real_images(check_images, manifest.network)
    score, features = settings.score, settings.features
    graph = network_to_onnx(network, settings.input_size, settings.grid, score, features)
    expectation = Expectation(network, settings.grid, score, features)
    difference = check_graph(graph, expectation, images)
    return write_bundle(folder, manifest, graph), difference


def _manifest(
    classes: tuple[str, ...], settings: ExportSettings, probabilities: EvidenceKind
) -> Manifest:
    missing = [name for name in settings.road_classes if name not in classes]
    if missing:
        raise OodError(f"no class {missing[0]!r} to drive on: the classes are {', '.join(classes)}")
    return Manifest(
        schema_version=SCHEMA_VERSION,
        name=settings.name,
        classes=tuple(
            ClassSpec(name=name, color=class_color(name, index))
            for index, name in enumerate(classes)
        ),
        road_classes=tuple(classes.index(name) for name in settings.road_classes),
        network=NetworkSpec.of_sizes(settings.input_size, settings.grid),
        score=settings.score,
        probabilities=probabilities,
        provenance=Provenance(
            trained_on=settings.trained_on,
            terms=settings.terms,
            created=date.today().isoformat(),
            recipe=settings.recipe,
        ),
    )


def _trace(deployed: DeployedNetwork, image: Tensor) -> bytes:
    """The ONNX graph of a deployed network for any number of images of this one's size."""
    buffer = io.BytesIO()
    with torch.inference_mode(), warnings.catch_warnings():
        # the exporter by tracing is announced to go, but its graphs are the smaller and plainer
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        torch.onnx.export(
            deployed,
            (image,),
            buffer,  # type: ignore[arg-type]
            input_names=["image"],
            output_names=list(OUTPUTS),
            opset_version=_OPSET,
            dynamic_axes={name: {0: "batch"} for name in ("image", *OUTPUTS)},
            dynamo=False,
        )
        shapes = [tuple(output.shape) for output in deployed(image)]
    return _name_output_shapes(buffer.getvalue(), shapes)


def _name_output_shapes(graph: bytes, shapes: list[tuple[int, ...]]) -> bytes:
    """Write the fixed output sizes into the graph, where the exporter left them open."""
    import onnx

    model = onnx.load_model_from_string(graph)
    for output, shape in zip(model.graph.output, shapes, strict=True):
        dims = output.type.tensor_type.shape.dim
        # the first is the batch and stays open
        for dim, size in zip(dims[1:], shape[1:], strict=True):
            dim.dim_value = size
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())
