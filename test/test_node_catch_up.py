"""A busy executor makes no image old: the worker sees to it that the newest has its turn."""

from __future__ import annotations

import time
from threading import Event

import pytest
from color_bundle import color_image

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("ood_detection", reason="the messages of ood_detection are not built")

from ros_fixtures import stamp_of, stamps  # noqa: E402


def test_the_newest_image_has_its_turn_although_the_executor_has_not_come_to_it(make_bench):
    goes_on, is_free, begun = Event(), Event(), []

    def work(image):
        begun.append(time.monotonic())
        goes_on.wait(20)

    bench = make_bench(work, max_frame_age_s=0.0)
    goes_on.set()  # while the model is tried
    bench.activate()
    goes_on.clear()
    del begun[:]
    account = bench.node._session.monitor("camera").account
    first = bench.send(bench.image(color_image()))
    bench.wait(lambda: len(begun) == 1, "the first image to be worked on")
    bench.send(bench.image(color_image()))
    bench.wait(lambda: account.read().received == 2, "the second image")
    is_busy = Event()
    bench._thread.submit(lambda: (is_busy.set(), is_free.wait(20)))
    bench.wait(is_busy.is_set, "the executor to be busy")
    try:
        for _ in range(4):
            last = bench.send(bench.image(color_image()))
        time.sleep(0.3)
        assert account.read().received == 2, "nobody has looked at them"
        goes_on.set()
        wanted = [stamp_of(first), stamp_of(last)]
        bench.wait(lambda: stamps(bench.messages("camera/obstacles")) == wanted, "the newest")
    finally:
        goes_on.set()
        is_free.set()
    bench.wait(lambda: bench.count("received") == 6, "the diagnostics")
    assert (bench.count("processed"), bench.count("dropped_overwritten")) == (2, 4)


def test_nothing_is_lost_between_worker_and_executor(make_bench):
    """Both take images of the same queue at the same time."""
    bench = make_bench(max_frame_age_s=0.0).activate()
    for _ in range(150):
        last = bench.send(bench.image(color_image()))
        time.sleep(0.002)
    bench.wait(lambda: bench.count("received") == 150 and bench.count("pending") == 0, "all images")
    bench.wait(lambda: stamp_of(last) in stamps(bench.messages("camera/obstacles")), "the last one")
    assert bench.count("processed") + bench.count("dropped") == 150
