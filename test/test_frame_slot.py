"""The slot between receiving and working: latest frame wins, every frame is accounted for."""

from __future__ import annotations

import gc
import math
import random
import time
import weakref
from threading import Thread
from types import SimpleNamespace

import pytest

pytest.importorskip("diagnostic_msgs", reason="the ROS message packages are not installed")

from ood_perception.errors import BackendError
from ood_perception.ros.batching import SharedDetector, detect_batch
from ood_perception.ros.frame_counts import FrameAccount, Outcome
from ood_perception.ros.frame_slot import FrameSlots
from ood_perception.ros.frame_timings import FrameTiming, FrameTimings
from ood_perception.ros.frame_worker import FrameWorker


def test_a_newer_frame_replaces_the_one_that_waits():
    slots = FrameSlots(["a"])
    assert slots.put("a", 1) is None
    assert slots.put("a", 2) == 1
    assert slots.take() == [("a", 2)]
    assert slots.take(timeout_s=0.01) == []


def test_a_fast_camera_does_not_starve_a_slow_one():
    slots = FrameSlots(["fast", "slow"])
    slots.put("fast", 0)
    slots.put("slow", 0)
    served = []
    for number in range(4):
        served.append(slots.take()[0][0])
        slots.put("fast", number)
    assert served == ["fast", "slow", "fast", "fast"]


def test_closing_returns_what_waits_and_wakes_who_waits():
    slots = FrameSlots(["a", "b"])
    slots.put("b", 7)
    assert slots.close() == [("b", 7)]
    assert slots.put("a", 8) == 8, "a frame that comes too late is handed back"
    assert slots.take() == []
    waiting = FrameSlots(["a"])
    taken = []
    thread = Thread(target=lambda: taken.append(waiting.take()))
    thread.start()
    waiting.close()
    thread.join(5)
    assert taken == [[]]


def test_several_cameras_are_taken_at_once_and_then_stand_last_in_turn():
    slots = FrameSlots("abc")
    for camera in "abc":
        slots.put(camera, 1)
    assert slots.take(most=2) == [("a", 1), ("b", 1)]
    slots.put("a", 2)
    assert slots.take(most=2) == [("c", 1), ("a", 2)]


class Recorder:
    """Accounts for frames as a camera's processor does; some of them fail."""

    def __init__(self, seconds=0.0):
        self.account = FrameAccount()
        self.seconds = seconds
        self.done = []

    def prepare(self, frame):
        if frame.serialised == b"bad":
            self.account.settle(Outcome.REFUSED)
            return None
        return SimpleNamespace(image=frame.serialised)

    def complete(self, prepared, answer):
        time.sleep(self.seconds)
        assert answer.detection == prepared.image
        self.done.append(prepared.image)
        self.account.settle(Outcome.PROCESSED)

    def fail(self, fault):
        self.account.settle(Outcome.DROPPED_FAILED)

    def overwrite(self):
        self.account.settle(Outcome.DROPPED_OVERWRITTEN)

    def discard(self):
        self.account.settle(Outcome.DROPPED_STOPPED)


class Echo:
    """A detector that answers with the image, and fails where one says so."""

    def __init__(self):
        self.calls = []

    def detect(self, image):
        return self.detect_batch([image])[0]

    def detect_batch(self, images):
        self.calls.append(list(images))
        if b"fault" in images:
            raise ZeroDivisionError("a fault")
        return tuple(images)


def start(recorders, most=1):
    detector = Echo()
    reported = []
    worker = FrameWorker(recorders, SharedDetector(detector, most), reported.append)
    return worker, detector, reported


def wait_until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_fault_costs_one_frame_and_not_the_thread():
    recorder = Recorder()
    worker, *_ = start({"a": recorder})
    worker.start()
    for frame in (b"fault", b"good"):
        recorder.account.receive()
        worker.give("a", frame)
        wait_until(lambda: recorder.account.read().pending == 0)
    assert worker.stop()
    counts = recorder.account.read()
    assert (counts.dropped_failed, counts.processed) == (1, 1)


def test_the_account_balances_under_load_and_after_stopping():
    recorders = {name: Recorder(seconds=0.002) for name in "ab"}
    worker, *_ = start(recorders)
    worker.start()
    numbers = random.Random(1)
    sent = dict.fromkeys(recorders, 0)
    for number in range(300):
        name = numbers.choice("ab")
        sent[name] += 1
        recorders[name].account.receive()
        worker.give(name, b"%d" % number)
        counts = recorders[name].account.read()
        assert 0 <= counts.pending <= 2
        if number % 10 == 0:
            time.sleep(0.003)
    assert worker.stop()
    recorders["a"].account.receive()
    worker.give("a", b"late")
    sent["a"] += 1
    for name, recorder in recorders.items():
        counts = recorder.account.read()
        assert counts.received == sent[name]
        assert counts.pending == 0
        assert counts.processed > 0
        assert counts.dropped_overwritten > 0
        assert recorder.done == sorted(recorder.done, key=int), "never backwards in time"
    assert recorders["a"].account.read().dropped_stopped >= 1


