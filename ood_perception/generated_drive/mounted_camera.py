"""The camera of a generated scene as the pipeline knows cameras: intrinsics and mounting."""

from __future__ import annotations

import numpy as np

from ood_perception.camera import CameraModel, Mounting

from .camera import CameraSetup


def camera_model(setup: CameraSetup) -> CameraModel:
    """The intrinsics: an ideal pinhole."""
    return CameraModel(setup.width, setup.height, setup.matrix(), np.empty(0))


def mounting(setup: CameraSetup) -> Mounting:
    """Where the camera sits. Scenes count pitch upwards, ROS (REP 103) downwards."""
    return Mounting.from_angles(setup.height_m, -setup.pitch_rad, setup.roll_rad)
