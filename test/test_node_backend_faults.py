"""Faults behind the camera: backend, memory and disk, and what the node does about them."""

from __future__ import annotations

import errno
import time
from threading import Event, Thread

import pytest
from color_bundle import color_image, write_color_bundle

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]

rclpy = pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("ood_detection", reason="the messages of ood_detection are not built")

from rclpy.lifecycle import TransitionCallbackReturn  # noqa: E402
from ros_fixtures import PLACED, ChangedDetector, assert_balance, benches  # noqa: E402

from ood_perception.errors import BackendError  # noqa: E402
from ood_perception.ros.lifecycle_node import OodPerceptionNode  # noqa: E402
from ood_perception.ros.model_loading import load_detector  # noqa: E402
from ood_perception.ros.node import spin  # noqa: E402

ERROR = b"\x02"


def published(bench, camera="camera"):
    return len(bench.messages(f"{camera}/obstacles")), len(
        bench.messages(f"{camera}/obstacle_points")
    )


@pytest.mark.parametrize(
    "fault", [BackendError("CUDA error 700"), MemoryError(), RuntimeError("bad\nthing")]
)
def test_a_backend_that_fails_for_ever_is_silent_counted_and_escalated(make_bench, fault):
    broken = []

    def fail(image):
        if broken:
            raise fault

    bench = make_bench(fail, image_timeout_s=60.0, **PLACED).activate()
    bench.send_info()
    broken.append(True)
    for number in range(12):
        bench.send(bench.image(color_image()))
        bench.wait(lambda n=number: bench.count("dropped_failed") == n + 1, "the failure", 2.0)
    status = bench.wait(
        lambda: "12 images in a row" in bench.camera_status().message and bench.camera_status(),
        "the escalation",
        1.0,
    )
    assert status.level == ERROR
    assert "clean up and configure again" in status.message
    assert "\n" not in status.message
    assert published(bench) == (0, 0)
    assert bench.node_status().message == "active", "the node itself goes on"
    broken.clear()
    bench.send(bench.image(color_image()))
    bench.wait(lambda: published(bench) == (1, 1), "the next good image")
    bench.wait(lambda: bench.counters()["state"] == "ok", "ok again", 1.0)
    assert bench.counters()["last_error"], "what failed stays named"
    assert_balance(bench.camera_status())


