"""What every unknown object is: a body, a name for its shape, and a pattern on its surface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from .mesh import Mesh
from .noise import value_noise

PATTERN_SIDE = 64


class Shape(NamedTuple):
    """A body that was just made, in any size; color and proportions are already random."""

    name: str
    mesh: Mesh


@dataclass(frozen=True)
class UnknownObject:
    """mesh: in its own frame, standing on z = 0. pattern: (64, 64) uint8, 128 changes nothing."""

    shape: str
    mesh: Mesh
    pattern: NDArray[Any]


def any_color(rng: np.random.Generator) -> NDArray[np.float64]:
    """A BGR colour: greyish, brownish or vivid."""
    kind = rng.random()
    if kind < 0.3:
        return np.asarray(rng.uniform(25, 225) + rng.uniform(-12, 12, 3), np.float64).clip(10, 245)
    if kind < 0.5:
        return np.array([0.5, 0.75, 1.0]) * rng.uniform(60, 220)
    return rng.uniform(15, 240, 3)


def noise_pattern(rng: np.random.Generator) -> NDArray[Any]:
    """Blotches."""
    noise = value_noise(rng, PATTERN_SIDE, int(rng.choice([2, 4, 8])), 4)
    return np.asarray(128 + (noise - 0.5) * rng.uniform(30, 150), np.uint8)


def stripe_pattern(rng: np.random.Generator) -> NDArray[Any]:
    """Stripes in a random direction."""
    ys, xs = np.mgrid[0:PATTERN_SIDE, 0:PATTERN_SIDE] / PATTERN_SIDE
    angle = rng.uniform(0, np.pi)
    phase = rng.uniform(2, 7) * (xs * np.cos(angle) + ys * np.sin(angle)) + rng.random()
    share = np.mod(phase, 1) < rng.uniform(0.3, 0.6)
    dark, bright = rng.uniform(40, 110), rng.uniform(130, 215)
    return np.where(share, dark, bright).astype(np.uint8)


def check_pattern(rng: np.random.Generator) -> NDArray[Any]:
    """A chequered surface."""
    cells = int(rng.integers(2, 7))
    board = (np.add.outer(np.arange(cells), np.arange(cells)) % 2).astype(np.uint8)
    values = np.where(board > 0, rng.uniform(60, 120), rng.uniform(135, 200)).astype(np.uint8)
    return cv2.resize(values, (PATTERN_SIDE, PATTERN_SIDE), interpolation=cv2.INTER_NEAREST)


def grain_pattern(rng: np.random.Generator) -> NDArray[Any]:
    """Long fibres, like wood or woven cloth."""
    noise = value_noise(rng, PATTERN_SIDE, 16, 2)
    stretched = cv2.blur(noise, (31, 1)) if rng.random() < 0.5 else cv2.blur(noise, (1, 31))
    stretched = (stretched - stretched.mean()) / (stretched.std() + 1e-6)
    return np.clip(128 + stretched * rng.uniform(8, 30), 30, 240).astype(np.uint8)


def patch_pattern(rng: np.random.Generator) -> NDArray[Any]:
    """Torn labels, dirt and print: a few rectangles and spots."""
    picture = np.full((PATTERN_SIDE, PATTERN_SIDE), 128, np.uint8)
    for _ in range(int(rng.integers(2, 9))):
        x, y = (int(v) for v in rng.integers(0, PATTERN_SIDE, 2))
        w, h = (int(v) for v in rng.integers(4, 30, 2))
        value = float(rng.uniform(50, 215))
        if rng.random() < 0.6:
            cv2.rectangle(picture, (x, y), (x + w, y + h), value, -1)
        else:
            cv2.circle(picture, (x, y), w // 2, value, -1)
    return picture


def crumple_pattern(rng: np.random.Generator) -> NDArray[Any]:
    """Folds and creases: bright and dark wedges between random lines."""
    ys, xs = np.mgrid[0:PATTERN_SIDE, 0:PATTERN_SIDE] / PATTERN_SIDE
    sum_of_folds = np.zeros((PATTERN_SIDE, PATTERN_SIDE))
    for _ in range(6):
        angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.2, 1.0)
        sum_of_folds += np.abs(xs * np.cos(angle) + ys * np.sin(angle) - offset)
    folds = np.mod(sum_of_folds * rng.uniform(1.5, 3.0), 1)
    return np.asarray(128 + (np.abs(folds - 0.5) - 0.25) * rng.uniform(60, 200), np.uint8)
