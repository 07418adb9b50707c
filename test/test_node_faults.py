"""Every fault of a camera is named within a second and never looks like a clear road.

Each test follows one row of the table of faults in docs/node.md, over real DDS: while the fault
lasts neither obstacles nor points go out, and the first good image afterwards is processed.
"""

from __future__ import annotations

import time
from array import array

import cv2
import numpy as np
import pytest
from color_bundle import BLUE, GREY, color_image

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]

rclpy = pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("ood_detection", reason="the messages of ood_detection are not built")

from rclpy.serialization import serialize_message  # noqa: E402
from ros_fixtures import PLACED, assert_balance, camera_info, stamp_of, stamps  # noqa: E402

ERROR = b"\x02"
OUTPUTS = ("obstacles", "obstacle_points")


def shifted(message, seconds):
    """The same image with another stamp."""
    stamp = rclpy.time.Time.from_msg(message.header.stamp).nanoseconds + round(seconds * 1e9)
    message.header.stamp = rclpy.time.Time(nanoseconds=stamp).to_msg()
    return message


def said(bench, state, timeout_s=1.0):
    """Waits until the camera is in this state, within a second unless told otherwise."""
    bench.wait(lambda: bench.counters().get("state") == state, f"state {state}", timeout_s)
    return bench.camera_status()


def published(bench):
    return [len(bench.messages(f"camera/{name}")) for name in OUTPUTS]


def assert_recovers(bench):
    """A good image now gives obstacles and points of its own stamp."""
    sent = bench.send(bench.image(color_image()))
    for name in OUTPUTS:
        bench.wait(lambda n=name: stamp_of(sent) in stamps(bench.messages(f"camera/{n}")), name)
    said(bench, "ok")
    assert_balance(bench.camera_status())


@pytest.fixture
def bench(make_bench):
    """A camera with camera_info and mounting that has just been seen to work."""
    made = make_bench(**PLACED).activate()
    made.send_info()
    assert_recovers(made)
    return made


def noise(level, spread, seed=0, size=(64, 128, 3)):
    values = np.random.default_rng(seed).normal(level, spread, size)
    return values.clip(0, 255).astype(np.uint8)


UNSEEING = {
    "darkness": lambda seed: noise(6, 2, seed),
    "glare": lambda seed: noise(300, 20, seed),
    "fog": lambda seed: noise(190, 1, seed),
    "covered lens": lambda seed: noise(40, 1, seed),
}


@pytest.mark.parametrize("name", UNSEEING)
def test_a_camera_that_cannot_see_is_silent_and_named(bench, name):
    before = published(bench)
    for seed in range(5):
        bench.send(bench.image(UNSEEING[name](seed)))
        bench.wait(lambda n=seed: bench.count("refused") == n + 1, "the refusal", 1.0)
    status = said(bench, "degraded")
    assert status.level == ERROR
    assert "cannot see" in status.message
    assert published(bench) == before
    assert_recovers(bench)


def test_stamps_that_stand_still_are_refused(bench):
    message = bench.image(color_image())
    bench.send(message)
    bench.wait(lambda: bench.count("processed") == 2, "the first")
    bench.wait(lambda: published(bench) == [2, 2], "its outputs")
    for number in range(4):
        message.data = array("B", (color_image() + np.uint8(number)).tobytes())
        bench.send(message)
        bench.wait(lambda n=number: bench.count("refused") == n + 1, "the refusal", 1.0)
    status = said(bench, "bad_stamp")
    assert status.level == ERROR
    assert "stands still: 5 images" in status.message
    assert published(bench) == [2, 2]
    assert_recovers(bench)


def test_a_stamp_far_in_the_future_is_refused_and_spoils_nothing(bench):
    before = published(bench)
    bench.send(shifted(bench.image(color_image()), 3600))
    status = said(bench, "bad_stamp")
    assert "in the future" in status.message
    assert "use_sim_time?" in status.message
    assert published(bench) == before
    assert_recovers(bench)
    assert bench.count("time_jumps") == 0


def test_an_image_that_was_overtaken_on_its_way_is_dropped_without_alarm(bench):
    late = bench.image(color_image())
    time.sleep(0.02)
    assert_recovers(bench)
    before = published(bench)
    bench.send(late)
    bench.wait(lambda: bench.count("dropped_out_of_order") == 1, "the drop", 1.0)
    assert bench.counters()["state"] == "ok"
    assert published(bench) == before
    assert_recovers(bench)


def test_time_that_jumps_back_forgets_once_and_says_so_once(make_bench):
    bench = make_bench(max_frame_age_s=0.0, **PLACED).activate()
    bench.send_info()
    for _ in range(3):
        assert_recovers(bench)
    for number in range(3):
        bench.send(shifted(bench.image(color_image()), -1000))
        bench.wait(lambda n=number: bench.count("processed") == 4 + n, "the image")
    arrays = bench.wait(
        lambda: len(bench.messages("camera/obstacles")) == 6 and bench.messages("camera/obstacles"),
        "obstacles",
    )
    ids = [array_.components[0].id for array_ in arrays]
    assert len(set(ids[:3])) == len(set(ids[3:])) == 1
    assert ids[0] != ids[3], "no obstacle of before the jump lives on"
    assert bench.count("time_jumps") == 1
    notes = {s.message for s in bench.statuses("ood_perception: camera") if "jumped" in s.message}
    assert len(notes) == 1


