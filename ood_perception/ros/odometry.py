"""Where the vehicle was at an image's stamp, from the odometry that the parameter names."""

from __future__ import annotations

import importlib.util
from math import atan2
from typing import Any

from geometry_msgs.msg import TwistStamped
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data

from ood_perception.ego_motion import (
    EgoPose,
    OdometryBuffer,
    OdometryError,
    TwistIntegrator,
)
from ood_perception.errors import OodError
from ood_perception.message_stamp import stamp_ns_of

ODOMETRY_TOPIC = "~/odometry"


class OdometryInput:
    """Subscribes ``~/odometry`` from ``start`` to ``destroy``.

    kind: none, twist (geometry_msgs/TwistStamped of the ground frame) or odometry
    (nav_msgs/Odometry whose child frame is the ground frame).
    """

    def __init__(self, node: Node, kind: str) -> None:
        self._node, self._kind = node, kind
        self._buffer = OdometryBuffer()
        self._twists = TwistIntegrator(self._buffer)
        self._subscription: Any = None

    def start(self) -> None:
        """Subscribes. Raises OodError for odometry when this installation has no nav_msgs."""
        if self._kind == "twist":
            self._subscribe(TwistStamped, self._take_twist)
        elif self._kind == "odometry":
            if importlib.util.find_spec("nav_msgs") is None:
                raise OodError(
                    "odometry is odometry, but nav_msgs is not installed: install "
                    "ros-$ROS_DISTRO-nav-msgs or give a TwistStamped with odometry: twist"
                )
            from nav_msgs.msg import Odometry

            self._subscribe(Odometry, self._take_odometry)

    def pose_at(self, stamp_ns: int) -> EgoPose | None:
        """The vehicle's pose at an image's stamp, or None where it is not told."""
        return self._buffer.pose_at(stamp_ns)

    def destroy(self) -> None:
        """Takes the subscription off the graph."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def _subscribe(self, kind: type, take: Any) -> None:
        self._subscription = self._node.create_subscription(
            kind, ODOMETRY_TOPIC, take, qos_profile_sensor_data
        )

    def _take_twist(self, message: TwistStamped) -> None:
        twist = message.twist
        self._guarded(
            self._twists.add, stamp_ns_of(message), float(twist.linear.x), float(twist.angular.z)
        )

    def _take_odometry(self, message: Any) -> None:
        position, turn = message.pose.pose.position, message.pose.pose.orientation
        yaw = atan2(
            2 * (turn.w * turn.z + turn.x * turn.y), 1 - 2 * (turn.y * turn.y + turn.z * turn.z)
        )
        pose = EgoPose(float(position.x), float(position.y), yaw)
        self._guarded(self._buffer.add, stamp_ns_of(message), pose)

    def _guarded(self, take: Any, *values: Any) -> None:
        try:
            take(*values)
        except OdometryError as error:
            self._node.get_logger().error(str(error), throttle_duration_sec=5.0)