def test_one_call_sees_the_images_of_several_cameras_and_a_fault_costs_its_own_image():
    recorders = {name: Recorder() for name in "abc"}
    worker, detector, _ = start(recorders, most=3)
    for name, frame in (("a", b"1"), ("b", b"fault"), ("c", b"3")):
        recorders[name].account.receive()
        worker.give(name, frame)
    worker.start()
    wait_until(lambda: all(r.account.read().pending == 0 for r in recorders.values()))
    assert detector.calls == [[b"1", b"fault", b"3"], [b"1"], [b"fault"], [b"3"]]
    assert recorders["b"].account.read().dropped_failed == 1
    assert [recorders[name].account.read().processed for name in "ac"] == [1, 1]
    for name, frame in (("a", b"bad"), ("b", b"4"), ("c", b"5")):
        recorders[name].account.receive()
        worker.give(name, frame)
    wait_until(lambda: all(r.account.read().pending == 0 for r in recorders.values()))
    assert worker.stop()
    seen = [image for call in detector.calls[4:] for image in call]
    assert seen == [b"4", b"5"], "what cannot be used takes no place"


@pytest.mark.parametrize("answers", [0, 1, 3])
def test_a_call_with_another_number_of_answers_than_images_is_told_and_loses_none(answers):
    class Miscounting(Echo):
        def detect(self, image):
            return image

        def detect_batch(self, images):
            self.calls.append(list(images))
            return (*images, b"one more")[:answers]

    told = []
    shared = SharedDetector(Miscounting(), 2, told.append)
    assert [answer.detection for answer in shared.answer([b"1", b"2"])] == [b"1", b"2"]
    assert told == [
        f"2 images in one call, but not alone: the detector gave {answers} answers to 2 images"
    ]
    with pytest.raises(BackendError, match="answers to 2 images"):
        detect_batch(Miscounting(), [b"1", b"2"])


def test_what_fails_alone_too_is_told_of_its_image_and_not_twice():
    told = []
    answers = SharedDetector(Echo(), 2, told.append).answer([b"1", b"fault"])
    assert [answer.fault is None for answer in answers] == [True, False]
    assert told == []


@pytest.mark.parametrize("most", [1, 2])
def test_images_of_a_fault_are_let_go_without_the_garbage_collector(most):
    """Else a backend without memory keeps all the images that it failed on for some time."""

    class Picture:
        pass

    class Failing(Echo):
        def detect_batch(self, images):
            try:
                raise MemoryError("no more")
            except MemoryError as error:
                raise ValueError("a fault with a cause") from error

    recorders = {name: Recorder() for name in "ab"}
    worker = FrameWorker(recorders, SharedDetector(Failing(), most), lambda fault: None)
    kept = []
    gc.disable()
    try:
        for name in recorders:
            recorders[name].account.receive()
            picture = Picture()
            kept.append(weakref.ref(picture))
            worker.give(name, picture)
            del picture
        worker.start()
        wait_until(lambda: all(r.account.read().dropped_failed for r in recorders.values()))
        assert worker.stop()
        assert [reference() for reference in kept] == [None, None]
    finally:
        gc.enable()


def test_a_fault_outside_any_frame_is_reported_and_the_thread_goes_on():
    class Broken(Recorder):
        def fail(self, fault):
            raise OSError("cannot even tell")

    recorder = Broken()
    worker, _, reported = start({"a": recorder})
    worker.start()
    worker.give("a", b"fault")
    wait_until(lambda: reported)
    worker.give("a", b"good")
    wait_until(lambda: recorder.done == [b"good"])
    assert worker.stop()
    assert [str(fault) for fault in reported] == ["cannot even tell"]


def frames(count, period_s=0.1, latency_s=lambda number: 0.01):
    for number in range(count):
        finished_s = 1000 + period_s * number
        yield FrameTiming(finished_s, latency_s(number), 0.02, 0.001, 0.015)


def test_times_and_rate_are_those_of_the_last_seconds():
    timings = FrameTimings()
    for timing in frames(101, latency_s=lambda number: 0.001 * number):
        timings.add(timing)
    figures = timings.read(1010.0)
    assert figures["rate_hz"] == pytest.approx(10, rel=0.01)
    assert figures["latency_median_ms"] == pytest.approx(75, abs=1)
    assert figures["overhead_p99_ms"] == pytest.approx(5)
    assert figures["output_age_s"] == pytest.approx(0)


def test_a_stalled_camera_has_no_rate():
    timings = FrameTimings()
    assert timings.read(0.0)["rate_hz"] == 0
    for timing in frames(30):
        timings.add(timing)
    assert timings.read(1004.0)["rate_hz"] < 8
    stalled = timings.read(1020.0)
    assert stalled["rate_hz"] == 0
    assert stalled["output_age_s"] == pytest.approx(17.1)
    assert math.isnan(stalled["latency_p99_ms"])
