"""The log names every change of a camera's state once, and a flickering one seldom."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from ood_perception.ros.diagnostics import ERROR, OK, WARN, CameraReport, Health
from ood_perception.ros.health_log import HealthLog

pytestmark = pytest.mark.ros
SEES, SILENT = Health(OK, "ok", "processing"), Health(ERROR, "no_image", "no image for 0.8 s")


class Logger:
    def __init__(self):
        self.lines = []

    def info(self, text):
        self.lines.append(("info", text))

    def warning(self, text):
        self.lines.append(("warning", text))

    def error(self, text):
        self.lines.append(("error", text))


class Clock:
    now_s = 100.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def log():
    made = HealthLog(Logger(), Clock())
    made.lines, made.clock = made._logger.lines, made._now_s
    return made


def report(health, camera="front"):
    return CameraReport(camera, health, None, {}, "", "", "")


def test_a_change_is_said_once_at_its_level(log):
    for health in (SEES, SEES, SILENT, Health(ERROR, "no_image", "no image for 1.9 s")):
        log.clock.now_s += 6
        log.note([report(health)])
    assert log.lines == [
        ("info", "front: ok: processing"),
        ("error", "front: no_image: no image for 0.8 s"),
    ]
    log.clock.now_s += 6
    log.note([report(Health(WARN, "slow", "over budget"))])
    assert log.lines[-1] == ("warning", "front: slow: over budget")


def test_a_state_that_flickers_does_not_flood_the_log(log):
    for number in range(100):
        log.clock.now_s += 0.1
        log.note([report(SILENT if number % 2 else SEES)])
    assert len(log.lines) == 2, "ten seconds: one line at once and one after five"
    assert "changed" in log.lines[1][1]


def test_the_state_that_stays_after_flickering_is_said_in_the_end(log):
    for health in (SEES, SILENT, SEES, SILENT):
        log.note([report(health)])
    log.clock.now_s += 6
    log.note([report(SILENT)])
    assert log.lines[-1] == (
        "error",
        "front: no_image: no image for 0.8 s (changed 3 times since)",
    )


def test_cameras_are_apart_and_an_activation_starts_afresh(log):
    log.note([report(SEES), report(SILENT, "rear")])
    assert [text.partition(":")[0] for _, text in log.lines] == ["front", "rear"]
    log.forget()
    log.note([report(SEES)])
    assert len(log.lines) == 3
