"""Distances measured in a camera's view: a registered depth image or the points of another sensor.

Each image of the camera takes the measurement that is nearest to it in time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Header

from ood_perception.camera import CameraModel, Mounting
from ood_perception.depth_messages import cloud_points, depth_metres
from ood_perception.depth_placement import (
    DepthAt,
    DepthError,
    DepthView,
    view_of_depth_image,
    view_of_points,
)
from ood_perception.errors import ImageError
from ood_perception.message_stamp import stamp_ns_of
from ood_perception.nearest_stamp import NearestStamp
from ood_perception.ros.parameters import NodeSettings
from ood_perception.ros.serialised_image import read_image
from ood_perception.ros.serialised_stamp import read_stamp_ns
from ood_perception.ros.transform_buffer import TransformUnknownError
from ood_perception.ros.transforms import MountingSource

_KEPT = 5
_COLUMNS_LOOKED_AT = 320
_QOS = QoSProfile(depth=2, reliability=ReliabilityPolicy.BEST_EFFORT)


class DepthInput:
    """Subscribes ``~/NAME/depth`` (sensor_msgs/Image) or ``~/NAME/points`` (PointCloud2).

    It does so from ``start`` to ``destroy``, and not at all where the parameter ``depth`` is none.
    """

    def __init__(
        self, node: Node, camera: str, settings: NodeSettings, mounting_source: MountingSource
    ) -> None:
        self._node, self._camera = node, camera
        self._kind = settings.depth
        self._ground_frame_id = settings.ground_frame_id
        self._mounting_source = mounting_source
        self._messages: NearestStamp[Any] = NearestStamp(_KEPT, settings.depth_max_offset_s)
        self._subscription: Any = None

    @property
    def topic(self) -> str:
        """The topic, relative to the node."""
        return f"~/{self._camera}/{'depth' if self._kind == 'image' else 'points'}"

    def start(self) -> None:
        """Subscribes."""
        if self._kind == "none":
            return
        is_image = self._kind == "image"
        # rclpy's own reading would copy each depth image in the executor, used or not.
        self._subscription = self._node.create_subscription(
            Image if is_image else PointCloud2,
            self.topic,
            self._take_image if is_image else self._take_points,
            _QOS,
            raw=is_image,
        )

    def destroy(self) -> None:
        """Takes the subscription off the graph."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def at(self, stamp_ns: int, image: Header) -> DepthAt | None:
        """How to get the distances that belong to an image; None where none are subscribed.

        image: its header. What it gives raises DepthError where nothing was measured near the
        stamp, or where it cannot be used.
        """
        if self._kind == "none":
            return None
        return lambda camera, mounting: self._view(stamp_ns, image.frame_id, camera, mounting)

    def _take_image(self, serialised: bytes) -> None:
        self._messages.add(read_stamp_ns(serialised), serialised)

    def _take_points(self, message: PointCloud2) -> None:
        self._messages.add(stamp_ns_of(message), message)

    def _view(
        self, stamp_ns: int, image_frame_id: str, camera: CameraModel, mounting: Mounting
    ) -> DepthView:
        found = self._messages.at(stamp_ns)
        if found is None:
            raise DepthError(
                f"{self.topic}: nothing was measured near the image's stamp, obstacles are placed "
                "on a flat ground; is it published, and is depth_max_offset_s long enough?"
            )
        measured_ns, message = found
        if self._kind == "image":
            depth = self._depth(message)
            step_px = max(1, depth.shape[1] // _COLUMNS_LOOKED_AT)
            return view_of_depth_image(depth, camera, measured_ns, step_px=step_px)
        points = self._optical(message, image_frame_id, mounting)
        return view_of_points(points, camera, measured_ns)

    def _depth(self, serialised: bytes) -> NDArray[np.float32]:
        try:
            return depth_metres(read_image(serialised, Image))
        except ImageError as error:  # of the depth image: the camera's own is good
            raise DepthError(f"{self.topic}: {error}") from error

    def _optical(
        self, cloud: PointCloud2, image_frame_id: str, mounting: Mounting
    ) -> NDArray[np.float64]:
        """Points of a cloud in the camera's optical frame."""
        points, frame_id = cloud_points(cloud), cloud.header.frame_id
        if frame_id == image_frame_id:
            return points
        if frame_id != self._ground_frame_id:
            try:
                sensor = self._mounting_source.to_ground(frame_id, stamp_ns_of(cloud))
            except TransformUnknownError as error:
                raise DepthError(f"{self.topic}: {error}") from error
            points = sensor.apply(points)
        return (points - mounting.translation) @ mounting.rotation
