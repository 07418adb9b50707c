"""Is the camera seeing at all? A blind camera must lead to silence, never to "clear"."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import ImageError

_VIEW_PX = 320
_TILES = (8, 6)  # columns, rows
_FEWEST_REPEATS = 3
_ALIKE_LEVELS = 20.0
_NO_NOISE = 0.01  # square grey levels
_SHARPEST_SHARE = 0.001
_LEAST_BLUR_PX = 6.0  # no edge of a small image is much narrower
_SOBEL_GAIN = 8.0  # of OpenCV's 3x3 kernel on a slope of one grey level a pixel


@dataclass(frozen=True)
class HealthSettings:
    """When an image shows too little to be trusted.

    min_side_px: smaller images are refused.
    min_bright_level: grey level (0..255) that the brightest hundredth of the pixels must reach.
    saturated_level, max_saturated_share: at most this share of the pixels may reach this level.
    min_contrast: standard deviation that the grey levels must have.
    min_level_range: grey levels between the darkest and the brightest hundredth; fewer are fog.
    max_edge_width_share: width of the sharpest edges, as a share of the image's width, from which
        on an image is blurred.
    max_flat_share: share of the image in which nothing is to be seen but one plain colour; more is
        covered.
    max_anomalous_share: share of the road scene that the model may not know; None: as the model's
        manifest says.
    frozen_frames: so many identical images in a row are a frozen camera; 0 switches this off.
    frozen_s: identical images over so many seconds are one too; 0: their number alone tells.
    """

    min_side_px: int = 16
    min_bright_level: float = 24.0
    saturated_level: int = 250
    max_saturated_share: float = 0.8
    min_contrast: float = 2.0
    min_level_range: float = 20.0
    max_edge_width_share: float = 0.025
    max_flat_share: float = 0.7
    max_anomalous_share: float | None = None
    frozen_frames: int = 20
    frozen_s: float = 1.0


@dataclass(frozen=True)
class ImageHealth:
    """ok: whether the camera sees. reasons: one clause each for what is wrong, else empty."""

    ok: bool
    reasons: tuple[str, ...] = ()


def check_image(image: NDArray[np.uint8], settings: HealthSettings | None = None) -> ImageHealth:
    """Whether one image shows anything.

    image: (H, W, 3) uint8 BGR; it is looked at 320 pixels wide.
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
    view = _small_grey(image)
    levels = _Levels(view)
    reasons = [*_light(view, levels, settings), *_structure(view, levels, settings)]
    return ImageHealth(not reasons, tuple(reasons))


def check_anomalous_share(anomalous: NDArray[np.bool_], max_share: float) -> ImageHealth:
    """Whether the model knows enough of what it sees: a scene that is nearly all unknown is dirt
    on the lens, spray, glare, or a place that the model was not made for.

    anomalous: (h, w) bool. max_share: in [0, 1].
    """
    share = float(np.count_nonzero(anomalous)) / max(anomalous.size, 1)
    if share <= max_share:
        return ImageHealth(True)
    return ImageHealth(
        False,
        (f"{share:.0%} of the picture is unknown to the model, at most {max_share:.0%} is usual",),
    )


class _Levels:
    """Of (h, w) uint8 grey levels the darkest and the brightest hundredth."""

    def __init__(self, grey: NDArray[np.uint8]) -> None:
        self._counts = np.cumsum(cv2.calcHist([grey], [0], None, [256], [0, 256]))
        dark, bright = np.searchsorted(self._counts, (0.01 * grey.size, 0.99 * grey.size))
        self.dark, self.bright = int(dark), int(bright)

    def share_from(self, level: int) -> float:
        """Share of the pixels that reach a level, 0..255."""
        below = self._counts[level - 1] if level > 0 else 0
        return 1.0 - float(below / self._counts[-1])


def _light(grey: NDArray[np.uint8], levels: _Levels, settings: HealthSettings) -> list[str]:
    """What is wrong with brightness and contrast."""
    reasons = []
    dark, bright = levels.dark, levels.bright
    if bright < settings.min_bright_level:
        reasons.append(f"too dark (brightest hundredth at {bright} of 255)")
    saturated = levels.share_from(settings.saturated_level)
    if saturated > settings.max_saturated_share:
        reasons.append(f"blinded ({saturated:.0%} of the pixels saturated)")
    contrast = float(cv2.meanStdDev(grey)[1][0, 0])
    if contrast < settings.min_contrast:
        reasons.append(f"no contrast (standard deviation {contrast:.1f} grey levels)")
    elif bright - dark < settings.min_level_range and not reasons:
        reasons.append(f"fogged ({bright - dark} grey levels between dark and bright)")
    return reasons


