"""Where a pixel looks: the camera's intrinsics, and how the camera is mounted on the vehicle.

Pixel coordinates here are OpenCV's and ROS': the centre of the top left pixel is (0, 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, sin

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ood_perception.errors import OodError

DISTORTION_COEFFICIENTS = {
    "none": (0,),
    "plumb_bob": (4, 5),
    "rational_polynomial": (8, 12, 14),
    "equidistant": (4,),
}
"""Distortion models of sensor_msgs/CameraInfo and the numbers of coefficients they may have."""

_BODY_FROM_OPTICAL = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
_MAX_ROUND_TRIP_ERROR_PX = 0.05
_ASPECT_TOLERANCE = 0.01
_ITERATIONS = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 100, 1e-12)


class CameraError(OodError):
    """Intrinsics or a mounting that no camera can have, or that belong to another image."""


@dataclass(frozen=True, eq=False)
class CameraModel:
    """A pinhole camera with lens distortion.

    width, height: size in pixels of the images that the intrinsics belong to.
    matrix: (3, 3) float64 [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], pixels.
    distortion: (k,) float64 coefficients in the order of OpenCV and sensor_msgs/CameraInfo.
    distortion_model: a key of ``DISTORTION_COEFFICIENTS``.

    Raises CameraError when a value is impossible, such as a focal length of zero.
    """

    width: int
    height: int
    matrix: NDArray[np.float64]
    distortion: NDArray[np.float64]
    distortion_model: str = "none"

    def __post_init__(self) -> None:
        object.__setattr__(self, "matrix", np.array(self.matrix, dtype=np.float64))
        object.__setattr__(self, "distortion", np.array(self.distortion, dtype=np.float64).ravel())
        if self.width <= 0 or self.height <= 0:
            raise CameraError(
                f"camera intrinsics: image size {self.width}x{self.height} is not positive; "
                "publish a calibrated camera_info"
            )
        if self.matrix.shape != (3, 3) or not np.isfinite(self.matrix).all():
            raise CameraError("camera intrinsics: the matrix must be 3x3 and finite; calibrate")
        fx, fy = self.matrix[0, 0], self.matrix[1, 1]
        if fx <= 0 or fy <= 0:
            raise CameraError(
                f"camera intrinsics: focal length ({fx:g}, {fy:g}) is not positive; "
                "the camera is not calibrated"
            )
        if not np.allclose(self.matrix[[0, 1, 2, 2, 2], [1, 0, 0, 1, 2]], [0, 0, 0, 0, 1]):
            raise CameraError("camera intrinsics: the matrix is not [fx 0 cx; 0 fy cy; 0 0 1]")
        self._check_distortion()

    def _check_distortion(self) -> None:
        allowed = DISTORTION_COEFFICIENTS.get(self.distortion_model)
        if allowed is None:
            raise CameraError(
                f"camera intrinsics: unknown distortion model {self.distortion_model!r}; "
                f"known are {', '.join(DISTORTION_COEFFICIENTS)}"
            )
        if len(self.distortion) not in allowed or not np.isfinite(self.distortion).all():
            raise CameraError(
                f"camera intrinsics: {self.distortion_model} takes "
                f"{' or '.join(map(str, allowed))} finite coefficients, got {len(self.distortion)}"
            )

    @classmethod
    def from_camera_info(
        cls, width: int, height: int, k: Sequence[float], d: Sequence[float], model: str
    ) -> CameraModel:
        """The fields of a sensor_msgs/CameraInfo: k (9,) row-major, d (k,), distortion_model.

        An empty model or no coefficients mean an image without distortion. Raises CameraError.
        """
        if len(k) != 9:
            raise CameraError(f"camera intrinsics: k has {len(k)} values instead of 9")
        if not len(d):
            model = "none"
        elif model in ("", "none") and not any(d):
            model, d = "none", []
        matrix = np.array(k, dtype=np.float64).reshape(3, 3)
        return cls(int(width), int(height), matrix, np.array(d, dtype=np.float64), model)

    def rays(self, points_px: ArrayLike) -> NDArray[np.float64]:
        """Viewing rays of pixels.

        points_px: (k, 2) float, (x, y) in pixels.
        Returns (k, 3) float64 rays with z = 1 in the optical frame (x right, y down, z forward);
        NaN where the lens model cannot be inverted (pixels outside its valid field of view).
        """
        points = np.array(points_px, dtype=np.float64).reshape(-1, 2)
        if not len(points):
            return np.empty((0, 3))
        if self.distortion_model == "none":
            flat = cv2.undistortPoints(points[:, None], self.matrix, None)
        elif self.distortion_model == "equidistant":
            flat = cv2.fisheye.undistortPoints(points[:, None], self.matrix, self.distortion)
        else:
            flat = _undistort(points[:, None], self.matrix, self.distortion)
        flat = np.asarray(flat, dtype=np.float64).reshape(-1, 2)
        rays = np.column_stack([flat, np.ones(len(points))])
        error = np.abs(self.project(rays) - points).max(axis=1)
        rays[~(error < _MAX_ROUND_TRIP_ERROR_PX)] = np.nan
        return rays

    def project(self, points: ArrayLike) -> NDArray[np.float64]:
        """Pixels of points in the optical frame.

        points: (k, 3) float, metres. Returns (k, 2) float64 pixels, NaN behind the camera.
        """
        points = np.array(points, dtype=np.float64).reshape(-1, 3)
        if not len(points):
            return np.empty((0, 2))
        behind = ~(points[:, 2] > 0)
        points[behind] = (0.0, 0.0, 1.0)
        zero = np.zeros(3)
        if self.distortion_model == "equidistant":
            pixels, _ = cv2.fisheye.projectPoints(
                points[:, None], zero, zero, self.matrix, self.distortion
            )
        else:
            pixels, _ = cv2.projectPoints(points[:, None], zero, zero, self.matrix, self.distortion)
        pixels = np.asarray(pixels, dtype=np.float64).reshape(-1, 2)
        pixels[behind] = np.nan
        return pixels

    def scaled_to(self, width: int, height: int) -> CameraModel:
        """The same camera for images of another size with the same aspect ratio (within 1 %).

        Raises CameraError when the aspect differs: such an image was cropped, not scaled.
        """
        if (width, height) == (self.width, self.height):
            return self
        if width <= 0 or height <= 0:
            raise CameraError(f"cannot scale camera intrinsics to an image of {width}x{height}")
        scale_x, scale_y = width / self.width, height / self.height
        if abs(scale_x / scale_y - 1) > _ASPECT_TOLERANCE:
            raise CameraError(
                f"camera intrinsics are for {self.width}x{self.height} but the image is "
                f"{width}x{height}, of another aspect; publish the camera_info of this image"
            )
        # Pixel centres lie on whole numbers, so that scaling keeps the corner at -0.5.
        scale = np.array(
            [[scale_x, 0, (scale_x - 1) / 2], [0, scale_y, (scale_y - 1) / 2], [0, 0, 1]]
        )
        return CameraModel(
            width, height, scale @ self.matrix, self.distortion, self.distortion_model
        )


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


def _undistort(
    points: NDArray[np.float64], matrix: NDArray[np.float64], distortion: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Inverts the lens model until it converges; OpenCV's five default rounds are too few."""
    iterate = getattr(cv2, "undistortPointsIter", None)  # OpenCV 4's name
    if iterate is not None:
        return np.asarray(iterate(points, matrix, distortion, None, None, _ITERATIONS))
    return np.asarray(cv2.undistortPoints(points, matrix, distortion, criteria=_ITERATIONS))
