"""The set-up scripts: what they repair, what they show, and when they leave things alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
sys.path.insert(0, str(SCRIPTS))

import pip_install  # noqa: E402
import ros_wheels  # noqa: E402
import set_up  # noqa: E402

CMAKE_OF_A_WHEEL = (
    'INCLUDE "${_IMPORT_PREFIX}/include;/opt/python/cp311-cp311/include/python3.11;'
    '/opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/_core/include"\n'
)


def test_repair_points_cmake_files_at_this_python_and_changes_nothing_twice(tmp_path):
    (tmp_path / "bin").mkdir()
    launcher = tmp_path / "bin/python"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    launcher.chmod(0o755)
    broken = tmp_path / "share/some_msgs/cmake/export_some_msgs.cmake"
    broken.parent.mkdir(parents=True)
    broken.write_text(CMAKE_OF_A_WHEEL, encoding="utf-8")
    assert ros_wheels.repair(tmp_path) == 1
    folders = broken.read_text(encoding="utf-8").strip().strip('"').split(";")[1:]
    assert (Path(folders[0]) / "Python.h").is_file()
    assert (Path(folders[1]) / "numpy/arrayobject.h").is_file()
    assert ros_wheels.repair(tmp_path) == 0


def test_wheels_are_kept_apart_from_another_ros(tmp_path, monkeypatch):
    monkeypatch.setenv("AMENT_PREFIX_PATH", "/opt/ros/other")
    monkeypatch.setenv("PYTHONPATH", "/opt/ros/other/lib/python3/site-packages")
    variables = ros_wheels.environment(tmp_path)
    assert variables["AMENT_PREFIX_PATH"] == str(tmp_path)
    assert "PYTHONPATH" not in variables


def test_a_ros_installation_is_used_without_our_own_build(monkeypatch):
    own = set_up.ROOT / "install/ood_detection"
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{own}{os.pathsep}/opt/ros/jazzy")
    assert set_up.environment("jazzy")["AMENT_PREFIX_PATH"] == "/opt/ros/jazzy"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("Downloading https://x/torch-2.9.0-cp311.whl (900.1 MB)", True),
        ("Downloading torch-2.9.0-cp311.whl (1.2 GB)", True),
        ("Downloading rich-15.0.0-py3-none-any.whl (300 kB)", False),
        ("Requirement already satisfied: numpy", False),
        ("Installing collected packages: a, b", True),
    ],
)
def test_only_large_downloads_and_the_end_are_shown(line, shown):
    assert bool(pip_install.shown_line(line)) is shown


def test_pip_failure_is_one_line(tmp_path):
    with pytest.raises(pip_install.PipError, match=r"^ERROR: .*no_such_file"):
        pip_install.pip_install(
            Path(sys.executable),
            ["--requirement", str(tmp_path / "no_such_file.txt")],
            dict(os.environ),
            tmp_path / "pip.log",
            print,
        )


def test_build_looks_at_new_modules_and_changed_messages():
    """A linked installation follows edits by itself, but not a file that did not exist."""
    inputs = set_up.inputs()
    assert "ood_perception/__init__.py" in inputs
    assert (set_up.ROOT / "msg/ObstacleComponent.msg").read_bytes() in inputs
    assert not any("__pycache__" in part for part in inputs if isinstance(part, str))


def test_digest_tells_where_one_part_ends():
    assert set_up.digest(["ab", "c"]) != set_up.digest(["a", "bc"])


def test_sourcing_before_set_up_says_what_to_do(tmp_path):
    (tmp_path / "scripts").mkdir()
    copy = tmp_path / "scripts/ros_environment.sh"
    copy.write_text((SCRIPTS / "ros_environment.sh").read_text("utf-8"), encoding="utf-8")
    done = subprocess.run(
        ["bash", "-c", f"source '{copy}'"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "make setup-runtime" in done.stderr
