"""The camera of a generated drive: pinhole intrinsics and how it is mounted.

Ground frame: x forward, y left, z up, in metres; its origin lies on the ground (z = 0) below the
camera. Camera optical frame: x right, y down, z forward. Pixel (u, v) = (0, 0) is the centre of
the upper left pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OodError

MIN_SIZE_PX = 32


@dataclass(frozen=True)
class CameraSetup:
    """Intrinsics and mounting of an ideal camera without distortion.

    width, height: image size in pixels. focal_px: focal length, the same in both directions.
    principal_point: (u, v) in pixels. height_m: of the optical centre above the ground.
    pitch_rad: positive looks up, negative down. roll_rad: positive lowers the right side.
    Raises OodError for sizes or angles that make no picture of a road.
    """

    width: int
    height: int
    focal_px: float
    principal_point: tuple[float, float]
    height_m: float = 1.4
    pitch_rad: float = math.radians(-3.0)
    roll_rad: float = 0.0

    def __post_init__(self) -> None:
        if self.width < MIN_SIZE_PX or self.height < MIN_SIZE_PX:
            raise OodError(
                f"generated camera of {self.width}x{self.height} pixels is too small: "
                f"use at least {MIN_SIZE_PX}x{MIN_SIZE_PX}"
            )
        if not (self.focal_px > 0 and self.height_m > 0):
            raise OodError("generated camera: focal_px and height_m must be above 0")
        if abs(self.pitch_rad) > math.radians(30) or abs(self.roll_rad) > math.radians(15):
            raise OodError("generated camera: keep the pitch within 30 and the roll within 15 deg")

    @classmethod
    def default(cls, width: int = 640, height: int = 360, **changes: Any) -> CameraSetup:
        """A camera 1.4 m above the ground, 3 degrees down, focal length 0.9 times the width.

        changes: other fields of the class, to replace these values.
        """
        fields: dict[str, Any] = {
            "focal_px": 0.9 * width,
            "principal_point": ((width - 1) / 2, (height - 1) / 2),
        }
        return cls(width, height, **{**fields, **changes})

    @classmethod
    def with_view(cls, view_deg: float) -> CameraSetup:
        """The default camera behind a lens that shows so many degrees from left to right.

        The default's own are 58.1; a camera that looks far ahead has about 30. Raises OodError for
        angles outside 5 to 120 degrees.
        """
        if not 5 <= view_deg <= 120:
            raise OodError(f"a view of {view_deg:g} degrees: use 5 to 120")
        width = cls.default().width
        return cls.default(focal_px=0.5 * width / math.tan(math.radians(view_deg) / 2))

    @classmethod
    def of_scene(cls, seed: int, view_deg: tuple[float, float] | None) -> CameraSetup:
        """The default camera behind the lens that the scene of a seed draws.

        view_deg: least and greatest angle, drawn evenly by the logarithm of the focal length; None
        is the default camera.
        """
        if view_deg is None:
            return cls.default()
        longest, shortest = (cls.with_view(angle).focal_px for angle in view_deg)
        # a stream of its own: the scene of a seed is the same through every lens
        drawn = np.random.default_rng((seed, 4)).uniform(math.log(shortest), math.log(longest))
        return cls.default(focal_px=math.exp(drawn))

    def matrix(self) -> NDArray[np.float64]:
        """(3, 3) intrinsic matrix K."""
        u, v = self.principal_point
        return np.array([[self.focal_px, 0, u], [0, self.focal_px, v], [0, 0, 1]], np.float64)

    @cached_property
    def rotation(self) -> NDArray[np.float64]:
        """(3, 3) rotation from the ground frame to the camera optical frame."""
        pitch, roll = self.pitch_rad, self.roll_rad
        forward = np.array([math.cos(pitch), 0.0, math.sin(pitch)])
        right = np.array([0.0, -1.0, 0.0])
        down = np.array([math.sin(pitch), 0.0, -math.cos(pitch)])
        return np.stack(
            [
                right * math.cos(roll) + down * math.sin(roll),
                down * math.cos(roll) - right * math.sin(roll),
                forward,
            ]
        )

    def to_camera(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, 3) points of the ground frame in the camera optical frame."""
        return (points - (0.0, 0.0, self.height_m)) @ self.rotation.T

    def project(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Pixels and depths of (n, 3) points of the ground frame.

        Returns (n, 2) (u, v) and (n,) depth in metres; (u, v) mean nothing where depth <= 0.
        """
        camera_points = self.to_camera(points)
        depth = camera_points[:, 2]
        safe_depth = np.where(depth > 1e-6, depth, 1e-6)
        pixels = camera_points[:, :2] * (self.focal_px / safe_depth)[:, None]
        return pixels + self.principal_point, depth

    @property
    def horizon_row(self) -> float:
        """Row of the horizon in the column of the principal point."""
        drop = math.tan(self.pitch_rad) * self.focal_px / math.cos(self.roll_rad)
        return self.principal_point[1] + drop


@lru_cache(maxsize=8)
def ground_coordinates(
    camera: CameraSetup,
) -> tuple[int, NDArray[np.float32], NDArray[np.float32]]:
    """Where every pixel looks at the ground.

    Returns the first row that sees ground, and for all rows from there on (h, W) float32 forward
    and left coordinates in metres. Pixels at or above the horizon hold an x of 1e6.
    """
    roll_reach = abs(math.tan(camera.roll_rad)) * camera.width
    start = int(np.clip(camera.horizon_row - roll_reach - 1, 0, camera.height))
    columns = (np.arange(camera.width) - camera.principal_point[0]) / camera.focal_px
    rows = (np.arange(start, camera.height) - camera.principal_point[1]) / camera.focal_px
    to_ground = camera.rotation.T
    along_row = (to_ground[:, 0, None] * columns).astype(np.float32)
    along_column = (to_ground[:, 1, None] * rows + to_ground[:, 2, None]).astype(np.float32)
    falling = -(along_row[2, None, :] + along_column[2, :, None])
    sees_ground = falling > 1e-4
    ground_rows = sees_ground.any(axis=1)
    if not ground_rows.any():
        raise OodError("generated camera sees no ground: lower its pitch")
    first = int(np.argmax(ground_rows))
    falling, sees_ground = falling[first:], sees_ground[first:]
    scale = np.float32(camera.height_m) / np.maximum(falling, np.float32(1e-4))
    forward = (along_row[0, None, :] + along_column[0, first:, None]) * scale
    left = (along_row[1, None, :] + along_column[1, first:, None]) * scale
    forward[~sees_ground] = 1e6
    left[~sees_ground] = 0.0
    return start + first, forward, left
