"""Does an exported graph compute what PyTorch computes?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ood_perception.bundle import NetworkSpec
from ood_perception.errors import OodError
from ood_perception.image_files import list_images, read_image
from ood_perception.letterbox import Letterbox
from ood_perception.manifest import ScoreName, ScoreSpec
from ood_perception.score_formula import finished_score, raw_score
from ood_training.evaluation import network_input
from ood_training.feature_distance import FeatureStatistics
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


@dataclass(frozen=True, eq=False)
class Expectation:
    """What a graph should compute: the network by PyTorch, the score by NumPy in float64.

    network: in evaluation mode; its input is prepared as training and evaluation do it.
    grid: (height, width) of labels and score.
    features: of the training set, for the score mahalanobis.
    """

    network: SegmentationNetwork
    grid: tuple[int, int]
    score: ScoreSpec
    features: FeatureStatistics | None = None

    def of(self, image: NDArray[np.uint8]) -> list[NDArray[Any]]:
        """Labels, score and logits, as the graph's ``OUTPUTS``, of (1, H, W, 3) uint8 BGR."""
        with torch.inference_mode():
            features = self.network.features(network_input(image[0], self.network))
            logits = self.network.classify(features)
            upsampled = self._grown(logits)
            raw = self._raw(upsampled, features)
            log_evidence = self.network.evidence.log_evidence(logits)
        score = finished_score(self.score, raw)[None]
        return [upsampled.argmax(dim=1).numpy(), score, log_evidence.numpy()]

    def _raw(self, upsampled: Tensor, features: Tensor) -> NDArray[np.floating]:
        if self.score.name != "mahalanobis":
            return raw_score(self.score, upsampled[0].double().numpy())
        assert self.features is not None
        distance = self.features.distances(features[0].double().flatten(1).T)
        return self._grown(distance.view(1, 1, *features.shape[-2:]))[0, 0].numpy()

    def _grown(self, planes: Tensor) -> Tensor:
        return functional.interpolate(planes, size=self.grid, mode="bilinear", align_corners=True)


def check_graph(
    graph: bytes,
    expectation: Expectation,
    images: Iterable[NDArray[np.uint8]],
) -> GraphDifference:
    """Run graph and network side by side.

    Args:
        graph: serialised ONNX with the outputs ``OUTPUTS``.
        expectation: what it should compute.
        images: at least one of (1, H, W, 3) uint8 BGR, of the graph's size.

    Raises OodError where the two differ by more than rounding.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    each = []
    for image in images:
        found = session.run(list(OUTPUTS), {"image": image})
        each.append(_difference(found, expectation.of(image), expectation.score.name))
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


def _difference(
    found: list[NDArray[Any]], expected: list[NDArray[Any]], score_name: ScoreName
) -> tuple[float, float, float]:
    labels, score, logits = (
        (one.astype(np.float64), other) for one, other in zip(found, expected, strict=True)
    )
    scale = max(1.0, float(np.abs(logits[1]).max()))
    agree = labels[0] == labels[1]
    if score_name == "standardized_max_logit":
        # it jumps with the best class, and rounding alone decides between two that are as good
        score = tuple(values[agree] for values in score)
    return (
        float(np.abs(logits[0] - logits[1]).max()) / scale,
        float(np.abs(score[0] - score[1]).max(initial=0.0)),
        float(np.mean(agree)),
    )
