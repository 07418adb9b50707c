"""Tiles for walls, roofs and hedges. A fixed stock of them, each drawn when first asked for."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .noise import noise_tile
from .textured_quad import Texture, make_texture

FACADES = 40
SHOPFRONTS = 16
STOREY_M = 3.2

_SIDE = 256


def _plaster(rng: np.random.Generator, color: NDArray[Any], roughness: float) -> NDArray[Any]:
    """A wall of one colour with stains, (256, 256, 3) float32."""
    stains = noise_tile("stains")[::2, ::2].astype(np.float32) / 128 - 1
    fine = noise_tile("leaves").astype(np.float32) / 128 - 1
    shift = tuple(int(v) for v in rng.integers(0, _SIDE, 2))
    gain = 1 + roughness * np.roll(stains, shift, (0, 1)) + 0.3 * roughness * fine
    return np.asarray(color * gain[:, :, None], np.float32)


def _wall_color(rng: np.random.Generator) -> NDArray[Any]:
    """BGR of plaster, brick, sandstone or concrete."""
    stock = ((150, 175, 190), (95, 105, 160), (140, 170, 185), (165, 168, 170), (190, 205, 215),
             (110, 150, 185), (185, 180, 170), (80, 90, 120))  # fmt: skip
    chosen = np.array(stock[rng.integers(len(stock))], np.float64)
    return np.clip(chosen * rng.uniform(0.75, 1.15) + rng.uniform(-12, 12, 3), 20, 235)


@lru_cache(maxsize=2 * FACADES)
def facade(index: int, night: bool) -> Texture:
    """Four storeys of windows. night: dark walls, some windows lit."""
    rng = np.random.default_rng((101, index))
    color = _wall_color(rng)
    tile = _plaster(rng, color, rng.uniform(0.03, 0.12))
    if color[2] > color[0] * 1.4:
        tile[::4] *= 0.86
    bays = int(rng.choice([3, 4, 5]))
    storey, bay = _SIDE / 4, _SIDE / bays
    width, height = rng.uniform(0.35, 0.75) * bay, rng.uniform(0.42, 0.68) * storey
    sill = rng.uniform(0.22, 0.3) * storey
    frame = color * (1.25 if rng.random() < 0.6 else 0.6)
    ribbon = rng.random() < 0.2
    if night:
        tile *= 0.3
        frame = frame * 0.3
    for floor in range(4):
        ledge = int(floor * storey)
        tile[ledge : ledge + 2] *= 0.82
        for column in range(bays):
            x = int(column * bay + (bay - width) / 2)
            y = int(floor * storey + sill)
            right, top = int(x + (bay if ribbon else width)), int(y + height)
            cv2.rectangle(tile, (x - 2, y - 2), (right + 2, top + 2), frame.tolist(), -1)
            glass = np.array([95.0, 82.0, 70.0]) * rng.uniform(0.45, 1.5)
            if night:
                glass = (
                    np.array([90, 170, 225]) * rng.uniform(0.6, 1.1)
                    if rng.random() < 0.3
                    else glass * 0.3
                )
            cv2.rectangle(tile, (x, y), (right, top), glass.tolist(), -1)
            cv2.rectangle(
                tile, (x, y + int(height * 0.6)), (right, top), (glass * 1.25).tolist(), -1
            )
            middle = (x + right) // 2
            cv2.line(tile, (middle, y), (middle, top), frame.tolist(), 2)
    return make_texture(np.clip(tile, 0, 255).astype(np.uint8), (bays * 3.0, 4 * STOREY_M))


@lru_cache(maxsize=2 * SHOPFRONTS)
def shopfront(index: int, night: bool) -> Texture:
    """A ground floor of doors and shop windows."""
    rng = np.random.default_rng((102, index))
    tile = _plaster(rng, _wall_color(rng) * 0.8, 0.05)
    x = int(rng.integers(4, 14))
    while x < _SIDE - 30:
        wide = int(rng.integers(20, 70))
        right = min(x + wide, _SIDE - 6)
        glass = np.array([90.0, 80.0, 70.0]) * rng.uniform(0.4, 1.6)
        if night and rng.random() < 0.6:
            glass = np.array([120.0, 200.0, 240.0])
        bottom = 0 if wide < 30 else int(rng.integers(14, 50))
        cv2.rectangle(tile, (x, bottom), (right, 165), glass.tolist(), -1)
        sign = rng.uniform(30, 220, 3)
        if rng.random() < 0.6:
            cv2.rectangle(tile, (x, 180), (right, 225), sign.tolist(), -1)
        x = right + int(rng.integers(6, 22))
    tile[235:] *= 0.75
    if night:
        tile *= 0.6
    return make_texture(np.clip(tile, 0, 255).astype(np.uint8), (9.0, 3.6))


@lru_cache(maxsize=8)
def roof(index: int) -> Texture:
    """Rows of tiles."""
    rng = np.random.default_rng((103, index))
    stock = ((60, 75, 135), (75, 80, 90), (55, 60, 85), (90, 95, 105))
    tile = _plaster(rng, np.array(stock[index % 4], np.float64), 0.15)
    tile[::12] *= 0.7
    tile[:, ::14] *= 0.92
    return make_texture(np.clip(tile, 0, 255).astype(np.uint8), (5.0, 5.0))


@lru_cache(maxsize=4)
def hedge(index: int) -> Texture:
    """Dense leaves."""
    rng = np.random.default_rng((104, index))
    noise = np.roll(noise_tile("leaves"), int(rng.integers(256)), 1).astype(np.float32) / 255
    leaf = np.array([45.0, 105.0, 75.0]) * rng.uniform(0.75, 1.15)
    tile = leaf * (0.35 + 1.1 * noise[:, :, None])
    return make_texture(np.clip(tile, 0, 255).astype(np.uint8), (3.0, 3.0))
