"""Random changes of a training image: window and scale, mirror image, light, blur.

Images are (H, W, 3) uint8 BGR, labels (H, W) uint8; every function takes its own generator.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_training.losses import IGNORE_LABEL

Image = NDArray[np.uint8]
PADDING_VALUE = 127


@dataclass(frozen=True)
class Crop:
    """A window of a frame.

    image: (size, size, 3) uint8 BGR.
    labels: (size, size) uint8; 255 where the window leaves the frame.
    horizon: the frame's horizon row in the window's coordinates (may lie outside).
    """

    image: Image
    labels: Image
    horizon: float


def random_crop(
    image: Image,
    labels: Image,
    size: int,
    scale: tuple[float, float],
    rng: np.random.Generator,
    horizon: float = 0.0,
) -> Crop:
    """A square window of ``size`` pixels out of the frame resized by a factor within ``scale``."""
    factor = float(np.exp(rng.uniform(np.log(scale[0]), np.log(scale[1]))))
    window = max(1, round(size / factor))
    height, width = labels.shape
    top = _offset(height, window, rng)
    left = _offset(width, window, rng)
    rows = slice(max(top, 0), min(top + window, height))
    columns = slice(max(left, 0), min(left + window, width))
    border = (
        rows.start - top,
        top + window - rows.stop,
        columns.start - left,
        left + window - columns.stop,
    )
    part, part_labels = image[rows, columns], labels[rows, columns]
    if any(border):
        grey = (PADDING_VALUE,) * 3
        part = np.asarray(
            cv2.copyMakeBorder(part, *border, cv2.BORDER_CONSTANT, value=grey), np.uint8
        )
        part_labels = np.asarray(
            cv2.copyMakeBorder(part_labels, *border, cv2.BORDER_CONSTANT, value=(IGNORE_LABEL,)),
            np.uint8,
        )
    interpolation = cv2.INTER_AREA if window > size else cv2.INTER_LINEAR
    return Crop(
        np.asarray(cv2.resize(part, (size, size), interpolation=interpolation), np.uint8),
        np.asarray(
            cv2.resize(part_labels, (size, size), interpolation=cv2.INTER_NEAREST), np.uint8
        ),
        (horizon - top) * size / window,
    )


def published_crop(
    image: Image, labels: Image, size: int, rng: np.random.Generator, horizon: float = 0.0
) -> Crop:
    """The published code's window (spec section 2.3).

    An image of exactly ``size`` x ``size`` stays as it is; one with a side below ``size`` is
    resized whole to it, whatever its aspect ratio (bilinear, labels nearest); any other gives a
    window of its own scale, uniform over all places.
    """
    height, width = labels.shape
    if (height, width) == (size, size):
        return Crop(image, labels, horizon)
    if min(height, width) < size:
        small = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
        small_labels = cv2.resize(labels, (size, size), interpolation=cv2.INTER_NEAREST)
        return Crop(
            np.asarray(small, np.uint8),
            np.asarray(small_labels, np.uint8),
            horizon * size / height,
        )
    top, left = _offset(height, size, rng), _offset(width, size, rng)
    window = slice(top, top + size), slice(left, left + size)
    return Crop(image[window], labels[window], horizon - top)


def _offset(length: int, window: int, rng: np.random.Generator) -> int:
    """Where a window starts: inside when it fits, else so that the whole length is inside."""
    low, high = sorted((0, length - window))
    return int(rng.integers(low, high + 1))


def random_flip(image: Image, labels: Image, rng: np.random.Generator) -> tuple[Image, Image]:
    """Mirror left and right with probability one half."""
    if rng.random() < 0.5:
        return np.ascontiguousarray(image[:, ::-1]), np.ascontiguousarray(labels[:, ::-1])
    return image, labels


def random_light(image: Image, rng: np.random.Generator, strength: float = 1.0) -> Image:
    """Change brightness, contrast, gamma, white balance and saturation.

    strength scales every range; 1 means gain 0.7 to 1.4, gamma 0.7 to 1.4, contrast 0.75 to 1.3.
    """

    def log_uniform(limit: float, size: int | None = None) -> NDArray[np.float64]:
        return np.asarray(np.exp(rng.uniform(-limit, limit, size) * strength))

    gain = log_uniform(0.34) * log_uniform(0.1, 3)
    gamma = log_uniform(0.35)
    contrast = log_uniform(0.28)
    levels = (np.arange(256) / 255.0)[:, None] ** gamma * gain[None, :]
    levels = (levels - 0.45) * contrast + 0.45
    table = np.clip(levels * 255.0, 0, 255).astype(np.uint8).reshape(256, 1, 3)
    result = cv2.LUT(image, table)
    if rng.random() < 0.5:
        grey = cv2.cvtColor(cv2.cvtColor(result, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        keep = float(rng.uniform(1.0 - 0.6 * strength, 1.0 + 0.4 * strength))
        result = cv2.addWeighted(result, keep, grey, 1.0 - keep, 0.0)
    return np.asarray(result, np.uint8)


def random_blur(image: Image, rng: np.random.Generator, probability: float = 0.2) -> Image:
    """Blur mildly (Gaussian, sigma 0.4 to 1.3 pixels) or add noise, each with ``probability``."""
    result = image
    if rng.random() < probability:
        result = np.asarray(
            cv2.GaussianBlur(result, (0, 0), float(rng.uniform(0.4, 1.3))), np.uint8
        )
    if rng.random() < probability:
        noise = rng.normal(0.0, rng.uniform(1.0, 5.0), result.shape)
        result = np.clip(result + noise, 0, 255).astype(np.uint8)
    return result
