"""Trees and bushes: pictures of leaves that stand upright and face the camera."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .camera import CameraSetup
from .canvas import Canvas
from .classes import ClassId
from .noise import noise_tile

TREES = 24

_KINDS = ("round", "round", "tall", "conifer", "bush", "round")
_HEIGHT, _WIDTH = 320, 256


def reaches_ground(index: int) -> bool:
    """Whether the leaves of a tree begin at the ground instead of on a trunk."""
    return _KINDS[index % len(_KINDS)] in ("conifer", "bush")


@lru_cache(maxsize=TREES)
def tree_levels(index: int) -> tuple[NDArray[Any], ...]:
    """BGRA uint8 pictures (colours times alpha) of one tree, each half as large as before."""
    rng = np.random.default_rng((201, index))
    kind = _KINDS[index % len(_KINDS)]
    ys, xs = np.mgrid[0:_HEIGHT, 0:_WIDTH].astype(np.float32)
    across = (xs - _WIDTH / 2) / (_WIDTH / 2)
    crown_bottom = {"bush": 0.98, "conifer": 0.93}.get(kind, rng.uniform(0.62, 0.75)) * _HEIGHT
    height = np.clip((crown_bottom - ys) / crown_bottom, -1, 1)
    if kind == "conifer":
        inside = (1 - height) * 0.75 - np.abs(across)
    else:
        spread = {"tall": 0.45, "bush": 0.95}.get(kind, 0.85)
        middle = 0.25 if kind == "bush" else 0.5
        reach = np.where(height > middle, 1 - middle, middle * 1.1)
        inside = 1 - (across / spread) ** 2 - ((height - middle) / reach) ** 2
    inside[height < 0] = -1
    shift = tuple(int(v) for v in rng.integers(0, 256, 2))
    leaves = (
        np.roll(np.tile(noise_tile("leaves"), (2, 1)), shift, (0, 1))[:_HEIGHT, :_WIDTH] / 255.0
    )
    clumps: NDArray[Any] = noise_tile("stains")[shift[0] :, shift[1] :][:256, :256] / 255.0
    clumps = cv2.resize(clumps.astype(np.float32), (_WIDTH, _HEIGHT))
    leafy = inside + 0.55 * (leaves - 0.55) + 0.9 * (clumps - 0.55) > 0
    leafy &= inside > -0.5
    season = rng.choice(4, p=[0.5, 0.25, 0.15, 0.1])
    green = np.array(
        [(48, 108, 78), (40, 85, 58), (55, 120, 105), (50, 105, 150)][season], np.float64
    )
    light = 0.35 + 0.45 * leaves + 0.35 * clumps + 0.3 * np.clip(height - 0.3, -0.3, 0.7)
    colors = green * rng.uniform(0.8, 1.15) * light[:, :, None]
    alpha = leafy
    if kind in ("round", "tall"):
        width = rng.uniform(0.03, 0.06) * (1 + 0.5 * (ys / _HEIGHT - 0.7))
        trunk = (np.abs(across + 0.02 * np.sin(ys / 30)) < width) & (ys > crown_bottom * 0.7)
        bark = np.array([62.0, 74.0, 86.0]) * rng.uniform(0.6, 1.1)
        only_trunk = trunk & ~leafy
        shade = 1 - 0.45 * np.clip(across / 0.06, -1, 1)
        colors = np.where(only_trunk[:, :, None], bark * shade[:, :, None], colors)
        alpha = leafy | trunk
    picture: NDArray[Any] = (
        np.dstack([np.clip(colors, 0, 255), np.full_like(xs, 255)]) * alpha[:, :, None]
    )
    levels: list[NDArray[Any]] = [picture.astype(np.uint8)]
    while levels[-1].shape[0] > 20:
        half = levels[-1].shape[1] // 2, levels[-1].shape[0] // 2
        levels.append(cv2.resize(levels[-1], half, interpolation=cv2.INTER_AREA))
    return tuple(levels)


def draw_tree(
    canvas: Canvas,
    camera: CameraSetup,
    foot: NDArray[np.float64],
    height_m: float,
    width_m: float,
    index: int,
    gain: NDArray[np.float64],
    haze_share: float,
    haze_color: NDArray[np.float64],
) -> None:
    """Draw a tree that stands on the ground point foot (3,) of the ground frame."""
    pixels, depth = camera.project(np.stack([foot, foot + np.array([0, 0, height_m])]))
    if depth.min() < 1.0:
        return
    (u, bottom), (top_u, top) = pixels
    half_width = 0.5 * width_m * camera.focal_px / depth[0]
    clip = canvas.clip_box(
        min(u, top_u) - half_width, top, max(u, top_u) + half_width + 1, bottom + 1
    )
    if clip is None:
        return
    x0, y0, x1, y1 = clip
    levels = tree_levels(index)
    shrink = max(levels[0].shape[0] / max(bottom - top, 1.0), 1.0)
    picture = levels[min(int(np.log2(shrink)), len(levels) - 1)]
    rows, columns = picture.shape[:2]
    scale_x, scale_y = columns / (2 * half_width), rows / (bottom - top)
    # From window pixels to the picture: a camera that rolls sees the tree lean.
    lean = scale_x * (top_u - u) / (bottom - top)
    left = x0 - top_u + half_width
    to_picture = np.array(
        [[scale_x, lean, scale_x * left + lean * (y0 - top)], [0, scale_y, scale_y * (y0 - top)]]
    )
    patch = cv2.warpAffine(
        picture,
        to_picture,
        (x1 - x0, y1 - y0),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
    )
    factors = np.array([*(gain * (1 - haze_share)), 1.0])
    patch = cv2.multiply(patch, factors)
    if haze_share > 0.02:
        haze = cv2.merge(
            [cv2.convertScaleAbs(patch[:, :, 3], alpha=c * haze_share / 255) for c in haze_color]
        )
        patch[:, :, :3] = cv2.add(np.ascontiguousarray(patch[:, :, :3]), haze)
    canvas.blend(x0, y0, patch, ClassId.VEGETATION)
