"""Mean intersection over union of the known classes."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ood_training.augmentation import PADDING_VALUE
from ood_training.datasets.frames import FrameDataset
from ood_training.models.network import SegmentationNetwork


def letterbox(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Fit a picture into (height, width) at its own aspect ratio; sides become multiples of 16."""
    factor = min(size[0] / image.shape[0], size[1] / image.shape[1])
    height, width = (max(16, round(side * factor / 16) * 16) for side in image.shape[:2])
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=interpolation), np.uint8)


def network_input(image: NDArray[np.uint8], network: SegmentationNetwork) -> torch.Tensor:
    """(H, W, 3) uint8 BGR to a normalised (1, 3, H, W) float32 tensor."""
    rgb = torch.from_numpy(np.ascontiguousarray(image[..., ::-1])).permute(2, 0, 1)[None]
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (network.mean, network.std))
    return (rgb.float() / 255.0 - mean) / std


def confusion_matrix(
    predicted: NDArray[np.uint8], labels: NDArray[np.uint8], num_classes: int
) -> NDArray[np.int64]:
    """(C, C) counts, rows true and columns predicted; labels of C and above are left out."""
    valid = labels < num_classes
    pairs = labels[valid].astype(np.int64) * num_classes + predicted[valid]
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def class_ious(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intersection over union of each class; NaN for a class that occurs nowhere."""
    hits = np.diag(confusion).astype(np.float64)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - hits
    return np.divide(hits, union, out=np.full_like(hits, np.nan), where=union > 0)


def measure_ious(
    network: SegmentationNetwork, dataset: FrameDataset, size: tuple[int, int]
) -> NDArray[np.float64]:
    """Per-class IoU over a data set, frames fitted into ``size``; the network's mode is kept."""
    training = network.training
    network.eval()
    confusion = np.zeros((network.num_classes,) * 2, np.int64)
    with torch.inference_mode():
        for index in range(len(dataset)):
            image, labels = dataset.load(index)
            tensor = network_input(letterbox(image, size), network)
            logits = network(tensor.contiguous(memory_format=torch.channels_last))
            predicted = logits.argmax(dim=1)[0].numpy().astype(np.uint8)
            predicted = cv2.resize(
                predicted, (labels.shape[1], labels.shape[0]), interpolation=cv2.INTER_NEAREST
            )
            confusion += confusion_matrix(
                np.asarray(predicted, np.uint8), labels, network.num_classes
            )
    network.train(training)
    return class_ious(confusion)


__all__ = [
    "PADDING_VALUE",
    "class_ious",
    "confusion_matrix",
    "letterbox",
    "measure_ious",
    "network_input",
]
