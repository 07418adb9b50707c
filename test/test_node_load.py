"""The node under load, with old images, other clocks, other reliabilities, and several cameras."""

from __future__ import annotations

import time
from array import array

import pytest
from color_bundle import color_image

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]

rclpy = pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("ood_detection", reason="the messages of ood_detection are not built")
pytest.importorskip("rosgraph_msgs", reason="rosgraph_msgs is not installed")

from rclpy.qos import ReliabilityPolicy  # noqa: E402
from ros_fixtures import (  # noqa: E402
    PLACED,
    assert_balance,
    stamp_of,
    stamps,
)
from rosgraph_msgs.msg import Clock  # noqa: E402

from ood_perception.ros.image_messages import byte_array  # noqa: E402


def test_under_load_the_latest_image_wins_and_every_other_is_counted(make_bench):
    bench = make_bench(lambda image: time.sleep(0.1), max_frame_age_s=0.0).activate()
    for _ in range(20):
        last = bench.send(bench.image(color_image()))
        time.sleep(0.02)
    bench.wait(lambda: bench.count("received") == 20 and bench.count("pending") == 0, "all images")
    bench.wait(lambda: stamp_of(last) in stamps(bench.messages("camera/obstacles")), "the last one")
    processed, overwritten = bench.count("processed"), bench.count("dropped_overwritten")
    assert processed + overwritten == 20
    assert overwritten >= 5
    assert len(bench.messages("camera/obstacles")) == processed
    assert bench.messages("camera/obstacles")[-1].dropped_frames == overwritten
    for status in bench.statuses("ood_perception: camera"):
        assert_balance(status)


