"""The example consumers over real DDS: silence stops the vehicle, a clear road lets it go."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]

rclpy = pytest.importorskip("rclpy", reason="rclpy is not installed")

from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from rclpy.time import Time  # noqa: E402
from std_msgs.msg import Bool  # noqa: E402

from ood_perception.ros.node_thread import NodeThread  # noqa: E402
from ood_perception.ros.obstacle_messages import point_cloud  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

from obstacle_watchdog import Freshness, ObstacleWatchdog  # noqa: E402
from stop_before_obstacles import StopBeforeObstacles  # noqa: E402

TOPIC = "/ood_perception/camera/obstacle_points"
TIMEOUT_S = 0.4
COLUMN = np.array([[10.0, 0.2, 0.1], [10.0, 0.2, 0.4]], np.float32)


class Road:
    """A publisher of clouds, the nodes under test, and what they say."""

    def __init__(self, *kinds):
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=random.SystemRandom().randint(1, 99))
        overrides = [Parameter("timeout_s", value=TIMEOUT_S)]
        nodes = [kind(context=self.context, parameter_overrides=overrides) for kind in kinds]
        self.client = rclpy.create_node("client", context=self.context)
        self.heard = {}
        for node in nodes:
            self.listen(f"/{node.get_name()}/stop", Bool)
        self.listen("/diagnostics", DiagnosticArray)
        self.clouds = self.client.create_publisher(type(point_cloud_of(0)), TOPIC, 10)
        self.thread = NodeThread(*nodes, self.client)
        self.wait(lambda: self.clouds.get_subscription_count() == len(nodes), "subscriptions")

    def listen(self, topic, kind):
        self.client.create_subscription(kind, topic, lambda m: self.heard.update({topic: m}), 10)

    def stops(self, node):
        message = self.heard.get(f"/{node}/stop")
        return None if message is None else message.data

    def drive(self, seconds, points=None, stamp_ns=None):
        """Clouds at 20 Hz; all with one stamp where that is given."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.clouds.publish(point_cloud_of(stamp_ns or time.time_ns(), points))
            time.sleep(0.05)

    def wait(self, condition, what, timeout_s=5.0):
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, f"waited in vain for {what}: {self.heard}"
            time.sleep(0.01)

    def close(self):
        self.thread.stop()
        rclpy.shutdown(context=self.context)


def point_cloud_of(stamp_ns, points=None):
    empty = np.empty((0, 3), np.float32)
    return point_cloud(
        empty if points is None else points, Time(nanoseconds=stamp_ns).to_msg(), "base_link"
    )


@pytest.fixture
def road():
    made = []

    def make(*kinds):
        made.append(Road(*kinds))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_before_the_first_cloud_and_after_the_last_the_watchdog_says_stop(road):
    scene = road(ObstacleWatchdog)
    scene.wait(lambda: scene.stops("obstacle_watchdog") is True, "a stop before the first cloud")
    scene.drive(0.6)
    assert scene.stops("obstacle_watchdog") is False, "clouds come: no reason to stop"
    silent_since = time.monotonic()
    scene.wait(lambda: scene.stops("obstacle_watchdog") is True, "a stop in silence", 3.0)
    # The time-out and one beat of the watchdog, and the noise of a busy machine.
    assert time.monotonic() - silent_since < TIMEOUT_S + 0.1 + 0.5
    status = scene.heard["/diagnostics"].status[0]
    assert status.level == status.ERROR
    assert f"{TOPIC} silent for" in status.message
    scene.drive(0.4)
    assert scene.stops("obstacle_watchdog") is False, "the next cloud lets the vehicle go again"


def test_a_publisher_that_repeats_one_stamp_is_as_good_as_dead(road):
    scene = road(ObstacleWatchdog)
    scene.drive(1.0, stamp_ns=time.time_ns())
    assert scene.stops("obstacle_watchdog") is True


def test_a_stamp_that_jumps_back_counts_as_new():
    fresh = Freshness(0.0)
    fresh.take(900, 1.0)
    fresh.take(100, 2.0)
    assert fresh.silent_s(2.5) == pytest.approx(0.5)


def test_the_plain_consumer_goes_only_on_a_fresh_empty_cloud(road):
    scene = road(ObstacleWatchdog, StopBeforeObstacles)

    def stops():
        return scene.stops("stop_before_obstacles")

    scene.wait(lambda: stops() is True, "a stop before anything was heard")
    scene.drive(0.8)
    assert stops() is False
    scene.drive(0.4, COLUMN)
    assert stops() is True, "a column 10 m ahead is in the way"
    scene.drive(0.4, COLUMN + np.float32([0, 3, 0]))
    assert stops() is False, "beside the path"
    scene.drive(0.4, COLUMN + np.float32([20, 0, 0]))
    assert stops() is False, "farther away than the stopping distance"
    scene.wait(lambda: stops() is True, "a stop in silence", 3.0)


def test_without_the_watchdog_the_plain_consumer_stops(road):
    scene = road(StopBeforeObstacles)
    scene.drive(0.8)
    assert scene.stops("stop_before_obstacles") is True
