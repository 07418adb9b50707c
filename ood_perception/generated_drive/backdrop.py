"""The sky with its clouds, and what closes the view at the horizon."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .camera import CameraSetup
from .canvas import Canvas
from .classes import ClassId
from .light import Light
from .noise import noise_tile
from .road_surface import RoadProfile


class Backdrop:
    """Sky and skyline of a scene, drawn once.

    It lies infinitely far away, so that only the vehicle's heading moves it. turns: the heading
    changes; the backdrop is then wider than the picture, and its ends fit together.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        camera: CameraSetup,
        light: Light,
        profile: RoadProfile,
        turns: bool,
    ) -> None:
        tilt = math.ceil(abs(math.tan(camera.roll_rad)) * camera.width / 2)
        self._horizon = int(np.clip(round(camera.horizon_row) + tilt, 1, camera.height))
        self._rows = min(self._horizon + 12 + 2 * tilt, camera.height)
        self._width = (2 if turns else 1) * camera.width
        self._image = self._sky(rng, light)
        self._labels = np.full((self._rows, self._width), ClassId.SKY, np.uint8)
        kinds = {"urban": ("building",), "highway": ("hills", "trees")}
        for kind in kinds.get(profile.style, ("hills", "building", "trees")):
            if rng.random() < 0.85:
                self._skyline(rng, camera, light, kind)
        below = self._labels[self._horizon :] == ClassId.SKY
        self._labels[self._horizon :][below] = ClassId.VEGETATION

    def _sky(self, rng: np.random.Generator, light: Light) -> NDArray[Any]:
        # The sky is smooth: half the resolution is enough.
        rows, width = (self._rows + 1) // 2, self._width // 2
        horizon = max(self._horizon / 2, 1.0)
        height = ((horizon - np.arange(rows)) / horizon).astype(np.float32)
        up = (np.clip(height, 0, 1) ** 0.8)[:, None, None]
        sky = (
            light.haze_color.astype(np.float32) * (1 - up)
            + light.zenith_color.astype(np.float32) * up
        )
        # Clouds lie on a level ceiling: they grow flatter towards the horizon.
        row = 70 / np.clip(height, 0.04, 1.2) + np.float32(rng.uniform(0, 512))
        column = np.arange(width) * 512 / width + rng.uniform(0, 512)
        tile = noise_tile("clouds")
        clouds = tile[row.astype(np.int64)[:, None] % 512, column.astype(np.int64)[None] % 512]
        clouds = cv2.blur(clouds, (3, 3)).astype(np.float32)
        cover = np.clip((clouds - (230 - 190 * light.cloudiness)) / 90, 0, 1)
        cover *= (np.clip(height, 0, 0.25) * 3.6)[:, None]
        body = light.cloud_color.astype(np.float32) * (0.85 + clouds[:, :, None] * (0.15 / 255))
        sky = sky + (body - sky) * cover[:, :, None]
        small = np.clip(sky, 0, 255).astype(np.uint8)
        return cv2.resize(small, (self._width, self._rows))

    def _skyline(
        self, rng: np.random.Generator, camera: CameraSetup, light: Light, kind: str
    ) -> None:
        width = self._width
        scale = camera.focal_px / 576.0
        if kind == "building":
            edges = np.sort(rng.choice(width, rng.integers(30, 60), replace=False))
            heights = rng.uniform(3, 26, len(edges) + 1) * scale
            profile_px = heights[np.searchsorted(edges, np.arange(width))]
            color = np.array([118.0, 122.0, 130.0]) * rng.uniform(0.7, 1.2)
            label, distance_m = ClassId.BUILDING, 220.0
        else:
            # One row of a tile is a ragged line; a blurred one is the outline of hills.
            tile = noise_tile("clouds")
            row = tile[int(rng.integers(len(tile)))][None].astype(np.float32) / 255
            if kind == "hills":
                row = cv2.blur(np.tile(row, 3), (129, 1))[:, row.shape[1] : 2 * row.shape[1]]
            noise = cv2.resize(row, (width, 1))[0]
            low, high = (5, 20) if kind == "trees" else (0, 30)
            profile_px = (low + (high - low) * noise) * scale
            color = np.array([58.0, 92.0, 74.0]) * rng.uniform(0.7, 1.2)
            label = ClassId.VEGETATION
            distance_m = 160.0 if kind == "trees" else 420.0
        haze = light.haze_share(distance_m)
        color = color * light.ground_gain * (1 - haze) + light.haze_color * haze
        top = max(self._horizon - math.ceil(float(profile_px.max())), 0)
        rows = self._rows - top
        covered = (self._horizon - np.arange(top, self._rows))[:, None] < profile_px[None, :]
        grain = np.tile(noise_tile("leaves"), (rows // 256 + 1, width // 256 + 1))[:rows, :width]
        texture = (0.8 + 0.4 * (1 - haze) * (grain / np.float32(255) - 0.3)).astype(np.float32)
        shaded = np.clip(color.astype(np.float32) * texture[:, :, None], 0, 255).astype(np.uint8)
        cv2.copyTo(shaded, covered.astype(np.uint8), self._image[top:])
        self._labels[top:][covered] = label

    def draw(self, canvas: Canvas, camera: CameraSetup, ego_yaw_rad: float) -> None:
        """Fill the rows above the ground, and a few below the horizon."""
        if self._width == camera.width:
            canvas.image[: self._rows], canvas.labels[: self._rows] = self._image, self._labels
            return
        shift = round(ego_yaw_rad * camera.focal_px) % self._width
        columns = (np.arange(camera.width) - shift) % self._width
        canvas.image[: self._rows] = np.take(self._image, columns, axis=1)
        canvas.labels[: self._rows] = np.take(self._labels, columns, axis=1)
