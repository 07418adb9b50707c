"""The slot between receiving and working: latest frame wins, every frame is accounted for."""

from __future__ import annotations

import random
import time
from threading import Thread

import pytest

pytest.importorskip("diagnostic_msgs", reason="the ROS message packages are not installed")

from ood_perception.ros.frame_counts import FrameAccount, Outcome
from ood_perception.ros.frame_slot import FrameSlots
from ood_perception.ros.frame_worker import FrameWorker


def test_a_newer_frame_replaces_the_one_that_waits():
    slots = FrameSlots(["a"])
    assert slots.put("a", 1) is None
    assert slots.put("a", 2) == 1
    assert slots.take() == ("a", 2)
    assert slots.take(timeout_s=0.01) is None


def test_a_fast_camera_does_not_starve_a_slow_one():
    slots = FrameSlots(["fast", "slow"])
    slots.put("fast", 0)
    slots.put("slow", 0)
    served = []
    for number in range(4):
        served.append(slots.take()[0])
        slots.put("fast", number)
    assert served == ["fast", "slow", "fast", "fast"]


def test_closing_returns_what_waits_and_wakes_who_waits():
    slots = FrameSlots(["a", "b"])
    slots.put("b", 7)
    assert slots.close() == [("b", 7)]
    assert slots.put("a", 8) == 8, "a frame that comes too late is handed back"
    assert slots.take() is None
    waiting = FrameSlots(["a"])
    taken = []
    thread = Thread(target=lambda: taken.append(waiting.take()))
    thread.start()
    waiting.close()
    thread.join(5)
    assert taken == [None]


class Recorder:
    """Accounts for frames as a camera's processor does; some of them fail."""

    def __init__(self, seconds=0.0):
        self.account = FrameAccount()
        self.seconds = seconds
        self.done = []

    def process(self, serialised):
        time.sleep(self.seconds)
        if serialised == b"fault":
            raise ZeroDivisionError("a fault")
        self.done.append(serialised)
        self.account.settle(Outcome.PROCESSED)

    def fail(self, fault):
        self.account.settle(Outcome.DROPPED_FAILED)

    def overwrite(self):
        self.account.settle(Outcome.DROPPED_OVERWRITTEN)

    def discard(self):
        self.account.settle(Outcome.DROPPED_STOPPED)


def wait_until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_fault_costs_one_frame_and_not_the_thread():
    recorder = Recorder()
    worker = FrameWorker({"a": recorder})
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
    worker = FrameWorker(recorders)
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


def test_latency_and_rate_come_from_the_published_frames():
    account = FrameAccount()
    for number in range(101):
        account.publish(latency_s=0.001 * number, now_s=0.1 * number)
    counts = account.read()
    assert counts.latency_median_ms == pytest.approx(50)
    assert counts.latency_p99_ms == pytest.approx(99)
    assert counts.rate_hz == pytest.approx(10)
