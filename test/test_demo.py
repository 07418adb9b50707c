"""The demo tells the truth about a run: every promise that the node breaks is found and named."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from math import nan, radians
from pathlib import Path

import cv2
import numpy as np
import pytest
from color_bundle import color_image, write_color_bundle

from ood_perception.bag_reading import list_topics, read_images
from ood_perception.bag_writing import image_message
from ood_perception.camera import Mounting
from ood_perception.errors import OodError
from ood_perception.generated_drive import CameraSetup
from ood_perception.message_types import (
    IMAGE_TYPE,
    OBSTACLES_TYPE,
    make_message,
    message_typestore,
)
from ood_perception.ros import overlay_video
from ood_perception.ros.demo_input import intrinsics, mounting_parameters
from ood_perception.ros.demo_processes import DemoError, OutputFolder, PythonProcess
from ood_perception.ros.demo_results import (
    DIAGNOSTICS_TYPE,
    frame_to_json,
    read_counters,
    read_node_fault,
)
from ood_perception.ros.demo_summary import DemoRecord, summarise
from ood_perception.ros.overlay_video import OverlayVideo

STAMPS = tuple(range(1_000, 101_000, 1_000))
COUNTERS = {
    "received": 99,
    "processed": 90,
    "refused": 2,
    "dropped_overwritten": 4,
    "dropped_too_old": 3,
    "pending": 0,
}
GOOD = DemoRecord(
    frames_in=100,
    published=100,
    input_stamps_ns=frozenset(STAMPS),
    counters=COUNTERS,
    obstacle_stamps_ns=STAMPS[:90],
    output_stamps_ns={"/obstacles": STAMPS[:90], "/overlay": STAMPS[:80]},
    latencies_s=tuple(np.linspace(0.01, 0.1, 90)),
    obstacles_per_frame=(2,) * 30 + (0,) * 60,
    distinct_obstacles=3,
    node_exit_code=0,
)


def counters(**changes: int) -> dict[str, int]:
    return {**COUNTERS, **changes}


def test_a_run_that_keeps_all_promises_is_told_in_numbers():
    summary = summarise(GOOD)
    assert summary.broken_promises == ()
    assert summary.lost_in_transport == 1
    assert summary.dropped == {"overwritten": 4, "too_old": 3}
    assert (summary.obstacles, summary.frames_with_obstacles) == (60, 30)
    assert summary.latency_median_ms == pytest.approx(55)
    assert summary.latency_p99_ms == pytest.approx(99.1, abs=0.5)
    line = summary.line()
    for part in ("100 frames in", "90 processed", "7 dropped", "2 refused", "1 lost", "median 55"):
        assert part in line
    assert json.loads(json.dumps(summary.to_json(), allow_nan=False))["broken_promises"] == []


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"published": 99}, "the player published 99 of 100 frames"),
        ({"counters": counters(received=101)}, "received 101 images, more than the 100 sent"),
        ({"counters": counters(received=97, dropped_too_old=1)}, "3 of 100 images were lost"),
        ({"counters": counters(pending=1, dropped_too_old=2)}, "1 images were still waiting"),
        ({"counters": counters(refused=1)}, "does not balance: 99 received, but 98"),
        ({"counters": counters(dropped_failed=1)}, "does not balance: 99 received, but 100"),
        ({"counters": {"received": 99}}, "does not say processed, refused, pending"),
        ({"counters": counters(processed=0, dropped_too_old=93)}, "no frame was processed"),
        ({"node_exit_code": -9}, "ended with exit code -9"),
        ({"obstacle_stamps_ns": STAMPS[:89]}, "90 frames were processed, but 89 obstacles"),
        ({"obstacle_stamps_ns": STAMPS[:91]}, "90 frames were processed, but 91 obstacles"),
        ({"obstacle_stamps_ns": (*STAMPS[:89], STAMPS[0])}, "more than once for 1 stamps"),
        ({"output_stamps_ns": {"/points": (1_000, 1_001)}}, "1 messages of /points carry a stamp"),
        ({"latencies_s": (0.1, -0.001)}, "1 obstacles messages tell an impossible latency"),
        ({"latencies_s": (nan,)}, "1 obstacles messages tell an impossible latency"),
    ],
)
def test_a_broken_promise_is_found_and_named(changes, complaint):
    broken = summarise(replace(GOOD, **changes)).broken_promises
    assert any(complaint in promise for promise in broken), broken


def test_two_of_a_hundred_images_may_be_lost_in_transport():
    two = replace(GOOD, counters=counters(received=98, dropped_too_old=2))
    assert summarise(two).broken_promises == ()


def test_a_run_without_any_output_still_has_a_summary():
    nothing = replace(GOOD, latencies_s=(), obstacle_stamps_ns=(), obstacles_per_frame=())
    summary = summarise(nothing)
    assert summary.latency_median_ms is None
    assert "no latency" in summary.line()


def diagnostics(*statuses: dict) -> bytes:
    values = {
        "header": {"stamp": {"sec": 1, "nanosec": 0}, "frame_id": ""},
        "status": [
            {
                **status,
                "message": "why",
                "values": [{"key": k, "value": v} for k, v in status["values"].items()],
            }
            for status in statuses
        ],
    }
    store = message_typestore()
    return bytes(store.serialize_cdr(make_message(DIAGNOSTICS_TYPE, values), DIAGNOSTICS_TYPE))


def test_the_account_of_one_camera_is_read_from_diagnostics():
    account = {key: str(value) for key, value in COUNTERS.items()}
    other = {"name": "n: rear", "hardware_id": "rear", "level": 2, "values": {"received": "7"}}
    this = {"name": "n: camera", "hardware_id": "camera", "level": 0}
    values = {**account, "latency_median_ms": "3.1", "state": "ok", "dropped": "7"}
    serialised = diagnostics(other, {**this, "values": values})
    assert read_counters(serialised, "camera") == COUNTERS
    assert read_counters(serialised, "front") is None


def test_only_a_fault_of_the_node_itself_ends_the_demo():
    node = {"name": "n", "hardware_id": "n", "values": {}}
    camera = {"name": "n: camera", "hardware_id": "camera", "level": 2, "values": {}}
    assert read_node_fault(diagnostics({**node, "level": 1}, camera)) == ""
    assert read_node_fault(diagnostics({**node, "level": 2}, camera)) == "why"


def component_fields(**changes) -> dict:
    point = {"x": 1.0, "y": 2.0, "z": 0.0}
    region = {"x_offset": 1, "y_offset": 2, "height": 3, "width": 4, "do_rectify": False}
    names = ("area_px", "obstacle_probability", "mean_score", "max_score", "distance_m")
    names += ("distance_stddev_m", "lateral_stddev_m", "width_m", "height_m", "road_border_share")
    return {
        "id": 5,
        "region_of_interest": region,
        "contour": {"points": [point]},
        "has_position": True,
        "range_source": 1,
        "position": {"x": 8.0, "y": -1.5, "z": 0.0},
        "footprint": {"points": [point]},
        "confirmed": True,
        "relevant": False,
        "reason_metrics": ["S"],
        "reason_values": [12.0],
        "reason_contributions": [-0.5],
        **dict.fromkeys(names, 0.5),
        **changes,
    }


def test_a_message_becomes_json_in_which_nothing_is_made_up():
    unplaced = {"has_position": False, "distance_m": nan, "obstacle_probability": nan}
    fields = {
        "header": {"stamp": {"sec": 2, "nanosec": 7}, "frame_id": "camera"},
        "ground_frame_id": "base_link",
        "image_width": 128,
        "image_height": 64,
        "model_id": "m",
        "threshold": 0.5,
        "status": 3,
        "latency": {"sec": 0, "nanosec": 12_000_000},
        "dropped_frames": 4,
        "components": [component_fields(), component_fields(**unplaced)],
    }
    frame = frame_to_json(make_message(OBSTACLES_TYPE, fields))
    json.dumps(frame, allow_nan=False)
    assert (frame["stamp_ns"], frame["status"], frame["latency_ms"]) == (
        2_000_000_007,
        "DEGRADED",
        12,
    )
    assert frame["image_size"] == [64, 128]
    placed, bare = frame["obstacles"]
    assert placed["place"]["x_m"] == 8.0
    assert placed["region"] == {"x": 1, "y": 2, "width": 4, "height": 3}
    assert placed["reasons"] == [{"metric": "S", "value": 12.0, "contribution": -0.5}]
    assert bare["place"] is None
    assert bare["obstacle_probability"] is None


def overlay_message(stamp_ns: int, value: int, height: int = 48) -> bytes:
    pixels = np.full((height, 64, 3), value, np.uint8)
    message = image_message(pixels, stamp_ns, "camera")
    return bytes(message_typestore().serialize_cdr(message, IMAGE_TYPE))


def video_frames(path: Path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    frames = []
    while True:
        read, image = capture.read()
        if not read:
            return frames
        frames.append(image)


def test_the_overlay_video_keeps_the_pace_where_frames_are_missing(tmp_path):
    with OverlayVideo(tmp_path, 10.0) as video:
        for stamp_s, value in ((5.0, 10), (5.1, 60), (5.4, 200)):
            video.add(overlay_message(round(stamp_s * 1e9), value))
    assert video.stamps_ns == [5_000_000_000, 5_100_000_000, 5_400_000_000]
    levels = [frame.mean() for frame in video_frames(tmp_path / "overlay.mp4")]
    assert levels == pytest.approx([10, 60, 60, 60, 200], abs=6)


def test_an_image_of_another_size_does_not_end_the_video(tmp_path):
    with OverlayVideo(tmp_path, 10.0) as video:
        video.add(overlay_message(0, 10))
        video.add(overlay_message(100_000_000, 60, height=96))
    assert [f.shape for f in video_frames(tmp_path / "overlay.mp4")] == [(48, 64, 3)] * 2


def test_without_a_codec_there_are_pictures(tmp_path, monkeypatch):
    class NoCodec:
        fourcc = staticmethod(cv2.VideoWriter.fourcc)

        def __init__(self, *_: object) -> None:
            pass

        def isOpened(self) -> bool:  # noqa: N802
            return False

    monkeypatch.setattr(overlay_video.cv2, "VideoWriter", NoCodec)
    with OverlayVideo(tmp_path, 10.0) as video:
        for index in range(3):
            video.add(overlay_message(index * 100_000_000, 50))
    assert video.path == tmp_path / "overlay"
    assert sorted(p.name for p in video.path.iterdir()) == [f"00000{i}.png" for i in range(3)]


def test_an_output_folder_is_replaced_only_by_a_whole_one(tmp_path):
    old = tmp_path / "out"
    old.mkdir()
    (old / "summary.json").write_text("old")
    with pytest.raises(KeyError), OutputFolder(old, "summary.json") as new:
        (new / "summary.json").write_text("half")
        raise KeyError
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
    seen = intrinsics(camera).project((point - mounting.translation) @ mounting.rotation)
    assert seen == pytest.approx(camera.project(point)[0])


def write_video(path: Path, count: int) -> None:
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (128, 64))
    assert video.isOpened(), "this OpenCV cannot write mp4v"
    for index in range(count):
        image = color_image()
        image[:4, index : index + 4] = 255  # or the camera would count as frozen
        video.write(image)
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
    assert video_frames(out / "overlay.mp4")


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
