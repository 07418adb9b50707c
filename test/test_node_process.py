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


def test_a_parameter_of_a_wrong_type_ends_with_one_line_and_code_2(tmp_path):
    log = tmp_path / "log"
    process = start(log, "max_frame_age_s:=soon")
    assert process.wait(60) == 2
    text = log.read_text(encoding="utf-8")
    assert "max_frame_age_s" in text
    assert "Traceback" not in text
