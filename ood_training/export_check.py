"""Does an exported graph compute what PyTorch computes?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ood_perception.bundle import NetworkSpec
from ood_perception.errors import OodError
from ood_perception.image_files import list_images, read_image
from ood_perception.letterbox import Letterbox
from ood_training.evaluation import network_input
from ood_training.models import SegmentationNetwork

OUTPUTS = ("labels", "score", "logits")
# ONNX Runtime and PyTorch add up in another order; more than this means another function.
_LOGIT_TOLERANCE, _SCORE_TOLERANCE, _LABEL_TOLERANCE = 2e-3, 1e-3, 1e-3


@dataclass(frozen=True)
class GraphDifference:
    """The largest differences over some images.

    images: how many were compared.
    logits: largest absolute difference, as a share of the image's largest logit (at least 1).
    score: largest absolute difference of the anomaly score, which lies in [0, 1].
    label_agreement: share of the grid's cells with the same label, the worst image's.
    """

    images: int
    logits: float
    score: float
    label_agreement: float


def check_graph(
    graph: bytes,
    network: SegmentationNetwork,
    grid: tuple[int, int],
    images: Iterable[NDArray[np.uint8]],
) -> GraphDifference:
    """Run graph and network side by side.

    Args:
        graph: serialised ONNX with the outputs ``OUTPUTS``.
        network: in evaluation mode; its input is prepared as training and evaluation do it.
        grid: (height, width) of labels and score.
        images: at least one of (1, H, W, 3) uint8 BGR, of the graph's size.

    Raises OodError where the two differ by more than rounding.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    each = []
    for image in images:
        found = session.run(list(OUTPUTS), {"image": image})
        each.append(_difference(found, _expected(network, grid, image)))
    if not each:
        raise OodError("no image to check the exported graph on")
    logits, score, agreement = (np.array(column) for column in zip(*each, strict=True))
    # a NaN stays the largest, and is then refused
    worst = GraphDifference(
        len(each), float(logits.max()), float(score.max()), float(agreement.min())
    )
    if not (
        worst.logits <= _LOGIT_TOLERANCE
        and worst.score <= _SCORE_TOLERANCE
        and worst.label_agreement >= 1 - _LABEL_TOLERANCE
    ):
        raise OodError(
            f"the exported graph differs from the network: logits by {worst.logits:.1e}, score by "
            f"{worst.score:.1e}, labels at {1 - worst.label_agreement:.2%} of the cells "
            f"({worst.images} images)"
        )
    return worst


def real_images(folder: Path, spec: NetworkSpec) -> Iterator[NDArray[np.uint8]]:
    """The pictures of a folder, sorted, as a vehicle gives them to the network.

    Yields (1, H, W, 3) uint8 BGR. Raises ImageError, before the first one, when the folder holds
    none, and at one that cannot be read.
    """
    paths = list_images([folder])
    return (_fitted(read_image(path), spec) for path in paths)


def synthetic_image(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Smooth colours with noise, (1, *size, 3) uint8: something on which all classes may occur."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(0, 255, (1, 3, 9, 16)).astype(np.float32))
    smooth = functional.interpolate(coarse, size=size, mode="bilinear")[0].permute(1, 2, 0).numpy()
    noisy = smooth + rng.normal(0, 12, smooth.shape)
    return np.asarray(np.clip(noisy, 0, 255).astype(np.uint8)[None])


def _fitted(image: NDArray[np.uint8], spec: NetworkSpec) -> NDArray[np.uint8]:
    return Letterbox.fit(spec, *image.shape[:2]).apply(image)


def _expected(
    network: SegmentationNetwork, grid: tuple[int, int], image: NDArray[np.uint8]
) -> list[NDArray[Any]]:
    """Labels, score (softmax entropy over ln C, in float64) and logits, by PyTorch alone."""
    with torch.inference_mode():
        logits = network.small_logits(network_input(image[0], network))
        upsampled = functional.interpolate(logits, size=grid, mode="bilinear", align_corners=True)
        log_probabilities = upsampled.double().log_softmax(dim=1)
        entropy = -(log_probabilities.exp() * log_probabilities).sum(dim=1)
    score = entropy / math.log(network.num_classes)
    return [upsampled.argmax(dim=1).numpy(), score.numpy(), logits.numpy()]


def _difference(
    found: list[NDArray[Any]], expected: list[NDArray[Any]]
) -> tuple[float, float, float]:
    labels, score, logits = (
        (one.astype(np.float64), other) for one, other in zip(found, expected, strict=True)
    )
    scale = max(1.0, float(np.abs(logits[1]).max()))
    return (
        float(np.abs(logits[0] - logits[1]).max()) / scale,
        float(np.abs(score[0] - score[1]).max()),
        float(np.mean(labels[0] == labels[1])),
    )
