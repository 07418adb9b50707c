"""How a camera is mounted on the vehicle."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, sin

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import CameraError

_BODY_FROM_OPTICAL = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


@dataclass(frozen=True, eq=False)
class Mounting:
    """Where the camera sits in the ground frame: x forward, y left, z up, the ground is z = 0.

    rotation: (3, 3) float64, turns vectors of the optical frame (x right, y down, z forward) into
        the ground frame.
    translation: (3,) float64, the camera's position in the ground frame, metres; z is its height
        above the ground and must be positive.
    height_stddev_m: standard deviation of the camera's height above the ground under the obstacle.
    pitch_stddev_rad: standard deviation of its pitch, calibration and the vehicle's nodding
        together; the default suits a stiff vehicle, a soft one nods by 0.01 when it brakes.

    Raises CameraError when the rotation is none or the camera is not above the ground.
    """

    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]
    height_stddev_m: float = 0.02
    pitch_stddev_rad: float = 0.0025

    def __post_init__(self) -> None:
        object.__setattr__(self, "rotation", np.array(self.rotation, dtype=np.float64))
        object.__setattr__(
            self, "translation", np.array(self.translation, dtype=np.float64).ravel()
        )
        rotation, translation = self.rotation, self.translation
        if (
            rotation.shape != (3, 3)
            or not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-4)
            or np.linalg.det(rotation) < 0
        ):
            raise CameraError("camera mounting: the rotation is not a 3x3 rotation matrix")
        if translation.shape != (3,) or not np.isfinite(translation).all() or translation[2] <= 0:
            raise CameraError(
                f"camera mounting: position {translation.tolist()} is not above the ground; the "
                "ground frame must have its origin on the ground and z up"
            )
        if not (self.height_stddev_m >= 0 and self.pitch_stddev_rad >= 0):
            raise CameraError("camera mounting: standard deviations must not be negative")

    @classmethod
    def from_angles(
        cls,
        height_m: float,
        pitch_rad: float,
        roll_rad: float = 0.0,
        yaw_rad: float = 0.0,
        x_m: float = 0.0,
        y_m: float = 0.0,
        height_stddev_m: float = 0.02,
        pitch_stddev_rad: float = 0.0025,
    ) -> Mounting:
        """A mounting from ROS angles (REP 103), turned in the order roll, pitch, yaw.

        pitch_rad turns about y (left): POSITIVE LOOKS DOWN (nose down). yaw_rad turns about z:
        positive looks left. roll_rad turns about x: positive leans to the right.
        height_m: above the ground; x_m, y_m: forward and left of the ground frame's origin.
        """
        rotation = _rotation(2, yaw_rad) @ _rotation(1, pitch_rad) @ _rotation(0, roll_rad)
        return cls(
            rotation @ _BODY_FROM_OPTICAL,
            np.array([x_m, y_m, height_m]),
            height_stddev_m,
            pitch_stddev_rad,
        )

    def moved(self, pitch_rad: float = 0.0, height_m: float = 0.0) -> Mounting:
        """The mounting after the camera nods down by pitch_rad about its own x axis and rises."""
        return Mounting(
            self.rotation @ _rotation(0, -pitch_rad),
            self.translation + np.array([0.0, 0.0, height_m]),
            self.height_stddev_m,
            self.pitch_stddev_rad,
        )


def _rotation(axis: int, angle_rad: float) -> NDArray[np.float64]:
    """Right-handed turn about a coordinate axis (0, 1, 2)."""
    rotation = np.eye(3)
    first, second = (axis + 1) % 3, (axis + 2) % 3
    rotation[[first, second], [first, second]] = cos(angle_rad)
    rotation[first, second], rotation[second, first] = -sin(angle_rad), sin(angle_rad)
    return rotation