def test_at_30_hz_into_5_hz_no_image_is_old_when_its_turn_comes(make_bench):
    bench = make_bench(lambda image: time.sleep(0.2), max_frame_age_s=0.0).activate()
    timings = []
    keep = bench.node._session.monitor("camera").timings
    add, keep.add = keep.add, lambda timing: (timings.append(timing), add(timing))
    start, sent = time.monotonic(), 90
    for number in range(sent):
        bench.send(bench.image(color_image()))
        time.sleep(max(0.0, start + (number + 1) / 30 - time.monotonic()))
    bench.wait(lambda: bench.count("received") == sent and bench.count("pending") == 0, "all")
    used = timings[2:]
    assert len(used) >= 8
    assert max(timing.start_age for timing in used) <= 1 / 30 + 0.2
    assert sorted(timing.start_age for timing in used)[len(used) // 2] <= 1.5 / 30
    assert bench.count("processed") + bench.count("dropped_overwritten") == sent
    assert_balance(bench.camera_status())
    assert float(bench.counters()["dropped_share"]) > 0.7


def test_old_images_are_dropped_and_the_node_asks_for_the_clock(make_bench):
    bench = make_bench(max_frame_age_s=0.5).activate()
    for number in range(4):
        bench.send(bench.image(color_image(), age_s=100.0))
        bench.wait(lambda n=number: bench.count("dropped_too_old") == n + 1, "the drop", 1.0)
    said = [s for s in bench.statuses("ood_perception: camera") if "too_old" in s.values[0].value]
    assert said[-1].level == b"\x02"
    assert "use_sim_time?" in said[-1].message
    assert "use_sim_time?" not in said[0].message, "one old image is no reason to ask"
    assert bench.messages("camera/obstacles") == []
    good = bench.send(bench.image(color_image()))
    bench.wait(lambda: stamps(bench.messages("camera/obstacles")) == [stamp_of(good)], "obstacles")
    assert_balance(bench.camera_status())


def test_simulated_time_decides_the_age(make_bench):
    bench = make_bench(max_frame_age_s=0.5, use_sim_time=True)
    clock = bench.client.create_publisher(Clock, "/clock", 1)
    bench.activate()
    bench.wait(clock.get_subscription_count, "the node's clock")
    start = bench.image(color_image()).header.stamp.sec - 1_000_000

    def at(seconds):
        return rclpy.time.Time(nanoseconds=int(seconds * 1e9)).to_msg()

    def tell_time():
        clock.publish(Clock(clock=at(start + 0.2)))
        return bench.node.get_clock().now().nanoseconds > 0

    bench.wait(tell_time, "simulated time")
    for age_s, outcome in ((0.1, "processed"), (10.0, "dropped_too_old")):
        image = bench.image(color_image())
        image.header.stamp = at(start + 0.2 - age_s)
        bench.send(image)
        bench.wait(lambda key=outcome: bench.count(key) == 1, outcome)
    (obstacles,) = bench.wait(lambda: bench.messages("camera/obstacles"), "obstacles")
    latency_s = obstacles.latency.sec + obstacles.latency.nanosec / 1e9
    assert latency_s == pytest.approx(0.1, abs=0.01)


def test_a_silent_camera_is_reported_within_a_second(make_bench):
    bench = make_bench(image_timeout_s=0.5).activate()
    bench.send(bench.image(color_image()))
    bench.wait(lambda: bench.counters().get("state") == "no_camera_info", "a processed image")
    start = time.monotonic()
    bench.wait(lambda: bench.counters().get("state") == "no_image", "the report", 2.0)
    assert time.monotonic() - start < 1.0
    assert bench.camera_status().level == b"\x02"
    assert "/ood_perception/camera/image" in bench.camera_status().message


def test_a_detector_that_hangs_is_reported_within_a_second(make_bench):
    hanging = []
    bench = make_bench(lambda image: time.sleep(1.5 if hanging else 0), **PLACED).activate()
    bench.send_info()
    hanging.append(True)
    start = time.monotonic()
    while bench.counters().get("state") != "slow":
        bench.send(bench.image(color_image()))
        time.sleep(0.05)
        assert time.monotonic() - start < 1.4
    assert bench.camera_status().level == b"\x01"
    hanging.clear()

    def goes_on():
        bench.send(bench.image(color_image()))
        return bench.counters().get("state") == "ok"

    bench.wait(goes_on, "the detector to go on")


@pytest.mark.parametrize("first", [ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE])
def test_the_subscription_follows_the_publishers_reliability(make_bench, first):
    bench = make_bench().activate()
    names = {ReliabilityPolicy.BEST_EFFORT: "best_effort", ReliabilityPolicy.RELIABLE: "reliable"}
    second = next(policy for policy in names if policy is not first)
    for number, policy in enumerate((first, second)):
        bench.client.destroy_publisher(bench.publishers["camera"])
        bench.publishers["camera"] = bench.create_publisher("camera", policy)
        bench.wait(lambda p=policy: bench.counters().get("reliability") == names[p], names[policy])
        bench.wait(lambda: bench.publishers["camera"].get_subscription_count() == 1, "a match")
        bench.send(bench.image(color_image()))
        bench.wait(lambda n=number: bench.count("processed") == n + 1, "a processed image")


def test_several_cameras_are_kept_apart(make_bench):
    bench = make_bench(cameras=("front", "rear")).activate()
    bench.send(bench.image(color_image()[:1, :1]), "rear")
    for _ in range(3):
        sent = bench.send(bench.image(color_image()), "front")
        bench.wait(lambda s=sent: stamp_of(s) in stamps(bench.messages("front/obstacles")), "front")
    bench.wait(lambda: bench.count("refused", "rear") == 1, "the refusal")
    bench.wait(lambda: bench.count("processed", "front") == 3, "the front camera")
    assert bench.count("received", "front") == 3
    assert bench.count("received", "rear") == 1
    assert bench.messages("rear/obstacles") == []


def test_large_images_are_written_without_a_look_at_each_byte(make_bench):
    pixels = color_image(1024, 2048)
    start = time.perf_counter()
    data = byte_array(pixels)
    assert time.perf_counter() - start < 0.5
    assert isinstance(data, array)
    assert data.typecode == "B"
    assert data.tobytes() == pixels.tobytes()
