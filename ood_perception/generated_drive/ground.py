"""The ground: road, markings, pavement and verges, by inverse perspective mapping.

Road coordinates: s along the road's middle line, d to its left, in metres. The road is a circular
arc (or straight), so that one formula takes road coordinates to the ground frame of any frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .camera import CameraSetup, ground_coordinates
from .light import Light
from .noise import noise_tile
from .road_surface import HALF_WIDTH_M, PERIOD_M, PIXEL_M, RoadSurface

_STRAIGHT_PER_M = 1e-7
_TEXTURE_ONE = 80.0
_LEVEL_ONE = 150.0

SIGHT_M = 400.0
"""Ground farther away than this is left to the backdrop."""


@dataclass(frozen=True)
class RoadLine:
    """The road's middle line. curvature_per_m: positive bends to the left, 0 is straight.

    ego_lateral_m: d of the ego vehicle, which drives parallel to the middle line.
    """

    curvature_per_m: float
    ego_lateral_m: float

    def to_ground(self, s: float, d: float, ego_s: float) -> tuple[float, float, float]:
        """Ground frame (x, y) of a point of the road, and the road's direction there."""
        ahead = s - ego_s
        bend = self.curvature_per_m
        if abs(bend) < _STRAIGHT_PER_M:
            return ahead, d - self.ego_lateral_m, 0.0
        angle = bend * ahead
        radius = 1 / bend - d
        return (
            radius * math.sin(angle),
            1 / bend - radius * math.cos(angle) - self.ego_lateral_m,
            angle,
        )

    def outline_to_ground(self, outline: NDArray[np.float64], ego_s: float) -> NDArray[np.float64]:
        """Ground frame (x, y) of (k, 2) road coordinates."""
        ahead, bend = outline[:, 0] - ego_s, self.curvature_per_m
        if abs(bend) < _STRAIGHT_PER_M:
            return np.stack([ahead, outline[:, 1] - self.ego_lateral_m], axis=1)
        radius = 1 / bend - outline[:, 1]
        across = 1 / bend - radius * np.cos(bend * ahead) - self.ego_lateral_m
        return np.stack([radius * np.sin(bend * ahead), across], axis=1)

    def to_road(
        self, x: NDArray[np.float32], y: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Road coordinates (s relative to the ego vehicle, d) of ground frame points."""
        bend = self.curvature_per_m
        across = y + np.float32(self.ego_lateral_m)
        if abs(bend) < _STRAIGHT_PER_M:
            return x, across
        side = math.copysign(1.0, bend)
        radius, angle = cv2.cartToPolar(side * (1 / bend - across), side * x)
        angle = np.where(angle > math.pi, angle - 2 * math.pi, angle)
        s = angle / bend
        d = 1 / bend - side * radius
        return s.astype(np.float32), d.astype(np.float32)


class GroundGrid:
    """What stays the same for the ground pixels of a camera on a road, whatever the frame."""

    def __init__(self, camera: CameraSetup, line: RoadLine, surface: RoadSurface) -> None:
        self.first_row, forward, left = ground_coordinates(camera)
        self.distance = cv2.magnitude(forward, left)
        self.is_ground = self.distance < SIGHT_M
        self.mask = self.is_ground.astype(np.uint8)
        near = np.where(self.is_ground, forward, SIGHT_M).astype(np.float32)
        self.s, self.d = line.to_road(near, np.where(self.is_ground, left, 0).astype(np.float32))
        column = (np.clip(self.d, -HALF_WIDTH_M, HALF_WIDTH_M) + HALF_WIDTH_M) / PIXEL_M - 0.5
        self.column = np.clip(column, 0, surface.labels.size - 1).astype(np.float32)
        self.ego_lateral_m = line.ego_lateral_m
        self.labels = surface.labels[np.round(self.column).astype(np.int32)]
        middle = camera.width // 2
        footprint_m = np.abs(np.gradient(near[:, middle].astype(np.float64)))
        footprint_m[near[:, middle] >= SIGHT_M] = SIGHT_M
        level = np.clip(
            np.log2(np.maximum(footprint_m, PIXEL_M) / PIXEL_M), 0, surface.levels - 1
        ).astype(np.int32)
        self.level_rows = surface.level_rows[level].astype(np.float32)[:, None]
        self.level_start = surface.level_starts[level].astype(np.float32)[:, None] + 0.5
        grain = surface.grain[np.round(self.column).astype(np.int32)]
        # Detail finer than a pixel cannot be seen: let it fade before it flickers.
        fade = np.clip(0.2 / np.maximum(footprint_m, 1e-3), 0, 1)[:, None]
        self.fine_amount = (grain * fade / 128).astype(np.float32)
        coarse_fade = np.clip(6.0 / np.maximum(footprint_m, 1e-3), 0, 1)[:, None]
        self.coarse_amount = (0.16 * coarse_fade / 128 * np.ones_like(grain)).astype(np.float32)


def paint_ground(
    grid: GroundGrid,
    surface: RoadSurface,
    light: Light,
    ego_s: float,
    details: NDArray[Any],
    shadow: NDArray[Any],
) -> NDArray[Any]:
    """(h, W, 3) uint8 colours of the ground rows.

    details: (h, W) uint8 brightness of what is painted on the ground, 100 changes nothing.
    shadow: (h, W) uint8, 255 full shadow.
    """
    s = grid.s + np.float32(ego_s)
    turn = s * np.float32(1 / PERIOD_M)
    turn -= np.floor(turn)
    row = turn * grid.level_rows + grid.level_start
    colors = cv2.remap(surface.atlas, grid.column, row, cv2.INTER_LINEAR)
    fine = _sampled(noise_tile("asphalt"), s, grid.d, 1 / 4.0, surface.noise_offset)
    coarse = _sampled(noise_tile("stains"), s, grid.d, 1 / 26.0, surface.noise_offset)
    texture = 1 + grid.fine_amount * (fine - 128) + grid.coarse_amount * (coarse - 128)
    texture *= details
    # Small whole numbers are enough for the eye, and OpenCV multiplies them quickly.
    texture = np.minimum(texture * np.float32(0.01 * _TEXTURE_ONE), 255).astype(np.uint8)
    colors = cv2.multiply(colors, cv2.merge([texture] * 3), scale=1 / _TEXTURE_ONE)
    level = cv2.LUT(cv2.merge([shadow] * 3), _level_of_shadow(light))
    if light.headlight_gain > 0:
        level = cv2.add(level, cv2.merge([_headlights(grid, light)] * 3))
    colors = cv2.multiply(colors, level, scale=1 / _LEVEL_ONE)
    clear = np.exp(grid.distance * np.float32(-light.haze_per_m))
    clear = (clear * 255).astype(np.uint8)
    haze = cv2.LUT(cv2.merge([clear] * 3), _haze_of_clearness(light))
    return cv2.add(cv2.multiply(colors, cv2.merge([clear] * 3), scale=1 / 255), haze)


def _level_of_shadow(light: Light) -> NDArray[np.uint8]:
    """(1, 256, 3) light on level ground by its shadow value, in units of 1 / _LEVEL_ONE."""
    shade = np.linspace(0, 1, 256)[:, None]
    # Bodies take away the sun and a part of the sky.
    sky = light.sky_gain * (1 - 0.45 * shade)
    sun = light.sun_gain * max(light.sun[2], 0.0) * (1 - shade)
    return np.clip((sky + sun) * _LEVEL_ONE, 0, 255).astype(np.uint8)[None]


def _haze_of_clearness(light: Light) -> NDArray[np.uint8]:
    """(1, 256, 3) haze to add to what is seen, by how clear the air up to there is."""
    share = np.linspace(1, 0, 256)[:, None]
    return np.clip(share * light.haze_color, 0, 255).astype(np.uint8)[None]


def _sampled(
    tile: NDArray[Any],
    s: NDArray[np.float32],
    d: NDArray[np.float32],
    tiles_per_m: float,
    offset: float,
) -> NDArray[np.float32]:
    """A tile sampled at road coordinates, nearest texel."""
    size = tile.shape[0]
    scale = np.float32(size * tiles_per_m)
    row = (s * scale).astype(np.int32) & (size - 1)
    column = ((d + np.float32(offset)) * scale).astype(np.int32) & (size - 1)
    return tile.ravel()[row * size + column].astype(np.float32)


def _headlights(grid: GroundGrid, light: Light) -> NDArray[np.uint8]:
    """(h, W) light of the vehicle's own lamps on the ground, in units of 1 / _LEVEL_ONE."""
    spread = np.exp(-((grid.d - grid.ego_lateral_m) ** 2) / 40.0)
    reach = light.headlight_gain / (1 + (grid.distance / 14.0) ** 2)
    return np.asarray(np.clip(reach * spread * _LEVEL_ONE, 0, 255), np.uint8)