def test_a_failing_camera_does_not_silence_the_others(make_bench):
    """The fault follows the image: the other camera's images pass."""

    def fail_wide(image):
        if image.shape[1] == 200:
            raise MemoryError("no more")

    parameters = {
        "mounting_source": "parameters",
        **{f"{name}.mounting.height_m": 1.4 for name in ("front", "rear")},
    }
    bench = make_bench(fail_wide, cameras=("front", "rear"), **parameters).activate()
    for camera in ("front", "rear"):
        bench.send_info(camera=camera)
    for number in range(3):
        bench.send(bench.image(color_image(64, 200)), "rear")
        bench.send(bench.image(color_image()), "front")
        bench.wait(lambda n=number: bench.count("processed", "front") == n + 1, "the front camera")
        bench.wait(lambda n=number: bench.count("dropped_failed", "rear") == n + 1, "the failure")
    bench.wait(lambda: published(bench, "front") == (3, 3), "the front camera's outputs")
    assert published(bench, "rear") == (0, 0)
    assert bench.camera_status("rear").level == ERROR
    assert bench.counters("front")["state"] == "ok"


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/cache/engine.tmp"), "No space left"),
        (MemoryError("cannot allocate 3 GB"), "cannot allocate"),
        (BackendError("no engine for this GPU: build it with `ood compile`"), "ood compile"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_said_and_loaded_once_it_can(tmp_path, fault, word):
    bundle = tmp_path / "color"
    write_color_bundle(bundle)
    faults = [fault]

    def factory(path, backend):
        if faults:
            raise faults.pop()
        return load_detector(path, backend)

    with benches() as make:
        bench = make(factory, bundle=str(bundle))
        assert bench.in_executor(bench.node.trigger_configure) == TransitionCallbackReturn.FAILURE
        status = bench.wait(
            lambda: bench.node_status().level == ERROR and bench.node_status(), "the report", 1.0
        )
        assert word in status.message
        assert "\n" not in status.message
        assert bench.node.current_state_label == "unconfigured"
        bench.activate()
        bench.send(bench.image(color_image()))
        bench.wait(lambda: published(bench)[0] == 1, "obstacles")


def test_while_one_image_hangs_every_camera_says_that_nothing_is_published(make_bench, monkeypatch):
    monkeypatch.setattr("ood_perception.ros.camera_monitor._STUCK_S", 1.2)
    hanging = []
    bench = make_bench(
        lambda image: time.sleep(2.5 if hanging else 0),
        cameras=("front", "rear"),
        image_timeout_s=60.0,
        max_frame_age_s=0.0,
    ).activate()
    hanging.append(True)
    bench.send(bench.image(color_image()), "front")
    bench.send(bench.image(color_image()), "rear")
    for camera in ("front", "rear"):
        bench.wait(
            lambda c=camera: bench.counters(c).get("state") == "stuck", f"{camera} to say so", 2.2
        )
        assert bench.camera_status(camera).level == ERROR
        assert "nothing is published" in bench.camera_status(camera).message
    hanging.clear()
    bench.wait(lambda: bench.count("processed", "rear") == 1, "the work to go on")


def test_a_detector_that_hangs_for_good_is_not_used_again_before_it_is_loaded_anew(
    color_detector, monkeypatch
):
    monkeypatch.setattr("ood_perception.ros.frame_worker._JOIN_TIMEOUT_S", 0.2)
    hanging = []
    with benches() as make:
        bench = make(
            lambda *_: ChangedDetector(color_detector, lambda _: time.sleep(2 * len(hanging)))
        ).activate()
        hanging.append(True)
        bench.send(bench.image(color_image()))
        bench.wait(lambda: bench.count("pending") == 1, "the image")
        time.sleep(0.3)
        bench.in_executor(bench.node.trigger_deactivate)
        refused = bench.in_executor(bench.node.trigger_activate)
        assert refused == TransitionCallbackReturn.FAILURE
        bench.wait(lambda: "hung" in bench.node_status().message, "the reason", 1.0)
        hanging.clear()
        for name in ("cleanup", "configure", "activate"):
            done = bench.in_executor(getattr(bench.node, f"trigger_{name}"))
            assert done == TransitionCallbackReturn.SUCCESS, name
        bench.wait(lambda: bench.publishers["camera"].get_subscription_count(), "subscription")
        bench.send(bench.image(color_image()))
        bench.wait(lambda: published(bench)[0] == 1, "obstacles")
        bench.wait(lambda: bench.node_status().level == b"\x00", "no fault any more", 2.0)


def test_a_callback_that_raises_costs_that_callback_and_not_the_process(color_detector):
    """The loop of the node's own process, with a defect in a timer of it."""
    context = rclpy.Context()
    rclpy.init(context=context)
    node = OodPerceptionNode(
        detector_factory=lambda *_: ChangedDetector(color_detector), context=context
    )
    calls, stop = [], Event()

    def tick():
        calls.append(1)
        if len(calls) == 1:
            raise ZeroDivisionError("a defect")

    node.create_timer(0.02, tick)
    thread = Thread(target=spin, args=(node, stop))
    thread.start()
    try:
        end = time.monotonic() + 10
        while len(calls) < 5 and time.monotonic() < end:
            time.sleep(0.02)
        assert len(calls) >= 5, "the loop goes on"
        assert node.current_state_label == "active"
        assert "ZeroDivisionError: a defect" in node._last_error
    finally:
        stop.set()
        thread.join(10)
        node.end()
        node.destroy_node()
        rclpy.shutdown(context=context)
