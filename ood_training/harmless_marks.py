"""Shadows and painted marks on the ground: unusual to look at, but nothing to stop for."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def darken_ellipse(
    image: Image, centre: tuple[float, float], axes: tuple[float, float], factor: float
) -> None:
    """Multiply a soft ellipse (centre and half axes as x, y in pixels) by ``factor``, in place."""
    margin = 4
    left, right = int(centre[0] - axes[0]) - margin, int(centre[0] + axes[0]) + margin
    top, bottom = int(centre[1] - axes[1]) - margin, int(centre[1] + axes[1]) + margin
    left, top = max(left, 0), max(top, 0)
    right, bottom = min(right, image.shape[1]), min(bottom, image.shape[0])
    if right - left < 3 or bottom - top < 3:
        return
    y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
    distance = np.hypot((x - centre[0]) / axes[0], (y - centre[1]) / axes[1])
    weight = np.clip((1.15 - distance) / 0.3, 0, 1)[..., None] * (1.0 - factor)
    region = image[top:bottom, left:right]
    region[...] = (region * (1.0 - weight)).astype(np.uint8)


def add_harmless_marks(
    image: Image, labels: Image, ground_ids: tuple[int, ...], rng: np.random.Generator
) -> None:
    """Put shadows and painted marks on the ground, in place, without changing a label.

    Without them a network learns that everything unusual on asphalt is an object.
    """
    ground = np.isin(labels, ground_ids)
    candidates = np.flatnonzero(ground)
    if candidates.size < 500:
        return
    before = image.copy()
    for _ in range(int(rng.integers(1, 4))):
        row, column = divmod(int(rng.choice(candidates)), labels.shape[1])
        length, breadth = float(rng.uniform(8, 90)), float(rng.uniform(2, 18))
        if rng.random() < 0.5:
            darken_ellipse(image, (column, row), (length, breadth), float(rng.uniform(0.4, 0.9)))
        else:
            _paint_mark(image, (column, row), length, breadth / 2, rng)
    image[~ground] = before[~ground]


def _paint_mark(
    image: Image,
    centre: tuple[int, int],
    length: float,
    breadth: float,
    rng: np.random.Generator,
) -> None:
    """A pale, thin, soft rectangle in any direction, like a lane marking."""
    angle = float(rng.uniform(0, 180))
    corners = cv2.boxPoints(((float(centre[0]), float(centre[1])), (length, breadth), angle))
    paint = np.zeros(image.shape[:2], np.float32)
    cv2.fillPoly(paint, [corners.astype(np.int32)], float(rng.uniform(0.3, 0.95)))
    weight = cv2.GaussianBlur(paint, (0, 0), float(rng.uniform(0.4, 1.0)))[..., None]
    level = float(rng.uniform(130, 240))
    image[...] = (image * (1.0 - weight) + level * weight).astype(np.uint8)
