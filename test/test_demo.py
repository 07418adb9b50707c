"""The demo runs the real node, leaves a whole folder or none, and says what went wrong."""

import json
import os
import subprocess
import sys
from math import radians
from pathlib import Path

import cv2
import numpy as np
import pytest
from color_bundle import color_image, write_color_bundle

from ood_perception.bag_reading import list_topics, read_images
from ood_perception.camera import Mounting
from ood_perception.errors import OodError
from ood_perception.generated_drive import CameraSetup
from ood_perception.generated_drive.mounted_camera import camera_model
from ood_perception.ros.demo_input import mounting_parameters
from ood_perception.ros.demo_processes import DemoError, OutputFolder, PythonProcess


def test_an_output_folder_is_replaced_only_by_a_whole_one(tmp_path):
    old = tmp_path / "out"
    old.mkdir()
    (old / "summary.json").write_text("old")
    with OutputFolder(old, "summary.json") as new:
        (new / "summary.json").write_text("half")
    assert (old / "summary.json").read_text() == "old"
    folder = OutputFolder(old, "summary.json")
    with folder as new:
        (new / "summary.json").write_text("new")
        folder.finish()
    assert (old / "summary.json").read_text() == "new"
    assert list(tmp_path.iterdir()) == [old], "nothing else is left"


def test_a_folder_that_no_demo_wrote_is_never_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OodError, match=r"not an earlier demo's \(no summary.json\)"):
        OutputFolder(tmp_path, "summary.json")
    with pytest.raises(OodError, match="not an earlier demo's"):
        OutputFolder(tmp_path / "thesis.txt", "summary.json")


def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    (tmp_path / "demo_test_script.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    return "demo_test_script"


def test_a_process_that_ends_by_itself_is_reported_with_its_last_words(tmp_path, monkeypatch):
    module = script(tmp_path, monkeypatch, "import sys; print('no model here'); sys.exit(3)")
    with PythonProcess("the node", module, [], tmp_path / "log") as process:
        while process.exit_code is None:
            pass
        with pytest.raises(DemoError, match="ended by itself with exit code 3") as caught:
            process.check_running()
    assert caught.value.log_tail == "no model here"


def test_a_process_that_ignores_sigint_is_ended_all_the_same(tmp_path, monkeypatch):
    text = (
        "import signal, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    module = script(tmp_path, monkeypatch, text)
    with PythonProcess("the node", module, [], tmp_path / "log") as process:
        while process.log_tail != "ready":
            process.check_running()
        assert process.stop(patience_s=0.3) < 0


def test_the_node_is_told_the_mounting_of_the_generated_camera():
    """The drive and ROS count the pitch in opposite directions."""
    camera = CameraSetup.default(pitch_rad=radians(-4.0), roll_rad=radians(1.5), height_m=1.3)
    given = mounting_parameters(camera)
    angles = {
        f"{n}_rad": radians(given[f"camera.mounting.{n}_deg"]) for n in ("pitch", "roll", "yaw")
    }
    mounting = Mounting.from_angles(given["camera.mounting.height_m"], **angles)
    assert mounting.rotation == pytest.approx(camera.rotation.T, abs=1e-9)
    assert mounting.translation == pytest.approx([0, 0, 1.3])
    point = np.array([[12.0, 1.0, 0.2]])
    seen = camera_model(camera).project((point - mounting.translation) @ mounting.rotation)
    assert seen == pytest.approx(camera.project(point)[0])


GRAIN = 12


def write_video(path: Path, count: int) -> None:
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (128, 64))
    assert video.isOpened(), "this OpenCV cannot write mp4v"
    # Grain, or the lens would count as covered, and of each frame its own, or it would be frozen.
    rng = np.random.default_rng(5)
    for _ in range(count):
        grain = rng.integers(-GRAIN, GRAIN + 1, (64, 128, 1))
        video.write((color_image() + grain).clip(0, 255).astype(np.uint8))
    video.release()


def run_demo(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "ood_perception.ros.demo", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


@pytest.mark.ros
def test_a_video_goes_through_the_real_node(tmp_path):
    pytest.importorskip("ood_detection.msg", reason="messages are not built: run `make test`")
    write_video(tmp_path / "drive.mp4", 30)
    write_color_bundle(tmp_path / "bundle")
    out = tmp_path / "out"
    done = run_demo(
        "--video", tmp_path / "drive.mp4", "--bundle", tmp_path / "bundle", "--output", out
    )
    assert done.returncode == 0, done.stderr
    assert "30 frames in" in done.stdout.splitlines()[-1]
    summary = json.loads((out / "summary.json").read_text())
    frames = json.loads((out / "obstacles.json").read_text())["frames"]
    inputs = [image.stamp_ns for image in read_images(out / "bag", "/ood_perception/camera/image")]
    assert len(inputs) == 30
    assert len(frames) == summary["processed"] >= 1
    assert {frame["stamp_ns"] for frame in frames} <= set(inputs)
    assert {len(frame["obstacles"]) for frame in frames} == {1}
    assert {frame["status"] for frame in frames} == {"NO_CAMERA_INFO"}
    recorded = {topic.name: topic.count for topic in list_topics(out / "bag")}
    assert recorded["/ood_perception/camera/obstacles"] == summary["processed"]
    assert recorded["/ood_perception/camera/rejected"] == summary["processed"]
    capture = cv2.VideoCapture(str(out / "overlay.mp4"))
    assert capture.read()[0]


@pytest.mark.ros
def test_bad_input_is_answered_with_one_line_and_changes_nothing(tmp_path):
    pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup-runtime`")
    write_color_bundle(tmp_path / "bundle")
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    out = tmp_path / "out"
    for arguments, reason in (
        (["--bundle", tmp_path / "nowhere"], "the folder does not exist"),
        (["--bundle", tmp_path / "bundle", "--video", tmp_path / "broken.mp4"], "broken.mp4"),
        (["--bundle", tmp_path / "bundle", "--rate", "0"], "playing rate 0"),
    ):
        done = run_demo("--output", out, *arguments)
        assert (done.returncode, done.stderr.count("demo: ")) == (2, 1), done.stderr
        assert reason in done.stderr.splitlines()[-1]
        assert not out.exists()
