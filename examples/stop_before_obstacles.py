#!/usr/bin/env python3
"""The plainest consumer: stop for points in the way, for silence, and for the watchdog's word.

    ros2 run ood_detection stop_before_obstacles.py --ros-args -p stop_distance_m:=12.0

Says on ~/stop (std_msgs/Bool) ten times a second whether to stop, and logs why when that changes.
An empty, fresh cloud is the only thing that lets it say "go".
"""

from __future__ import annotations

import sys
from time import monotonic

import numpy as np
import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Bool

_PERIOD_S = 0.1


def points_of(cloud: PointCloud2) -> np.ndarray:
    """(n, 3) float32 x, y, z in metres of a cloud whose points begin with these three."""
    rows = np.frombuffer(cloud.data, np.uint8).reshape(-1, cloud.point_step)
    return np.ascontiguousarray(rows[:, :12]).view("<f4")


class StopBeforeObstacles(Node):
    """points: the obstacle cloud. watchdog: a Bool that says stop, and whose silence says it too.

    A path of half_width_m to both sides of the vehicle's x axis is watched up to stop_distance_m:
    put the distance in which the vehicle stops there, and add its speed times the time that an
    obstacle needs to be confirmed and published.
    """

    def __init__(self, **options: object) -> None:
        super().__init__("stop_before_obstacles", **options)
        self._points_topic = self.declare_parameter(
            "points", "/ood_perception/camera/obstacle_points"
        ).value
        self._watchdog_topic = self.declare_parameter("watchdog", "/obstacle_watchdog/stop").value
        self._stop_distance_m = float(self.declare_parameter("stop_distance_m", 15.0).value)
        self._half_width_m = float(self.declare_parameter("half_width_m", 1.2).value)
        self._timeout_s = float(self.declare_parameter("timeout_s", 0.5).value)
        self._heard_s = {self._points_topic: None, self._watchdog_topic: None}
        self._nearest_m: float | None = None
        self._watchdog_stops = True
        self.create_subscription(PointCloud2, self._points_topic, self._take_points, 10)
        self.create_subscription(Bool, self._watchdog_topic, self._take_watchdog, 10)
        self._stop = self.create_publisher(Bool, "~/stop", 1)
        self._said: str | None = None
        self.create_timer(_PERIOD_S, self._beat, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _take_points(self, cloud: PointCloud2) -> None:
        points = points_of(cloud)
        ahead = points[(points[:, 0] > 0) & (np.abs(points[:, 1]) <= self._half_width_m)]
        self._nearest_m = float(ahead[:, 0].min()) if len(ahead) else None
        self._heard_s[self._points_topic] = monotonic()

    def _take_watchdog(self, message: Bool) -> None:
        self._watchdog_stops = message.data
        self._heard_s[self._watchdog_topic] = monotonic()

    def _reason(self) -> str:
        """Why to stop, or an empty text."""
        for topic, heard_s in self._heard_s.items():
            if heard_s is None or monotonic() - heard_s > self._timeout_s:
                return f"{topic} is silent"
        if self._watchdog_stops:
            return "the watchdog says stop"
        if self._nearest_m is not None and self._nearest_m <= self._stop_distance_m:
            return "an obstacle in the way"
        return ""

    def _beat(self) -> None:
        reason = self._reason()
        self._stop.publish(Bool(data=bool(reason)))
        if reason != self._said:
            self._said = reason
            self.get_logger().info(f"stop: {reason}" if reason else "go")


def main() -> int:
    """Runs until Ctrl-C."""
    rclpy.init()
    try:
        rclpy.spin(StopBeforeObstacles())
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
