"""Noise textures that tile without seams. They are made once a process and never changed."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def value_noise(
    rng: np.random.Generator, size: int, coarsest: int, octaves: int, persistence: float = 0.55
) -> NDArray[np.float32]:
    """(size, size) float32 value noise in [0, 1] that tiles in both directions.

    coarsest: cells across the tile in the first octave; each octave doubles them.
    """
    total = np.zeros((size, size), np.float32)
    weight = 1.0
    for octave in range(octaves):
        cells = min(coarsest << octave, size)
        grid = np.pad(rng.random((cells, cells), dtype=np.float32), 2, mode="wrap")
        scale = size // cells
        enlarged = cv2.resize(grid, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        total += weight * enlarged[2 * scale : 2 * scale + size, 2 * scale : 2 * scale + size]
        weight *= persistence
    low, high = np.percentile(total, (0.5, 99.5))
    return np.clip((total - low) / (high - low), 0, 1).astype(np.float32)


@lru_cache(maxsize=16)
def noise_tile(name: str) -> NDArray[Any]:
    """A named uint8 tile with mean near 128: "asphalt", "stains", "clouds", "leaves"."""
    settings = {
        "asphalt": (11, 512, 64, 3, 0.9),
        "stains": (12, 512, 4, 5, 0.6),
        "clouds": (13, 512, 4, 6, 0.55),
        "leaves": (14, 256, 16, 4, 0.9),
    }
    seed, size, coarsest, octaves, persistence = settings[name]
    noise = value_noise(np.random.default_rng(seed), size, coarsest, octaves, persistence)
    tile = (noise * 255).astype(np.uint8)
    tile.setflags(write=False)
    return tile


@lru_cache(maxsize=2)
def sensor_noise_tile(height: int, width: int) -> NDArray[np.int16]:
    """(height + 64, width + 64, 3) int16 Gaussian noise, standard deviation 16."""
    rng = np.random.default_rng(15)
    values = rng.standard_normal((height + 64, width + 64, 3), dtype=np.float32)
    luminance = rng.standard_normal((height + 64, width + 64, 1), dtype=np.float32)
    return (16 * (0.6 * values + 0.8 * luminance)).astype(np.int16)