def test_stamps_that_jump_back_again_and_again_are_silence_and_never_a_clear_road(make_bench):
    bench = make_bench(max_frame_age_s=3.0, **PLACED).activate()
    bench.send_info()
    for number in range(16):  # two drivers on one topic, their clocks 2 s apart
        bench.send(shifted(bench.image(color_image()), (1.0, -1.0)[number % 2]))
        bench.wait(
            lambda n=number: bench.count("processed") + bench.count("refused") == n + 1, "the image"
        )
    assert bench.count("time_jumps") == 1
    assert bench.count("processed") == 3, "up to the second jump"
    status = said(bench, "bad_stamp")
    assert status.level == ERROR
    assert "two drivers" in status.message
    assert len(bench.messages("camera/obstacle_points")) <= 3, "the first may lack camera_info"


def test_encoding_and_size_may_change_from_image_to_image(bench):
    pixels = color_image()
    big = color_image(96, 192)
    bayer = np.full((64, 128), 128, np.uint8)
    rgba = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGBA)
    changes = [
        (cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), {"encoding": "rgb8"}, 1),
        (rgba, {"encoding": "rgba8", "step": 512}, 1),
        (big, {}, 1),
        (np.pad(pixels, ((0, 0), (0, 8), (0, 0))), {"width": 128, "step": 136 * 3}, 1),
        (pixels, {"encoding": "klingon8"}, 0),
        (bayer, {"encoding": "bayer_rggb8", "step": 64}, 0),
        (pixels, {}, 1),
    ]
    for image, fields, good in changes:
        processed, refused = bench.count("processed"), bench.count("refused")
        outputs = published(bench)[0]
        bench.send(bench.image(image, **fields))
        bench.wait(lambda: bench.count("processed") == processed + good, f"{fields}")  # noqa: B023
        bench.wait(lambda: bench.count("refused") == refused + 1 - good, f"{fields}")  # noqa: B023
        bench.wait(lambda: published(bench)[0] == outputs + good, "obstacles")  # noqa: B023
        if good:
            found = bench.messages("camera/obstacles")[-1].components
            assert len(found) == 1, fields
    assert_recovers(bench)


def test_corrupt_bytes_are_refused_and_harm_nothing(bench):
    rng = np.random.default_rng(3)
    whole = bytes(serialize_message(bench.image(color_image())))
    before = published(bench)
    for number, size in enumerate((14, 20, 33, 48, 60, 300, 5000)):
        # a stamp that passes, then nothing that fits
        fresh = bytes(serialize_message(bench.image(color_image())))[:12]
        garbage = rng.integers(0, 256, size - 12, np.uint8).tobytes()
        bench.publishers["camera"].publish(fresh + garbage)
        bench.wait(lambda n=number: bench.count("refused") == n + 1, f"{size} bytes", 2.0)
    assert len(whole) > 5000
    assert said(bench, "bad_image").level == ERROR
    assert published(bench) == before
    assert_recovers(bench)


def test_a_zero_focal_length_stops_the_points_until_a_good_camera_info_comes(bench):
    before = published(bench)
    info = camera_info(focal_px=0.0)
    bench.infos["camera"].publish(info)

    def named():
        bench.send(bench.image(color_image()))
        return bench.counters().get("state") == "no_camera_info"

    bench.wait(named, "the report", 2.0)
    status = bench.camera_status()
    assert status.level == ERROR
    assert "focal" in status.message
    points = published(bench)[1]
    bench.send(bench.image(color_image()))
    time.sleep(0.3)
    assert published(bench)[1] == points
    assert published(bench)[0] > before[0], "obstacles without a place still go out"
    assert bench.messages("camera/obstacles")[-1].status == 1
    bench.infos["camera"].publish(camera_info())
    time.sleep(0.2)
    assert_recovers(bench)


def test_camera_info_that_comes_late_gives_places_from_then_on(make_bench):
    bench = make_bench(**PLACED).activate()
    bench.send(bench.image(color_image()))
    assert said(bench, "no_camera_info").level == ERROR
    assert published(bench)[1] == 0
    bench.send_info()
    assert_recovers(bench)


def test_of_an_image_full_of_components_the_largest_are_looked_at_and_it_is_said(
    make_bench, color_detector, monkeypatch
):
    monkeypatch.setattr(color_detector, "max_components", 3)
    bench = make_bench(**PLACED).activate()
    bench.send_info()
    blocks = np.empty((64, 128, 3), np.uint8)
    blocks[:] = BLUE
    for row in range(8, 64, 16):
        for column in range(8, 128, 16):
            blocks[row : row + 8, column : column + 8] = GREY
    bench.send(bench.image(blocks))
    bench.wait(lambda: bench.count("components_left_out") == 1, "the report", 2.0)
    assert bench.camera_status().level != b"\x00"
    bench.wait(lambda: "left out" in bench.camera_status().message, "the words", 2.0)
    noisy = noise(128, 60, size=(720, 1280, 3))
    for number in range(2):
        started = time.monotonic()
        bench.send(bench.image(noisy))
        bench.wait(lambda n=number: bench.count("processed") == 2 + n, "the image")
        assert time.monotonic() - started < 3.0
    assert_recovers(bench)
