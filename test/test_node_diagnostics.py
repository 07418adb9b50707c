"""Diagnostics go on whatever fails around them, and fail nothing themselves."""

from __future__ import annotations

from threading import Event, Thread, current_thread

import pytest
from color_bundle import color_image

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("ood_detection", reason="the messages of ood_detection are not built")

from rclpy.lifecycle import TransitionCallbackReturn  # noqa: E402
from ros_fixtures import PLACED, assert_balance, benches, benches_with  # noqa: E402

OK, WARN, ERROR = b"\x00", b"\x01", b"\x02"


@pytest.fixture
def make_bench(color_detector):
    with benches_with(color_detector) as make:
        yield make


def test_a_subscription_that_cannot_be_looked_after_stops_neither_diagnostics_nor_other_cameras(
    make_bench, monkeypatch
):
    bench = make_bench(cameras=("front", "rear"), image_timeout_s=0.3).activate()
    inputs = bench.node._session._inputs
    followed = []

    def fail():
        raise RuntimeError("no such publisher")

    monkeypatch.setattr(inputs[0], "refresh", fail)
    monkeypatch.setattr(inputs[1], "refresh", lambda: followed.append(1))
    before = len(bench.messages("/diagnostics"))
    bench.wait(lambda: len(bench.messages("/diagnostics")) > before + 4, "diagnostics", 3.0)
    bench.wait(lambda: bench.counters("rear").get("state") == "no_image", "the silence", 2.0)
    assert followed
    assert "no such publisher" in bench.node._last_error


def test_diagnostics_that_cannot_be_published_fail_no_image(make_bench, monkeypatch):
    """The image was accounted for before: it would be counted as processed and as failed."""
    bench = make_bench().activate()
    publish = bench.node._publish_diagnostics

    def fail():
        if current_thread().name != "ood_frame_worker":
            return publish()
        raise RuntimeError("no diagnostics")

    with monkeypatch.context() as broken:
        broken.setattr(bench.node, "_publish_diagnostics", fail)
        bench.send(bench.image(color_image()))
        account = bench.node._session.monitor("camera").account
        bench.wait(lambda: account.read().processed == 1, "the image")
        bench.wait(lambda: "no diagnostics" in bench.node._last_error, "the report")
    bench.wait(lambda: bench.count("processed") == 1, "the count")
    assert bench.count("dropped") == 0
    assert_balance(bench.camera_status())


def fail_to_activate(bench, monkeypatch, name):
    """An activation in which what has this name raises; the node says why it failed."""

    def fail(*_):
        raise RuntimeError("no subscription today")

    with monkeypatch.context() as broken:
        broken.setattr(name, fail)
        refused = bench.in_executor(bench.node.trigger_activate)
    assert refused == TransitionCallbackReturn.FAILURE
    bench.wait(lambda: "no subscription today" in bench.node_status().message, "the reason")


def test_an_activation_that_succeeds_takes_the_fault_of_an_earlier_one_back(
    make_bench, monkeypatch
):
    bench = make_bench()
    bench.in_executor(bench.node.trigger_configure)
    fail_to_activate(bench, monkeypatch, "ood_perception.ros.camera_session.CameraInput")
    assert bench.node_status().level == ERROR
    assert bench.in_executor(bench.node.trigger_activate) == TransitionCallbackReturn.SUCCESS
    bench.wait(lambda: bench.node_status().level == OK, "no fault any more", 2.0)
    assert bench.node_status().message == "active"


def test_odometry_that_is_asked_for_and_does_not_come_is_a_warning(make_bench):
    """Obstacles under the bonnet are then held for a time only, which nobody would notice."""
    bench = make_bench(odometry="twist", **PLACED).activate()
    bench.send_info()
    bench.send(bench.image(color_image()))
    bench.wait(lambda: "~/odometry" in bench.camera_status().message, "the warning")
    assert bench.camera_status().level == WARN
    bench.wait(lambda: bench.messages("camera/obstacle_points"), "points, all the same")


def test_a_model_that_loads_for_long_is_said_all_the_while(color_detector):
    go_on = Event()

    def load(*_):
        assert go_on.wait(10)
        return color_detector

    with benches() as make:
        bench = make(load)
        configuring = Thread(target=bench.in_executor, args=(bench.node.trigger_configure,))
        configuring.start()
        try:
            bench.wait(
                lambda: sum("loaded" in s.message for s in bench.statuses("ood_perception")) > 3,
                "diagnostics while the model loads",
                3.0,
            )
            assert bench.node_status().level == WARN
            assert bench.node_status().values[0].value == "configuring"
        finally:
            go_on.set()
            configuring.join()
        bench.wait(lambda: bench.node_status().values[0].value == "inactive", "the end of it")


def test_an_activation_that_fails_half_way_leaves_no_subscription(make_bench, monkeypatch):
    bench = make_bench(cameras=("front", "rear"), odometry="twist")
    bench.in_executor(bench.node.trigger_configure)
    fail_to_activate(
        bench, monkeypatch, "ood_perception.ros.camera_input.ImageSubscription.refresh"
    )
    topics = [subscription.topic_name for subscription in bench.node.subscriptions]
    assert [topic for topic in topics if topic.startswith("/ood_perception/")] == []
    assert bench.in_executor(bench.node.trigger_activate) == TransitionCallbackReturn.SUCCESS
