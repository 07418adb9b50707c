"""The node as the process that a person or a launch file starts."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from color_bundle import write_color_bundle

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("ood_detection", reason="the messages of ood_detection are not built")

ROOT = Path(__file__).resolve().parents[1]


def start(log, *parameters):
    arguments = [part for value in parameters for part in ("-p", value)]
    environment = {
        **os.environ,
        "ROS_DOMAIN_ID": str(random.SystemRandom().randint(1, 99)),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "FASTRTPS_DEFAULT_PROFILES_FILE": str(ROOT / "config" / "fastdds_profile.xml"),
    }
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "ood_perception.ros.node", "--ros-args", *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=ROOT,
        )


def wait_for(log, text, process):
    end = time.monotonic() + 60
    while text not in log.read_text(encoding="utf-8"):
        assert process.poll() is None, log.read_text(encoding="utf-8")
        assert time.monotonic() < end, log.read_text(encoding="utf-8")
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_node_says_what_it_runs_and_ends_cleanly_on_a_signal(tmp_path, number):
    write_color_bundle(tmp_path / "color")
    log = tmp_path / "log"
    process = start(log, f"bundle:={tmp_path / 'color'}")
    wait_for(log, "trained on:", process)
    assert "terms:" in log.read_text(encoding="utf-8")
    time.sleep(0.3)
    process.send_signal(number)
    assert process.wait(20) == 0, log.read_text(encoding="utf-8")
    assert "Traceback" not in log.read_text(encoding="utf-8")


def test_a_refused_bundle_leaves_the_node_alive_and_says_why_in_one_line(tmp_path):
    log = tmp_path / "log"
    process = start(log, f"bundle:={tmp_path / 'nothing'}")
    wait_for(log, "the folder does not exist", process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert log.read_text(encoding="utf-8").count("\n") == 1


@pytest.mark.parametrize(
    "value",
    [
        "max_frame_age_s:=soon",
        "max_frame_age_s:=-1.0",
        "max_frame_age_s:=.nan",
        "tracking.confirm_hits:=0",
        "mounting_source:=guess",
    ],
)
def test_a_parameter_that_cannot_be_ends_with_one_line_and_code_2(tmp_path, value):
    log = tmp_path / "log"
    process = start(log, value, "bundle:=none", "autostart:=false")
    assert process.wait(60) == 2, log.read_text(encoding="utf-8")
    text = log.read_text(encoding="utf-8")
    assert value.partition(":")[0] in text
    assert "Traceback" not in text
    assert text.count("\n") == 1


def test_a_signal_at_any_moment_ends_the_node_cleanly(tmp_path):
    """From before the first import to the middle of the work, with a second one in between."""
    write_color_bundle(tmp_path / "color")
    numbers = random.Random(5)
    for attempt in range(8):
        log = tmp_path / f"log{attempt}"
        process = start(log, f"bundle:={tmp_path / 'color'}")
        # before Python has read the first line of ours there is nothing of ours to end
        wait_for_handler(process)
        time.sleep(numbers.uniform(0, 2.0) * attempt / 7)
        first, second = numbers.sample([signal.SIGINT, signal.SIGTERM], 2)
        process.send_signal(first)
        if attempt % 2:
            time.sleep(0.01)
            if process.poll() is None:
                process.send_signal(second)
        assert process.wait(20) == 0, log.read_text(encoding="utf-8")
        text = log.read_text(encoding="utf-8")
        assert "Traceback" not in text, text
        assert "ERROR" not in text, text


def wait_for_handler(process):
    """Until the process catches SIGINT and SIGTERM."""
    wanted = (1 << signal.SIGINT - 1) | (1 << signal.SIGTERM - 1)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None
        lines = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines()
        caught = next(line for line in lines if line.startswith("SigCgt:"))
        if int(caught.split()[1], 16) & wanted == wanted:
            return
        time.sleep(0.002)
    raise AssertionError("the node does not catch signals")