def _structure(view: NDArray[np.uint8], levels: _Levels, settings: HealthSettings) -> list[str]:
    """What is wrong with edges and texture.

    The sharpest edges are as wide as the contrast of the image divided by their slope; neither
    light nor the scene changes that much, a lens out of focus does.
    """
    contrast = levels.bright - levels.dark
    across, down = cv2.spatialGradient(view)
    steepest = _SHARPEST_SHARE * view.size
    slopes = np.bincount(np.maximum(np.abs(across), np.abs(down)).ravel())
    slope = (np.searchsorted(np.cumsum(slopes), view.size - steepest)) / _SOBEL_GAIN
    width_px = contrast / max(float(slope), 1e-3)
    width = width_px / view.shape[1]
    reasons = []
    if width_px > _LEAST_BLUR_PX and width > settings.max_edge_width_share:
        reasons.append(f"blurred (the sharpest edges are {width:.1%} of the image wide)")
    flat_share = _flat_share(view, settings)
    if flat_share > settings.max_flat_share:
        reasons.append(f"covered ({flat_share:.0%} of the picture shows nothing)")
    return reasons


def _flat_share(view: NDArray[np.uint8], settings: HealthSettings) -> float:
    """Share of the picture in which nothing is to be seen but one plain colour."""
    values = view.astype(np.float32)
    mean = np.asarray(cv2.resize(values, _TILES, interpolation=cv2.INTER_AREA))
    square = np.asarray(cv2.resize(values * values, _TILES, interpolation=cv2.INTER_AREA))
    variance = square - mean * mean
    # A black night sky shows nothing either, and that is no fault of the camera.
    lit = mean >= settings.min_bright_level
    # What has no noise at all was drawn by a simulation, not photographed.
    flat = lit & (variance < settings.min_contrast**2) & (variance > _NO_NOISE)
    if not flat.any():
        return 0.0
    # One thing covers a lens; a picture of plain colours shows several.
    alike = flat & (np.abs(mean - np.median(mean[flat])) < _ALIKE_LEVELS)
    return float(alike.mean())


def _small_grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w) uint8 grey levels, 320 pixels wide where the image is wider."""
    height, width = image.shape[:2]
    if width <= _VIEW_PX:
        return _grey(image)
    size = _VIEW_PX, max(1, round(height * _VIEW_PX / width))
    # Averaging a whole large image would take milliseconds; noise is averaged out by 2 x 2.
    near = cv2.resize(image, (2 * size[0], 2 * size[1]), interpolation=cv2.INTER_NEAREST)
    return np.asarray(
        cv2.resize(_grey(np.asarray(near, np.uint8)), size, interpolation=cv2.INTER_AREA), np.uint8
    )


def _grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


class FrozenDetector:
    """Counts identical images in a row, by a subsample of their pixels."""

    def __init__(self, settings: HealthSettings | None = None) -> None:
        settings = settings or HealthSettings()
        self._frames, self._span_ns = settings.frozen_frames, round(settings.frozen_s * 1e9)
        self.reset()

    def reset(self) -> None:
        """Forgets earlier images."""
        self._sample: NDArray[np.uint8] | None = None
        self._shape: tuple[int, ...] = ()
        self._repeats = 0
        self._since_ns = self._now_ns = 0

    def update(self, image: NDArray[np.uint8], stamp_ns: int = 0) -> int:
        """Takes the next image, (H, W, 3) uint8, and its stamp in nanoseconds; returns how often
        it came in a row (1 = new)."""
        sample, before = _sample(image, 320), self._sample
        if image.shape != self._shape or before is None or not _are_alike(sample, before):
            self._repeats, self._since_ns = 0, stamp_ns
        self._sample, self._shape, self._now_ns = sample, image.shape, stamp_ns
        self._repeats += 1
        return self._repeats

    @property
    def is_frozen(self) -> bool:
        """Whether ``frozen_frames`` images, or those of ``frozen_s`` seconds (three at least), were
        all the same."""
        if self._frames == 0:
            return False
        lasts = 0 < self._span_ns <= self._now_ns - self._since_ns
        return self._repeats >= self._frames or (lasts and self._repeats >= _FEWEST_REPEATS)


def _sample(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Every n-th row and column, so that about side x side pixels remain.

    An odd n: an even one would see only one field of an interlaced camera. OpenCV's copy of them
    takes less than half the time of NumPy's.
    """
    height, width = image.shape[:2]
    step_y, step_x = (height // side) | 1, (width // side) | 1
    size = ceil(width / step_x), ceil(height / step_y)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _are_alike(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bool:
    """Whether two images of one size hold the same pixels; some of them nearly always tell."""
    some = slice(None, None, 16)
    return np.array_equal(first[some], second[some]) and np.array_equal(first, second)


def _describe(image: object) -> str:
    if isinstance(image, np.ndarray):
        return f"{image.shape} of {image.dtype}"
    return type(image).__name__
