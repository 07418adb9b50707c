#!/usr/bin/env python3
"""Asks for a stop whenever a topic that braking depends on has gone silent, or stands still.

Autoware's autonomous emergency braking keeps the last point cloud and never notices that no new one
comes. Run this beside it:

    ros2 run ood_detection obstacle_watchdog.py --ros-args \
        -p topics:="[/ood_perception/front/obstacle_points]" -p timeout_s:=0.5

Says on ~/stop (std_msgs/Bool) ten times a second whether to stop, and on /diagnostics (ERROR) which
topic is silent and for how long. It can die too: whoever reads ~/stop stops when that is silent.
"""

from __future__ import annotations

import sys
from time import monotonic

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Bool

_PERIOD_S = 0.1


class Freshness:
    """How long ago a topic last said something new.

    A message counts only when its stamp is newer than the one before, so that a publisher that
    repeats itself, or whose clock stands still, is as good as dead; a stamp that jumps back starts
    a new count (a bag that begins again). Time is measured by the steady clock: simulated time that
    stands still stops the messages and not the watchdog.
    """

    def __init__(self, now_s: float) -> None:
        self._since_s = now_s
        self._stamp_ns: int | None = None

    def take(self, stamp_ns: int, now_s: float) -> None:
        """A message arrived. stamp_ns: of its header; now_s: by the steady clock."""
        if stamp_ns != self._stamp_ns:
            self._stamp_ns, self._since_s = stamp_ns, now_s

    def silent_s(self, now_s: float) -> float:
        """Seconds since the last new message; since the start, when there was none yet."""
        return now_s - self._since_s

    @property
    def has_spoken(self) -> bool:
        """Whether a message came at all."""
        return self._stamp_ns is not None


class ObstacleWatchdog(Node):
    """One heartbeat for all topics: stop when any of them is silent, or has not spoken yet."""

    def __init__(self, **options: object) -> None:
        super().__init__("obstacle_watchdog", **options)
        self._topics = self.declare_parameter(
            "topics", ["/ood_perception/camera/obstacle_points"]
        ).value
        self._timeout_s = float(self.declare_parameter("timeout_s", 0.5).value)
        if not self._topics or not self._timeout_s > 0:
            raise ValueError("obstacle_watchdog: name topics, and a timeout_s above 0")
        self._freshness = {topic: Freshness(monotonic()) for topic in self._topics}
        for topic in self._topics:
            self.create_subscription(PointCloud2, topic, self._taker(topic), 10)
        qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        self._stop = self.create_publisher(Bool, "~/stop", qos)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._was_stopping: bool | None = None
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_PERIOD_S, self._beat, clock=steady)

    def _taker(self, topic: str):
        def take(message: PointCloud2) -> None:
            stamp = message.header.stamp
            self._freshness[topic].take(stamp.sec * 10**9 + stamp.nanosec, monotonic())

        return take

    def _beat(self) -> None:
        now_s = monotonic()
        faults = [
            f"{topic} {'silent' if fresh.has_spoken else 'not heard'} "
            f"for {fresh.silent_s(now_s):.1f} s"
            for topic, fresh in self._freshness.items()
            if not fresh.has_spoken or fresh.silent_s(now_s) > self._timeout_s
        ]
        self._stop.publish(Bool(data=bool(faults)))
        self._diagnostics.publish(self._report(faults))
        if bool(faults) != self._was_stopping:
            self._was_stopping = bool(faults)
            if faults:
                self.get_logger().error(f"stop: {'; '.join(faults)}")
            else:
                self.get_logger().info(f"all {len(self._topics)} topic(s) alive")

    def _report(self, faults: list[str]) -> DiagnosticArray:
        status = DiagnosticStatus(
            level=DiagnosticStatus.ERROR if faults else DiagnosticStatus.OK,
            name=f"{self.get_name()}: inputs alive",
            hardware_id=self.get_name(),
            message="; ".join(faults) or "all topics alive",
            values=[KeyValue(key="timeout_s", value=f"{self._timeout_s:g}")],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.get_clock().now().to_msg()
        return array


def main() -> int:
    """Runs until Ctrl-C; 2 and one line on stderr when a parameter cannot be used."""
    rclpy.init()
    try:
        rclpy.spin(ObstacleWatchdog())
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
