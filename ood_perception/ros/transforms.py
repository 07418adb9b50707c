"""Where a camera sits on the vehicle: from parameters, or from TF at the image's stamp."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import Protocol

from rclpy.node import Node

from ood_perception.camera import CameraError, Mounting
from ood_perception.errors import OodError
from ood_perception.ros.parameters import NodeSettings
from ood_perception.ros.transform_buffer import (
    FrameTransform,
    TransformBuffer,
    TransformUnknownError,
)


class MountingUnknownError(OodError):
    """The camera's place cannot be had for this image."""


class MountingSource(Protocol):
    """Answers where a camera, or another sensor, sat when it measured."""

    def mounting(self, camera: str, frame_id: str, stamp_ns: int) -> Mounting:
        """Raises MountingUnknownError with one line."""

    def to_ground(self, frame_id: str, stamp_ns: int) -> FrameTransform:
        """Where any frame lay in the ground frame. Raises TransformUnknownError with one line."""

    def reset(self) -> None:
        """Stamps went back: what was heard of a later time is of another run."""

    def close(self) -> None:
        """Ends what it holds of ROS."""


class _WithoutTransforms:
    """What the sources without TF have in common: they know no frame and hear of nothing."""

    def to_ground(self, frame_id: str, stamp_ns: int) -> FrameTransform:
        """Always raises TransformUnknownError."""
        raise TransformUnknownError(
            f"frame {frame_id!r} is neither the image's nor the ground frame: set mounting_source "
            "to tf, or transform what is measured in it"
        )

    def reset(self) -> None:
        """Nothing to forget."""

    def close(self) -> None:
        """Nothing to end."""


class NoMounting(_WithoutTransforms):
    """The answer of mounting_source "none"."""

    def mounting(self, camera: str, frame_id: str, stamp_ns: int) -> Mounting:
        """Always raises MountingUnknownError."""
        raise MountingUnknownError(
            f"the mounting of {camera} is not known: set mounting_source to parameters or tf"
        )


class ParameterMounting(_WithoutTransforms):
    """The mounting that the parameters give, at all times."""

    def __init__(self, mountings: dict[str, Mounting]) -> None:
        self._mountings = mountings

    def mounting(self, camera: str, frame_id: str, stamp_ns: int) -> Mounting:
        """The camera's mounting; frame and stamp do not matter."""
        return self._mountings[camera]


class TransformMounting:
    """The transform from the image's frame to the ground frame at the image's own stamp.

    The image's frame must be the optical one (x right, y down, z forward). Standard deviations
    come from the parameters, as TF has none.
    """

    def __init__(self, node: Node, ground_frame_id: str, mountings: dict[str, Mounting]) -> None:
        self._mountings = mountings
        self._transforms = TransformBuffer(node, ground_frame_id)

    def mounting(self, camera: str, frame_id: str, stamp_ns: int) -> Mounting:
        """Waits up to 50 ms for a transform that is not known to be missing.

        Raises MountingUnknownError, also for a place that no camera can have.
        """
        try:
            found = self._transforms.to_ground(frame_id, stamp_ns)
            return replace(
                self._mountings[camera], rotation=found.rotation, translation=found.translation
            )
        except (TransformUnknownError, CameraError) as error:
            raise MountingUnknownError(str(error)) from error

    def to_ground(self, frame_id: str, stamp_ns: int) -> FrameTransform:
        """Waits up to 50 ms for a transform that is not known to be missing.

        Raises TransformUnknownError.
        """
        return self._transforms.to_ground(frame_id, stamp_ns)

    def reset(self) -> None:
        """Forgets all transforms that change."""
        self._transforms.reset()

    def close(self) -> None:
        """Stops to listen."""
        self._transforms.close()


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
