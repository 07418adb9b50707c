"""Where a camera sits on the vehicle: from parameters, or from TF at the image's stamp."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from time import monotonic
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time

from ood_perception.camera import CameraError, Mounting
from ood_perception.errors import OodError
from ood_perception.ros.parameters import NodeSettings

_TF_TIMEOUT_S = 0.05
_WAITS_IN_VAIN = 3
_NEXT_WAIT_S = 1.0


class MountingUnknownError(OodError):
    """The camera's place cannot be had for this image."""


class MountingSource(Protocol):
    """Answers where a camera sat when an image was taken."""

    def mounting(self, camera: str, frame_id: str, stamp_ns: int) -> Mounting:
        """Raises MountingUnknownError with one line."""

    def close(self) -> None:
        """Ends what it holds of ROS."""


class NoMounting:
    """The answer of mounting_source "none"."""

    def mounting(self, camera: str, frame_id: str, stamp_ns: int) -> Mounting:
        """Always raises MountingUnknownError."""
        raise MountingUnknownError(
            f"the mounting of {camera} is not known: set mounting_source to parameters or tf"
        )

    def close(self) -> None:
        """Nothing to end."""


class ParameterMounting:
    """The mounting that the parameters give, at all times."""

    def __init__(self, mountings: dict[str, Mounting]) -> None:
        self._mountings = mountings

    def mounting(self, camera: str, frame_id: str, stamp_ns: int) -> Mounting:
        """The camera's mounting; frame and stamp do not matter."""
        return self._mountings[camera]

    def close(self) -> None:
        """Nothing to end."""


class _Patience:
    """How long to wait for one camera's transform.

    All cameras share the thread that waits: one whose transform never comes must not slow the
    others. After three waits in vain only one image a second waits, until one has its transform.
    """

    def __init__(self) -> None:
        self._in_vain = 0
        self._last_s = 0.0

    def wait_s(self) -> float:
        """Seconds, for the image at hand."""
        now_s = monotonic()
        if self._in_vain >= _WAITS_IN_VAIN and now_s - self._last_s < _NEXT_WAIT_S:
            return 0.0
        self._last_s = now_s
        return _TF_TIMEOUT_S

    def note(self, found: bool) -> None:
        """Whether the image at hand had its transform."""
        self._in_vain = 0 if found else self._in_vain + 1


class TransformMounting:
    """The transform from the image's frame to the ground frame at the image's own stamp.

    The image's frame must be the optical one (x right, y down, z forward). Standard deviations
    come from the parameters, as TF has none.
    """

    def __init__(self, node: Node, ground_frame_id: str, mountings: dict[str, Mounting]) -> None:
        import tf2_ros

        self._errors = tf2_ros.TransformException
        self._ground_frame_id = ground_frame_id
        self._mountings = mountings
        self._patience = {camera: _Patience() for camera in mountings}
        self._buffer = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node)

    def mounting(self, camera: str, frame_id: str, stamp_ns: int) -> Mounting:
        """Waits up to 50 ms for a transform that is not known to be missing.

        Raises MountingUnknownError.
        """
        patience = self._patience[camera]
        try:
            found = self._buffer.lookup_transform(
                self._ground_frame_id,
                frame_id,
                Time(nanoseconds=stamp_ns),
                Duration(seconds=patience.wait_s()),
            ).transform
        except self._errors as error:
            patience.note(found=False)
            raise MountingUnknownError(
                f"no transform from {frame_id!r} to {self._ground_frame_id!r} at the image's "
                f"stamp: {' '.join(str(error).split())}"
            ) from error
        patience.note(found=True)
        try:
            return replace(
                self._mountings[camera],
                rotation=rotation_matrix(found.rotation),
                translation=np.array(
                    [found.translation.x, found.translation.y, found.translation.z]
                ),
            )
        except CameraError as error:
            raise MountingUnknownError(str(error)) from error

    def close(self) -> None:
        """Stops to listen."""
        self._listener.unregister()


def create_mounting_source(node: Node, settings: NodeSettings) -> MountingSource:
    """The source that the parameter ``mounting_source`` names.

    Raises OodError when it is tf and this installation has no tf2_ros.
    """
    if settings.mounting_source == "parameters":
        return ParameterMounting(settings.mountings)
    if settings.mounting_source == "none":
        return NoMounting()
    if importlib.util.find_spec("tf2_ros") is None:
        raise OodError(
            "mounting_source is tf, but tf2_ros is not installed: install ros-$ROS_DISTRO-tf2-ros "
            "or set mounting_source to parameters"
        )
    return TransformMounting(node, settings.ground_frame_id, settings.mountings)


def rotation_matrix(quaternion: Any) -> NDArray[np.float64]:
    """(3, 3) float64 of a geometry_msgs/Quaternion, which is brought to unit length."""
    values = np.array([quaternion.x, quaternion.y, quaternion.z, quaternion.w], dtype=np.float64)
    x, y, z, w = values / max(1e-12, float(np.linalg.norm(values)))
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
