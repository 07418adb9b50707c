"""Rays of a camera to points of the ground plane z = 0, and how an error carries over."""

from __future__ import annotations

from math import hypot, isfinite
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ood_perception.camera import CameraModel, Mounting

_STEP_PX = 1e-3
_STEP_RAD = 1e-6
_PIXEL_STEPS = np.array([[1, 0], [-1, 0], [0, 1], [0, -1], [0, 0]]) * _STEP_PX


def ground_points(
    points_px: NDArray[np.float64], camera: CameraModel, mounting: Mounting
) -> NDArray[np.float64]:
    """Where pixels meet the ground.

    points_px: (k, 2) float64, (x, y), pixel centres on whole numbers.
    Returns (k, 2) float64 metres in the ground frame, NaN at and above the horizon.
    """
    return _meet_ground(camera.rays(points_px), mounting)


def _meet_ground(rays: NDArray[np.float64], mounting: Mounting) -> NDArray[np.float64]:
    """(k, 3) rays of the optical frame to (k, 2) ground points, NaN where they do not descend."""
    directions = rays @ mounting.rotation.T
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = -mounting.translation[2] / directions[:, 2]
    reach = np.where((reach > 0) & np.isfinite(reach), reach, np.nan)
    return mounting.translation[:2] + reach[:, None] * directions[:, :2]


class GroundSpread(NamedTuple):
    """A ground point and its standard deviations along and across its direction, metres.

    point: (2,) float64 in the ground frame.
    along_m, across_m: of everything. along_noise_m, across_noise_m: of the pixel alone, which
    changes from image to image, where height and mean pitch stay what they are.
    """

    point: NDArray[np.float64]
    along_m: float
    across_m: float
    along_noise_m: float
    across_noise_m: float


def ground_spread(
    point_px: NDArray[np.float64], pixel_stddev_px: float, camera: CameraModel, mounting: Mounting
) -> GroundSpread | None:
    """A pixel's ground point, and how certain it is.

    First order: central differences over the pixel's x and y and the camera's pitch; the height
    scales all distances from the camera. point_px: (2,) float64. None where the point is at the
    horizon or outside of the lens model.
    """
    rays = camera.rays(point_px + _PIXEL_STEPS)
    nods = np.array([_nod(rays[4], _STEP_RAD), _nod(rays[4], -_STEP_RAD)])
    points = _meet_ground(np.concatenate([rays, nods]), mounting)
    camera_foot, height_m = mounting.translation[:2], mounting.translation[2]
    derivatives = np.array(
        [
            (points[0] - points[1]) / (2 * _STEP_PX),
            (points[2] - points[3]) / (2 * _STEP_PX),
            (points[5] - points[6]) / (2 * _STEP_RAD),
            (points[4] - camera_foot) / height_m,
        ]
    )
    sigma = [pixel_stddev_px, pixel_stddev_px, mounting.pitch_stddev_rad, mounting.height_stddev_m]
    direction = unit_xy(points[4])
    along = derivatives @ direction * sigma
    across = derivatives @ left_of(direction) * sigma
    parts = (along, across, along[:2], across[:2])
    deviations = [hypot(*part.tolist()) for part in parts]
    return GroundSpread(points[4], *deviations) if all(map(isfinite, deviations)) else None


def _nod(ray: NDArray[np.float64], angle_rad: float) -> NDArray[np.float64]:
    """A ray of the optical frame after the camera turned down by a small angle."""
    return ray + angle_rad * np.array([0.0, ray[2], -ray[1]])


def unit_xy(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """The direction of a (2,) vector; forward (x) for a vector without length."""
    length = hypot(vector[0], vector[1])
    if not length > 0:
        return np.array([1.0, 0.0])
    return np.asarray(vector / length)


def left_of(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """A (2,) vector turned left by a right angle, as long as it was."""
    return np.array([-direction[1], direction[0]])
