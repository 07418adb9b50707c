"""What a camera adds to a scene: exposure, colour balance, vignetting, blur and noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .noise import sensor_noise_tile


@dataclass(frozen=True)
class Photography:
    """exposure: factor. balance: (3,) BGR factors. gamma: above 1 darkens the middle tones.
    noise: standard deviation in grey levels. blur_px: standard deviation. vignette: loss in the
    corners, 0..1. sway, sway_period_s: slow change of the exposure, a share and its period.
    """

    exposure: float = 1.0
    balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    noise: float = 2.0
    blur_px: float = 0.0
    vignette: float = 0.1
    sway: float = 0.0
    sway_period_s: float = 20.0


def sample_photography(rng: np.random.Generator, night: bool) -> Photography:
    """A random camera in a random mood; noisier at night."""
    balance = 1 + rng.normal(0, 0.035, 3)
    return Photography(
        exposure=float(np.exp(rng.normal(0, 0.16))),
        balance=(float(balance[0]), float(balance[1]), float(balance[2])),
        gamma=float(np.exp(rng.normal(0, 0.12))),
        noise=float(rng.uniform(4, 10) if night else rng.gamma(2.0, 1.4)),
        blur_px=float(rng.uniform(0.5, 1.1)) if rng.random() < 0.3 else 0.0,
        vignette=float(rng.uniform(0, 0.3)),
        sway=float(rng.uniform(0.0, 0.08)),
        sway_period_s=float(rng.uniform(8, 40)),
    )


def expose(
    image: NDArray[Any], photography: Photography, time_s: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """The (H, W, 3) uint8 photograph of a drawn (H, W, 3) uint8 scene at a time."""
    height, width = image.shape[:2]
    phase = 2 * math.pi * time_s / photography.sway_period_s
    exposure = photography.exposure * (1 + photography.sway * math.sin(phase))
    levels = (np.arange(256) / 255.0) ** photography.gamma
    table = levels[:, None] * (255 * exposure * np.array(photography.balance))
    # A soft shoulder: bright parts are compressed before they are clipped.
    table = np.where(table > 200, 200 + 55 * (1 - np.exp(-(table - 200) / 55)), table)
    result = cv2.LUT(image, np.clip(table, 0, 255).astype(np.uint8)[None])
    if photography.blur_px > 0.2:
        result = cv2.GaussianBlur(result, (5, 5), photography.blur_px)
    if photography.vignette > 0.02:
        ys = np.linspace(-1, 1, height, dtype=np.float32)[:, None] ** 2
        xs = np.linspace(-1, 1, width, dtype=np.float32)[None] ** 2
        fall = (255 * (1 - np.float32(photography.vignette) * (xs + ys) / 2)).astype(np.uint8)
        result = cv2.multiply(result, cv2.merge([fall, fall, fall]), scale=1 / 255)
    if photography.noise > 0.3:
        tile = sensor_noise_tile(height, width)
        y, x = (int(v) for v in rng.integers(0, 64, 2))
        grain = tile[y : y + height, x : x + width]
        strength = photography.noise / 16
        result = cv2.addWeighted(result, 1.0, grain, strength, 0.0, dtype=cv2.CV_8U)
    return np.asarray(result, np.uint8)
