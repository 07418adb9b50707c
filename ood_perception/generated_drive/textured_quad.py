"""Upright or slanted rectangles with a repeating texture: walls, roofs, hedges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .camera import CameraSetup
from .canvas import Canvas
from .clipping import cut_before

NEAR_M = 0.5
SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
_SUBPIXEL_BITS = 4


@dataclass(frozen=True)
class Texture:
    """levels: square uint8 BGR tiles, each half as large as the one before.

    size_m: (width, height) that one tile covers. Row 0 is at the bottom of the wall.
    """

    levels: tuple[NDArray[Any], ...]
    size_m: tuple[float, float]


def make_texture(tile: NDArray[Any], size_m: tuple[float, float]) -> Texture:
    """A texture of a (n, n, 3) uint8 tile; n a power of two."""
    levels = [np.ascontiguousarray(tile)]
    while levels[-1].shape[0] > 8:
        half = levels[-1].shape[0] // 2
        levels.append(cv2.resize(levels[-1], (half, half), interpolation=cv2.INTER_AREA))
    return Texture(tuple(levels), size_m)


def draw_quad(
    canvas: Canvas,
    camera: CameraSetup,
    corner: NDArray[np.float64],
    along: NDArray[np.float64],
    up: NDArray[np.float64],
    texture: Texture,
    gain: NDArray[np.float64],
    haze_share: float,
    haze_color: NDArray[np.float64],
    label: int,
    outline: NDArray[np.float64] = SQUARE,
) -> None:
    """Draw the polygon corner + a * along + b * up in the ground frame.

    outline: (k, 2) convex (a, b), by default the rectangle with a and b in 0..1.
    gain: (3,) BGR factors on the texture. It is cut off at the camera's plane.
    """
    flat = corner + outline[:, :1] * along + outline[:, 1:] * up
    outline = camera.to_camera(flat)
    if outline[:, 2].min() < NEAR_M:
        outline = cut_before(outline, axis=2, least=NEAR_M)
        if len(outline) < 3:
            return
    pixels = outline[:, :2] * (camera.focal_px / outline[:, 2:]) + camera.principal_point
    (left, top), (right, bottom) = pixels.min(axis=0), pixels.max(axis=0)
    if right - left < 0.5 or bottom - top < 0.5:
        return
    clip = canvas.clip_box(left, top, right + 1, bottom + 1)
    if clip is None:
        return
    x0, y0, x1, y1 = clip
    size = (x1 - x0, y1 - y0)
    mask = np.zeros(size[::-1], np.uint8)
    corners = np.clip(pixels - (x0, y0), -30000, 30000) * (1 << _SUBPIXEL_BITS)
    polygon = np.round(corners).astype(np.int32)
    cv2.fillConvexPoly(mask, polygon, 255, cv2.LINE_8, _SUBPIXEL_BITS)

    lengths = float(np.linalg.norm(along)), float(np.linalg.norm(up))
    texels_per_m = texture.levels[0].shape[0] / max(texture.size_m)
    pixels_per_m = camera.focal_px / max(float(outline[:, 2].mean()), 1.0)
    level = int(np.clip(np.log2(max(texels_per_m / pixels_per_m, 1.0)), 0, len(texture.levels) - 1))
    tile = texture.levels[level]
    side = tile.shape[0]
    basis = np.stack(
        [
            along / lengths[0] * (texture.size_m[0] / side),
            up / lengths[1] * (texture.size_m[1] / side),
            corner - (0, 0, camera.height_m),
        ],
        axis=1,
    )
    to_window = np.array([[1, 0, -x0], [0, 1, -y0], [0, 0, 1]], np.float64)
    homography = to_window @ camera.matrix() @ camera.rotation @ basis
    colors = cv2.warpPerspective(
        tile, homography, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    )
    scale = (gain * (1 - haze_share)).tolist()
    offset = (haze_color * haze_share).tolist()
    table = np.arange(256, dtype=np.float64)[:, None] * scale + offset
    colors = cv2.LUT(colors, np.clip(table, 0, 255).astype(np.uint8)[None])
    canvas.paste(x0, y0, colors, mask, label)
