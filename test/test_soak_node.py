"""A short soak of the node in a process of its own: every fault once, and what must be found is."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from color_bundle import color_image, write_color_bundle

pytestmark = [pytest.mark.ros, pytest.mark.timeout(300)]

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("ood_detection", reason="the messages of ood_detection are not built")

sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))

import node_faults  # noqa: E402
from node_faults import FAULTS, Fault  # noqa: E402
from soak_node import soak  # noqa: E402
from soak_report import Report, print_report, result_of  # noqa: E402


def pictures():
    """Coloured images with some grain, as a camera has it."""
    rng = np.random.default_rng(1)
    return [
        np.clip(color_image() + rng.normal(0, 6, (64, 128, 3)), 0, 255).astype(np.uint8)
        for _ in range(4)
    ]


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "color"
    write_color_bundle(folder)
    return folder


def test_every_fault_is_said_and_overcome_and_the_node_ends_cleanly(bundle, capsys):
    result = soak(bundle, pictures(), frames=1, seed=3)
    assert result["wrong"] == []
    assert set(result["faults"]) == {fault.name for fault in FAULTS}
    assert result["frames"] >= 200
    for name, entry in result["faults"].items():
        assert entry["slowest_said_s"] <= 2.5, name
    print_report(result)
    said = capsys.readouterr().out
    assert "no image on" in said
    assert "everything as wanted" in said


def test_a_node_that_answers_what_it_must_not_is_found(bundle, monkeypatch):
    def lie(scene):
        stamp = scene.driver.send(scene.driver.image(scene.picture()))  # not among the good ones
        return scene.driver.wait(lambda: stamp in scene.driver.obstacles, "the lie")

    monkeypatch.setattr(node_faults, "FAULTS", (Fault("lie", lie),))
    result = soak(bundle, pictures(), frames=1, seed=1)
    assert any("must not be" in text for text in result["wrong"])


def test_a_node_that_says_nothing_is_found(bundle, monkeypatch):
    def silent(scene):
        return scene.until(("no such state",), lambda: None, 0.3)

    monkeypatch.setattr(node_faults, "FAULTS", (Fault("silent", silent),))
    result = soak(bundle, pictures(), frames=1, seed=1)
    assert any("no such state" in text for text in result["wrong"])


def test_an_exit_code_lost_images_and_growth_are_found():
    report = Report()
    report.resident = [100_000_000 + 1000 * number for number in range(6000)]
    report.good_images, report.unanswered = 200, 50
    result = result_of(report, 250, -9, "", 1.0)
    assert result["growth_judged"]
    wrong = " ".join(result["wrong"])
    assert "code -9" in wrong
    assert "50 of 200" in wrong
    assert "memory grows" in wrong


def test_too_few_images_say_nothing_of_growth_and_say_so(capsys):
    report = Report()
    report.resident = [100_000_000 + 1000 * number for number in range(3000)]
    result = result_of(report, 3000, 0, "", 1.0)
    assert result["wrong"] == []
    assert not result["growth_judged"]
    print_report(result)
    assert "too few images to judge growth" in capsys.readouterr().out
