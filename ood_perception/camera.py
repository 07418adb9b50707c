"""Where a pixel looks: the camera's intrinsics, and how the camera is mounted on the vehicle.

Pixel coordinates here are OpenCV's and ROS': the centre of the top left pixel is (0, 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ood_perception.errors import CameraError
from ood_perception.mounting import Mounting

__all__ = ["DISTORTION_COEFFICIENTS", "CameraError", "CameraModel", "Mounting"]

DISTORTION_COEFFICIENTS = {
    "none": (0,),
    "plumb_bob": (4, 5),
    "rational_polynomial": (8, 12, 14),
    "equidistant": (4,),
}
"""Distortion models of sensor_msgs/CameraInfo and the numbers of coefficients they may have."""

_MAX_ROUND_TRIP_ERROR_PX = 0.05
_ASPECT_TOLERANCE = 0.01
_ITERATIONS = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 100, 1e-12)


@dataclass(frozen=True, eq=False)
class CameraModel:
    """A pinhole camera with lens distortion.

    width, height: size in pixels of the images that the intrinsics belong to.
    matrix: (3, 3) float64 [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], pixels.
    distortion: (k,) float64 coefficients in the order of OpenCV and sensor_msgs/CameraInfo.
    distortion_model: a key of ``DISTORTION_COEFFICIENTS``.
    whole: the camera of the whole, unbinned images, where these are a part of them or binned.

    Raises CameraError when a value is impossible, such as a focal length of zero.
    """

    width: int
    height: int
    matrix: NDArray[np.float64]
    distortion: NDArray[np.float64]
    distortion_model: str = "none"
    whole: CameraModel | None = None

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
        For rectified images, regions of interest and binning see ``camera_info``.
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
        if self._is_straight:
            return self._straight_rays(points)
        if self.distortion_model == "equidistant":
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
        if self._is_straight:
            return self._straight_pixels(points)
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

    @cached_property
    def _is_straight(self) -> bool:
        """Whether the lens bends nothing, so that a few products say what OpenCV's calls would."""
        return self.distortion_model != "equidistant" and not self.distortion.any()

    def _straight_rays(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        rays = np.ones((len(points), 3))
        rays[:, :2] = (points - self.matrix[:2, 2]) / self.matrix.diagonal()[:2]
        if not np.isfinite(rays).all():
            rays[~np.isfinite(rays).all(axis=1)] = np.nan
        return rays

    def _straight_pixels(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        depth = np.where(points[:, 2] > 0, points[:, 2], np.nan)[:, None]
        return points[:, :2] / depth * self.matrix.diagonal()[:2] + self.matrix[:2, 2]

    def scaled_to(self, width: int, height: int) -> CameraModel:
        """The same camera for images of another size with the same aspect ratio (within 1 %).

        Raises CameraError when the aspect differs: such an image was cropped, not scaled.
        """
        if (width, height) == (self.width, self.height):
            return self
        if self.whole is not None and (width, height) == (self.whole.width, self.whole.height):
            # Some drivers tell of a region or of binning and publish whole images all the same.
            return self.whole
        if width <= 0 or height <= 0:
            raise CameraError(f"cannot scale camera intrinsics to an image of {width}x{height}")
        scale_x, scale_y = width / self.width, height / self.height
        if abs(scale_x / scale_y - 1) > _ASPECT_TOLERANCE:
            raise CameraError(
                f"camera intrinsics are for {self.width}x{self.height} but the image is "
                f"{width}x{height}, of another aspect; publish the camera_info of this image"
            )
        return self._scaled(width, height, scale_x, scale_y)

    def cut_to(self, x: int, y: int, width: int, height: int) -> CameraModel:
        """The camera of a part of its images, pixels. Raises CameraError outside of the image."""
        if x < 0 or y < 0 or x + width > self.width or y + height > self.height:
            raise CameraError(
                f"camera_info: its region {width}x{height} at ({x}, {y}) is not inside the image "
                f"of {self.width}x{self.height}; correct the driver's roi"
            )
        shift = np.array([[1.0, 0, -x], [0, 1, -y], [0, 0, 1]])
        return CameraModel(
            width, height, shift @ self.matrix, self.distortion, self.distortion_model
        )

    def binned(self, columns: int, rows: int) -> CameraModel:
        """The camera of images in which so many columns and rows of pixels became one."""
        width, height = self.width // columns, self.height // rows
        return self._scaled(width, height, 1 / columns, 1 / rows)

    def _scaled(self, width: int, height: int, scale_x: float, scale_y: float) -> CameraModel:
        # Pixel centres lie on whole numbers, so that scaling keeps the corner at -0.5.
        scale = np.array(
            [[scale_x, 0, (scale_x - 1) / 2], [0, scale_y, (scale_y - 1) / 2], [0, 0, 1]]
        )
        return CameraModel(
            width, height, scale @ self.matrix, self.distortion, self.distortion_model
        )


def _undistort(
    points: NDArray[np.float64], matrix: NDArray[np.float64], distortion: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Inverts the lens model until it converges; OpenCV's five default rounds are too few."""
    iterate = getattr(cv2, "undistortPointsIter", None)  # OpenCV 4's name
    if iterate is not None:
        return np.asarray(iterate(points, matrix, distortion, None, None, _ITERATIONS))
    return np.asarray(cv2.undistortPoints(points, matrix, distortion, criteria=_ITERATIONS))
