"""How well a network does on labelled frames: known classes and anomaly score, while it trains."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ood_perception.errors import OodError
from ood_training.deployed_score import RawScore
from ood_training.losses import IGNORE_LABEL, OOD_LABEL
from ood_training.metrics.pixel import PixelMetrics, ScoreHistogram
from ood_training.metrics.segmentation import class_ious, confusion_matrix
from ood_training.models.network import SegmentationNetwork


@dataclass(frozen=True)
class NetworkFigures:
    """What was measured.

    ious: (C,) intersection over union; NaN for a class that occurs nowhere.
    anomaly: metrics of the default score of the network's evidence (the normalised entropy of a
        softmax), pooled over all frames; None where no frame shows an unknown object.
    """

    ious: NDArray[np.float64]
    anomaly: PixelMetrics | None

    @property
    def mean_iou(self) -> float | None:
        """Mean over the classes that occur; None when there is none."""
        occurring = self.ious[~np.isnan(self.ious)]
        return float(occurring.mean()) if occurring.size else None


def letterbox(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Fit a picture into (height, width) at its own aspect ratio; sides become multiples of 16."""
    factor = min(size[0] / image.shape[0], size[1] / image.shape[1])
    height, width = (max(16, round(side * factor / 16) * 16) for side in image.shape[:2])
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=interpolation), np.uint8)


def network_input(image: NDArray[np.uint8], network: SegmentationNetwork) -> Tensor:
    """(H, W, 3) uint8 BGR to a normalised (1, 3, H, W) float32 tensor."""
    rgb = torch.from_numpy(np.ascontiguousarray(image[..., ::-1])).permute(2, 0, 1)[None]
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (network.mean, network.std))
    return (rgb.float() / 255.0 - mean) / std


def evaluate_network(
    network: SegmentationNetwork,
    frames: Iterable[tuple[NDArray[np.uint8], NDArray[np.uint8]]],
    size: tuple[int, int],
) -> NetworkFigures:
    """Measure a network on frames; its mode is restored.

    Args:
        frames: image (H, W, 3) uint8 BGR and labels (H, W) uint8: class ids, 254 or 255.
        size: (height, width) that images are fitted into; outputs are brought back to the frames'.

    Raises OodError when the network gives scores that are no numbers.
    """
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    confusion = np.zeros((network.num_classes,) * 2, np.int64)
    histogram = ScoreHistogram()
    known_pixels = unknown_pixels = 0
    try:
        for image, labels in frames:
            predicted, score = _labels_and_score(network, letterbox(image, size))
            shape = labels.shape[::-1]
            predicted = np.asarray(
                cv2.resize(predicted, shape, interpolation=cv2.INTER_NEAREST), np.uint8
            )
            score = np.asarray(cv2.resize(score, shape, interpolation=cv2.INTER_LINEAR), np.float32)
            known = np.asarray(labels < network.num_classes)
            confusion += confusion_matrix(predicted[known], labels[known], network.num_classes)
            counted = labels != IGNORE_LABEL
            unknown = labels[counted] == OOD_LABEL
            histogram.add(score[counted], unknown)
            unknown_pixels += int(unknown.sum())
            known_pixels += int((~unknown).sum())
    finally:
        for module, training in modes:
            module.training = training
    anomaly = histogram.metrics() if known_pixels and unknown_pixels else None
    return NetworkFigures(class_ious(confusion), anomaly)


def _labels_and_score(
    network: SegmentationNetwork, image: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Classes and the score of the network's evidence, higher = stranger, of every pixel."""
    device = next(network.parameters()).device
    with torch.inference_mode():
        tensor = network_input(image, network).to(device, memory_format=torch.channels_last)
        logits = network(tensor)[0].float()
        score = RawScore.of_evidence(network.evidence.kind)(logits[None], logits[None])[0]
        if not bool(torch.isfinite(score).all()):
            raise OodError("the network gives scores that are no numbers: lower the learning rates")
        return logits.argmax(dim=0).to(torch.uint8).cpu().numpy(), score.cpu().numpy()
