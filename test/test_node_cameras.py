"""Several cameras on one engine: as much work as for one, shared fairly, and none slows another."""

from __future__ import annotations

import time

import numpy as np
import pytest
from color_bundle import color_image, write_color_bundle

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("ood_detection", reason="the messages of ood_detection are not built")

from ros_fixtures import assert_balance, benches, stamp_of, stamps  # noqa: E402

from ood_perception.detector import Detector  # noqa: E402

ERROR = b"\x02"
CAMERAS = ("front", "left", "right")


class Paced:
    """A detector that takes a fixed time a call, whatever else the machine does."""

    device = "paced"

    def __init__(self, detector, seconds):
        self.bundle = detector.bundle
        self.calls = []
        self._detector, self._seconds = detector, seconds

    def detect(self, image):
        return self.detect_batch([image])[0]

    def detect_batch(self, images):
        self.calls.append(len(images))
        time.sleep(self._seconds)
        return self._detector.detect_batch(images)


def changing(bench, camera, number):
    """A new image for a camera: no two are alike."""
    pixels = color_image()
    pixels[0, :64] = np.random.default_rng(number).integers(0, 255, (64, 3))
    return bench.send(bench.image(pixels), camera)


def drive(bench, cameras, seconds, period_s, also=lambda number: None):
    """Every camera sends an image each period; what was processed of each meanwhile, in how many
    seconds, and how many images each had sent."""
    for number in range(5):
        for camera in cameras:
            changing(bench, camera, number)
        time.sleep(period_s)
    before = {c: bench.node._session.monitor(c).account.read().processed for c in cameras}
    start, number = time.monotonic(), 5
    while time.monotonic() - start < seconds:
        for camera in cameras:
            changing(bench, camera, number)
        also(number)
        number += 1
        time.sleep(max(0.0, start + (number - 5) * period_s - time.monotonic()))
    span_s = time.monotonic() - start
    after = {c: bench.node._session.monitor(c).account.read().processed for c in cameras}
    return {c: after[c] - before[c] for c in cameras}, span_s, number - 5


def make_paced(make, detector, seconds, cameras, **parameters):
    paced = Paced(detector, seconds)
    bench = make(
        lambda *_: paced, cameras=cameras, max_frame_age_s=0.0, max_batch=1, **parameters
    ).activate()
    return bench, paced


def test_three_cameras_are_worked_on_as_fast_as_one_and_fairly(color_detector):
    with benches() as make:
        one, _ = make_paced(make, color_detector, 0.12, CAMERAS[:1])
        counts, span_s, _ = drive(one, CAMERAS[:1], 4.0, 0.04)
        single_hz = sum(counts.values()) / span_s
    with benches() as make:
        three, _ = make_paced(make, color_detector, 0.12, CAMERAS)
        counts, span_s, _ = drive(three, CAMERAS, 6.0, 0.12)
        three.wait(lambda: all(three.count("pending", c) == 0 for c in CAMERAS), "all images")
        for camera in CAMERAS:
            assert_balance(three.camera_status(camera))
            assert three.count("dropped_overwritten", camera) > 0
            assert float(three.counters(camera)["wait_median_ms"]) > 0
    # benchmarks/bench_node_load.py wants 0.95 of a machine that does nothing else
    assert sum(counts.values()) / span_s > 0.8 * single_hz
    share = sum(counts.values()) / 3
    # one image at either end of the span belongs to one camera or another
    assert all(abs(number - share) <= 0.05 * share + 1 for number in counts.values()), counts


def test_a_frozen_camera_is_reported_within_two_seconds_while_the_others_go_on(color_detector):
    with benches() as make:
        bench, _ = make_paced(make, color_detector, 0.03, CAMERAS, **{"health.frozen_frames": 20})
        still, frozen = color_image(), []

        def freeze(number):
            bench.send(bench.image(still), "right")
            status = bench.camera_status("right")
            if status.level == ERROR and "frozen" in status.message and not frozen:
                frozen.append(time.monotonic())

        usual, *_ = drive(bench, CAMERAS[:2], 1.5, 0.1)
        begun = time.monotonic()
        drive(bench, CAMERAS[:2], 3.0, 0.1, freeze)
        assert frozen, "nothing was said"
        assert frozen[0] - begun < 2.0 + 0.5, "the half second before the first still image"
        assert bench.counters("right")["state"] == "degraded"
        said = len(bench.messages("right/obstacles"))
        counts, *_ = drive(bench, CAMERAS[:2], 1.5, 0.1, freeze)
        assert len(bench.messages("right/obstacles")) == said, "a frozen camera is silent"
        for camera in CAMERAS[:2]:
            assert counts[camera] > 0.6 * usual[camera], "the others go on as without it"
            assert bench.counters(camera)["state"] == "no_camera_info"


def test_a_dead_camera_is_reported_and_costs_the_others_nothing(color_detector):
    with benches() as make:
        bench, _ = make_paced(make, color_detector, 0.06, CAMERAS, image_timeout_s=0.5)
        counts, span_s, _ = drive(bench, CAMERAS, 3.0, 0.06)
        before_hz = sum(counts.values()) / span_s
        counts, span_s, _ = drive(bench, CAMERAS[:2], 3.0, 0.06)
        bench.wait(lambda: bench.counters("right")["state"] == "no_image", "the report", 1.0)
        assert sum(counts.values()) / span_s > 0.8 * before_hz
        assert counts["front"] == pytest.approx(counts["left"], abs=2)


def test_where_the_engine_takes_several_images_one_call_sees_those_of_all_cameras(tmp_path):
    batched = Detector(write_color_bundle(tmp_path / "color", batch="batch"))
    paced = Paced(batched, 0.05)
    with benches() as make:
        bench = make(lambda *_: paced, cameras=CAMERAS, max_frame_age_s=0.0).activate()
        bench.wait(lambda: bench.node_status().message == "active", "active")
        values = {v.key: v.value for v in bench.node_status().values}
        assert values["max_batch"] == "3"
        paced.calls.clear()
        counts, *_ = drive(bench, CAMERAS, 1.0, 0.04)
        assert paced.calls.count(3) > 0.7 * len(paced.calls)
        assert max(counts.values()) - min(counts.values()) <= 2
        sent = {camera: changing(bench, camera, 99) for camera in CAMERAS}
        for camera, message in sent.items():
            bench.wait(
                lambda c=camera, m=message: stamp_of(m) in stamps(bench.messages(f"{c}/obstacles")),
                f"{camera} with its own stamp",
            )


def test_an_engine_for_one_image_gets_one_image_whatever_is_wanted(color_detector):
    paced = Paced(color_detector, 0.0)
    with benches() as make:
        bench = make(lambda *_: paced, cameras=CAMERAS, max_batch=3).activate()
        for camera in CAMERAS:
            changing(bench, camera, 1)
        for camera in CAMERAS:
            bench.wait(lambda c=camera: bench.count("processed", c) == 1, camera)
        assert bench.node._images_at_once == 1
        assert set(paced.calls[-3:]) == {1}
