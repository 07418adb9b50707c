"""What watches a camera: silence and budgets, each by itself and without ROS running."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("diagnostic_msgs", reason="the ROS message packages are not installed")

from ood_perception.ros import silence_watch
from ood_perception.ros.budgets import BudgetSettings, BudgetWatch
from ood_perception.ros.camera_monitor import CameraMonitor
from ood_perception.ros.diagnostics import ERROR, OK, WARN
from ood_perception.ros.frame_counts import FrameCounts
from ood_perception.ros.frame_timings import FrameTiming
from ood_perception.ros.silence_watch import SilenceWatch
from ood_perception.scene import Status


def test_silence_follows_simulated_time_and_survives_its_jumps(monkeypatch):
    steady, simulated = [100.0], [50.0]
    monkeypatch.setattr(silence_watch, "monotonic", lambda: steady[0])
    watch = SilenceWatch(lambda: simulated[0])
    steady[0] += 10
    simulated[0] += 0.5  # a simulation at a twentieth of its speed
    assert watch.look().quiet_s == pytest.approx(0.5)
    simulated[0] -= 40  # the bag starts again
    assert watch.look().quiet_s == pytest.approx(0.5)
    simulated[0] += 2
    assert watch.look().quiet_s == pytest.approx(2.5)
    watch.hear()
    assert watch.look().quiet_s == 0
    steady[0] += 3
    assert watch.look().still_s == pytest.approx(3)


def test_a_simulator_in_lock_step_whose_clock_moves_with_each_image_alone_does_not_stand_still(
    monkeypatch,
):
    steady, simulated = [100.0], [50.0]
    monkeypatch.setattr(silence_watch, "monotonic", lambda: steady[0])
    watch = SilenceWatch(lambda: simulated[0])
    for _ in range(20):
        steady[0] += 0.5
        simulated[0] += 0.05
        watch.hear()
        assert watch.look().still_s == 0


def test_without_simulated_time_the_steady_clock_counts_and_nothing_stands_still(monkeypatch):
    steady = [100.0]
    monkeypatch.setattr(silence_watch, "monotonic", lambda: steady[0])
    watch = SilenceWatch()
    steady[0] += 3
    assert watch.look() == (3, 0)


def figures(latency_ms=10.0, rate_hz=10.0, dropped_share=0.0):
    return {"latency_p99_ms": latency_ms, "rate_hz": rate_hz, "dropped_share": dropped_share}


def watched(settings, seconds=10):
    """A watch that has looked for so long at a camera of 10 Hz."""
    watch = BudgetWatch(settings)
    for number in range(4 * seconds):
        watch.look(0.25 * number, FrameCounts(received=round(2.5 * number)))
    return watch


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"latency_ms": 300.0}, "latency p99 0.300 s of 0.2 s"),
        ({"rate_hz": 3.0}, "rate 3.0 Hz of 5 Hz"),
        ({"dropped_share": 0.6}, "60% of the images"),
    ],
)
def test_over_budget_is_said_at_once_and_lasts_after_the_time_that_is_set(changes, word):
    watch = watched(BudgetSettings(0.2, 5.0, 0.5, error_after_s=2.0))
    assert watch.judge(10.0, figures()) == ("", False)
    text, lasts = watch.judge(11.0, figures(**changes))
    assert word in text
    assert not lasts
    assert watch.judge(13.1, figures(**changes))[1]
    assert watch.judge(13.2, figures()) == ("", False)
    assert not watch.judge(13.3, figures(**changes))[1], "it begins anew"


def test_budgets_that_are_off_and_figures_that_are_not_there_say_nothing():
    off = watched(BudgetSettings(0.0, 0.0, 1.0, 0.0))
    assert off.judge(10.0, figures(1e6, 0.0, 1.0)) == ("", False)
    nothing = watched(BudgetSettings(0.2, 5.0, 0.5))
    assert nothing.judge(10.0, figures(latency_ms=float("nan")))[0] == ""
    fresh = watched(BudgetSettings(0.2, 5.0, 0.5), seconds=1)
    assert fresh.judge(1.0, figures(rate_hz=0.0))[0] == "", "nobody starts at full speed"


def test_rate_and_share_are_those_of_the_last_seconds():
    watch = BudgetWatch(BudgetSettings())
    for number in range(41):
        seen = watch.look(
            0.25 * number,
            FrameCounts(received=5 * number, processed=4 * number, dropped_overwritten=number),
        )
    assert seen["received_rate_hz"] == pytest.approx(20)
    assert seen["dropped_share"] == pytest.approx(0.2)


def test_a_camera_that_comes_back_is_not_reported_as_too_slow(monkeypatch):
    clock = [100.0]
    for module in ("camera_monitor", "silence_watch"):
        monkeypatch.setattr(f"ood_perception.ros.{module}.monotonic", lambda: clock[0])
    monitor = CameraMonitor("c", "/t", 0.7, lambda: None, BudgetSettings(0.0, 5.0, 0.5, 3.0))
    scene = SimpleNamespace(
        detection=SimpleNamespace(left_out=0), status=Status.OK, notes=(), unplaced=0,
        unconfirmable=0, has_valid_geometry=True,
    )  # fmt: skip

    def states(seconds, good):
        said = []
        for _ in range(round(10 * seconds)):
            clock[0] += 0.1
            if good:
                monitor.receive()
                monitor.begin()
                monitor.finish(scene, 0.0, "", FrameTiming(clock[0], 0.1, 0.1, 0.0, 0.05, 0))
            said.append(monitor.report().health.state)
        return said

    states(8.0, good=False)  # after activation, before the driver starts
    assert set(states(8.0, good=True)) == {"ok"}
    assert states(10.0, good=False)[-1] == "no_image"
    assert set(states(8.0, good=True)) == {"ok"}
    two_hertz = [states(0.1, good=number % 5 == 0)[0] for number in range(120)]
    assert two_hertz[-1] == "over_budget"


def test_diagnostics_go_from_warning_to_error_over_budget(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("ood_perception.ros.camera_monitor.monotonic", lambda: clock[0])
    monitor = CameraMonitor("c", "/t", 60.0, lambda: None, BudgetSettings(0.0, 5.0, 1.0, 3.0))
    monitor._health = monitor._health.__class__(OK, "ok", "processing")
    levels = []
    for _ in range(30):
        clock[0] += 0.25
        levels.append(monitor.report().health.level)
    assert levels[0] == OK
    assert levels[-1] == ERROR
    assert levels == sorted(levels), "worse and worse, with a warning in between"
    assert WARN in levels
    assert monitor.report().health.state == "over_budget"
