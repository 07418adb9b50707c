"""Is the camera seeing at all? A blind camera must lead to silence, never to "clear"."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import ImageError


@dataclass(frozen=True)
class HealthSettings:
    """When an image shows too little to be trusted.

    min_side_px: smaller images are refused.
    min_bright_level: grey level (0..255) that the brightest hundredth of the pixels must reach.
    saturated_level, max_saturated_share: at most this share of the pixels may reach this level.
    min_contrast: standard deviation that the grey levels must have.
    frozen_frames: so many identical images in a row are a frozen camera; 0 switches this off.
    """

    min_side_px: int = 16
    min_bright_level: float = 24.0
    saturated_level: int = 250
    max_saturated_share: float = 0.8
    min_contrast: float = 2.0
    frozen_frames: int = 20


@dataclass(frozen=True)
class ImageHealth:
    """ok: whether the camera sees. reasons: one clause each for what is wrong, else empty."""

    ok: bool
    reasons: tuple[str, ...] = ()


def check_image(image: NDArray[np.uint8], settings: HealthSettings | None = None) -> ImageHealth:
    """Whether one image shows anything.

    image: (H, W, 3) uint8 BGR. Only about 160 x 160 of its pixels are looked at.
    Raises ImageError when it is no such array.
    """
    settings = settings or HealthSettings()
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3:
        raise ImageError(f"expected an image (H, W, 3) of uint8, got {_describe(image)}")
    height, width, channels = image.shape
    if channels != 3:
        raise ImageError(f"expected an image of 3 colours, got {channels} channels")
    if min(height, width) < settings.min_side_px:
        return ImageHealth(
            False,
            (f"image {width}x{height} is smaller than {settings.min_side_px} pixels a side",),
        )
    grey = _sample(image, 160).mean(axis=2)
    reasons = []
    bright = float(np.percentile(grey, 99))
    if bright < settings.min_bright_level:
        reasons.append(f"too dark (brightest hundredth at {bright:.0f} of 255)")
    saturated = float((grey >= settings.saturated_level).mean())
    if saturated > settings.max_saturated_share:
        reasons.append(f"blinded ({saturated:.0%} of the pixels saturated)")
    contrast = float(grey.std())
    if contrast < settings.min_contrast:
        reasons.append(f"no contrast (standard deviation {contrast:.1f} grey levels)")
    return ImageHealth(not reasons, tuple(reasons))


class FrozenDetector:
    """Counts identical images in a row, by a checksum of a subsample."""

    def __init__(self, settings: HealthSettings | None = None) -> None:
        self._frames = (settings or HealthSettings()).frozen_frames
        self.reset()

    def reset(self) -> None:
        """Forgets earlier images."""
        self._checksum: tuple[tuple[int, ...], int] | None = None
        self._repeats = 0

    def update(self, image: NDArray[np.uint8]) -> int:
        """Takes the next image, (H, W, 3) uint8; returns how often it came in a row (1 = new)."""
        sample = np.ascontiguousarray(_sample(image, 320))
        checksum = (image.shape, zlib.crc32(sample.data))
        self._repeats = self._repeats + 1 if checksum == self._checksum else 1
        self._checksum = checksum
        return self._repeats

    @property
    def is_frozen(self) -> bool:
        """Whether the last ``frozen_frames`` images were all the same."""
        return 0 < self._frames <= self._repeats


def _sample(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Every n-th row and column, so that about side x side pixels remain.

    An odd n: an even one would see only one field of an interlaced camera.
    """
    step_y, step_x = (image.shape[0] // side) | 1, (image.shape[1] // side) | 1
    return image[::step_y, ::step_x]


def _describe(image: object) -> str:
    if isinstance(image, np.ndarray):
        return f"{image.shape} of {image.dtype}"
    return type(image).__name__
