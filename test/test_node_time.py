"""Simulated time over real DDS: bags that loop, clocks that stand still or run slowly."""

from __future__ import annotations

import time

import pytest
from color_bundle import color_image

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]

rclpy = pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("ood_detection", reason="the messages of ood_detection are not built")
pytest.importorskip("rosgraph_msgs", reason="rosgraph_msgs is not installed")

from ros_fixtures import PLACED, assert_balance, stamps  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402

START_S = 1000.0


class Player:
    """Publishes /clock and images with its stamps, as a bag player does."""

    def __init__(self, bench):
        self.bench = bench
        self._clock = bench.client.create_publisher(Clock, "/clock", 10)
        bench.wait(self._clock.get_subscription_count, "the node's clock")
        self.now_s = START_S

    def advance(self, seconds):
        self.now_s += seconds
        message = Clock(clock=rclpy.time.Time(nanoseconds=round(self.now_s * 1e9)).to_msg())
        wanted = round(self.now_s * 1e9)

        def told():
            self._clock.publish(message)
            return self.bench.node.get_clock().now().nanoseconds == wanted

        self.bench.wait(told, "the node's clock to follow")

    def play(self, camera="camera"):
        """An image stamped now; returns its stamp as the tests' pairs."""
        image = self.bench.image(color_image())
        image.header.stamp = rclpy.time.Time(nanoseconds=round(self.now_s * 1e9)).to_msg()
        self.bench.send(image, camera)
        return image.header.stamp.sec, image.header.stamp.nanosec


@pytest.fixture
def player(make_bench):
    bench = make_bench(use_sim_time=True, image_timeout_s=0.7, **PLACED).activate()
    bench.send_info()
    made = Player(bench)
    made.advance(0.0)
    return made


def test_a_bag_that_loops_is_followed_with_one_reset_a_loop_said_once(player):
    bench, sent = player.bench, []
    for loop in range(3):
        for _ in range(4):
            player.advance(0.1)
            sent.append(player.play())
            bench.wait(
                lambda: stamps(bench.messages("camera/obstacle_points")) == sent, "each image"
            )
        bench.wait(lambda n=loop: bench.count("time_jumps") == n, f"{loop} jumps")
        player.advance(-0.4)
    ids = [a.components[0].id for a in bench.messages("camera/obstacles")]
    loops = [set(ids[start : start + 4]) for start in (0, 4, 8)]
    assert [len(found) for found in loops] == [1, 1, 1]
    assert len(set.union(*loops)) == 3, "nothing of an earlier loop lives on"
    said = [s.message for s in bench.statuses("ood_perception: camera") if "jumped" in s.message]
    assert len(set(said)) == 1
    assert bench.count("refused") == bench.count("dropped") == 0
    assert_balance(bench.camera_status())


def test_an_image_of_before_the_jump_is_not_used_after_it(player):
    bench = player.bench
    player.advance(100.0)
    player.play()
    bench.wait(lambda: bench.count("processed") == 1, "the image")
    player.advance(-90.0)
    late = bench.image(color_image())
    late.header.stamp = rclpy.time.Time(nanoseconds=round((START_S + 100.1) * 1e9)).to_msg()
    bench.send(late)
    bench.wait(lambda: bench.count("refused") == 1, "the refusal")
    assert "in the future" in bench.counters()["last_refusal"]
    player.play()
    bench.wait(lambda: bench.count("processed") == 2, "the image after the jump")
    assert bench.count("time_jumps") == 1


def test_a_clock_that_stands_still_is_named(player):
    bench = player.bench
    player.advance(0.1)
    player.play()
    bench.wait(lambda: bench.counters().get("state") == "ok", "a processed image")
    bench.wait(lambda: bench.counters().get("state") == "clock_stopped", "the report", 2.0)
    assert bench.camera_status().level == b"\x02"
    assert "/clock" in bench.camera_status().message

    def goes_on():
        player.advance(0.1)
        player.play()
        return bench.counters().get("state") == "ok"

    bench.wait(goes_on, "the node to go on")


def test_a_slow_simulation_is_no_silent_camera_but_its_silence_is_told_in_its_own_time(player):
    bench = player.bench
    player.advance(0.1)
    player.play()
    bench.wait(lambda: bench.counters().get("state") == "ok", "a processed image")
    start = time.monotonic()
    while (
        time.monotonic() - start < 1.5
    ):  # twice image_timeout_s by the wall, a tenth in simulation
        player.advance(0.01)
        time.sleep(0.1)
    assert bench.counters()["state"] == "ok"
    for _ in range(8):
        player.advance(0.1)
    bench.wait(lambda: bench.counters().get("state") == "no_image", "the report", 1.0)
