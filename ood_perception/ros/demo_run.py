"""One run of the real node over real DDS: play a bag to it, record what it says, and count."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rclpy
import yaml
from rclpy.context import Context
from rclpy.node import Node

from ood_perception.bag_writing import BagWriter
from ood_perception.ros.bag_recorder import BagRecorder
from ood_perception.ros.demo_input import CAMERA, IMAGE_TOPIC, NAMESPACE, DemoInput
from ood_perception.ros.demo_processes import DemoError, PythonProcess
from ood_perception.ros.demo_results import read_counters, read_node_fault
from ood_perception.ros.overlay_video import OverlayVideo
from ood_perception.ros.playback_report import PlayerReport, published_messages

OBSTACLES_TOPIC = f"{NAMESPACE}/obstacles"
OVERLAY_TOPIC = f"{NAMESPACE}/overlay"
STAMPED_TOPICS = (
    OBSTACLES_TOPIC,
    f"{NAMESPACE}/rejected",
    f"{NAMESPACE}/obstacle_points",
    f"{NAMESPACE}/obstacle_markers",
)

_DIAGNOSTICS_TOPIC = "/diagnostics"
_START_TIMEOUT_S = 90.0
_PLAY_MARGIN_S = 60.0
_SETTLE_TIMEOUT_S = 30.0
_UNCHANGED_S = 2.5
_POLL_S = 0.05

Progress = Callable[[int, int | None], None]
"""Called now and then with the frames done and their total."""


@dataclass(frozen=True)
class NodeRun:
    """What one run left. Stamps of the pictures are apart: they are not in the bag.

    input_stamps_ns: of the images that were published. counters: see ``read_counters``.
    """

    report: PlayerReport
    input_stamps_ns: tuple[int, ...]
    overlay_stamps_ns: tuple[int, ...]
    overlay_path: Path | None
    counters: dict[str, int]
    node_exit_code: int


def run_node(
    source: DemoInput,
    bundle: Path,
    output: Path,
    work: Path,
    *,
    rate: float = 1.0,
    overlay: bool = True,
    simulated_time: bool = False,
    progress: Progress | None = None,
) -> NodeRun:
    """Starts the node, plays the input to it and stops it when its account is settled.

    output: existing folder, gets bag/ (the node's messages and the input images), node.log and,
    with overlay, the overlay video. work: existing folder for what is not kept. rate: of playing.
    simulated_time: stamps stay as recorded and the bag's time goes out on /clock, which the node
    follows; without it the stamps become those of the system's clock.

    Needs the environment of ``isolate_network``. Raises DemoError with the log of the process at
    fault when the node or the player fails.
    """
    context = Context()
    rclpy.init(args=[], context=context)
    try:
        with ExitStack() as stack:
            writer = stack.enter_context(BagWriter(output / "bag"))
            video = stack.enter_context(OverlayVideo(output, source.frame_rate_hz * rate))
            node = stack.enter_context(_node_process(source, bundle, output, work, simulated_time))
            recorder = BagRecorder(
                Node("demo_recorder", context=context),
                writer,
                [*STAMPED_TOPICS, _DIAGNOSTICS_TOPIC],
                {OVERLAY_TOPIC: video.add} if overlay else {},
            )
            with recorder:
                _wait_until_ready(recorder, node)
                report = _play(source, rate, recorder, node, work, progress, simulated_time)
                counters = _settle(recorder, node, report.published[IMAGE_TOPIC])
                exit_code = node.stop()
            stamps = _copy_input(source, report, writer)
    finally:
        context.try_shutdown()
    return NodeRun(report, stamps, tuple(video.stamps_ns), video.path, counters, exit_code)


def _node_process(
    source: DemoInput, bundle: Path, output: Path, work: Path, simulated_time: bool
) -> PythonProcess:
    parameters: dict[str, Any] = {
        "bundle": str(bundle.absolute()),
        "cameras": [CAMERA],
        "autostart": True,
        "use_sim_time": simulated_time,
        **source.parameters,
    }
    file = work / "parameters.yaml"
    file.write_text(yaml.safe_dump({"/**": {"ros__parameters": parameters}}), encoding="utf-8")
    arguments = ["--ros-args", "--params-file", str(file)]
    return PythonProcess("the node", "ood_perception.ros.node", arguments, output / "node.log")


def _wait_until_ready(recorder: BagRecorder, node: PythonProcess) -> None:
    """Until every output has its publisher; the player then waits for the image subscription."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while recorder.missing:
        _check(recorder, node)
        if time.monotonic() > deadline:
            missing = ", ".join(recorder.missing)
            raise node.failure(f"does not publish {missing} within {_START_TIMEOUT_S:g} s")
        time.sleep(_POLL_S)


def _check(recorder: BagRecorder, node: PythonProcess) -> None:
    node.check_running()
    recorder.check()
    said = recorder.latest(_DIAGNOSTICS_TOPIC)
    fault = None if said is None else read_node_fault(said)
    if fault:
        raise node.failure(f"reports a fault: {fault}")


def _play(
    source: DemoInput,
    rate: float,
    recorder: BagRecorder,
    node: PythonProcess,
    work: Path,
    progress: Progress | None,
    simulated_time: bool,
) -> PlayerReport:
    report = work / "player.json"
    stamps = "--clock" if simulated_time else "--restamp"
    arguments = [str(source.bag), stamps, "--rate", str(rate), "--json", str(report)]
    duration_s = source.frames / source.frame_rate_hz / rate
    deadline = time.monotonic() + duration_s + _PLAY_MARGIN_S
    player = PythonProcess(
        "the player", "ood_perception.ros.bag_player", arguments, work / "player.log"
    )
    with player:
        while player.exit_code is None:
            _check(recorder, node)
            if time.monotonic() > deadline:
                raise player.failure("does not come to its end")
            if progress is not None:
                progress(recorder.counts[OBSTACLES_TOPIC], source.frames)
            time.sleep(_POLL_S)
    if player.exit_code != 0:
        raise player.failure(f"failed with exit code {player.exit_code}")
    return PlayerReport.from_json(json.loads(report.read_text(encoding="utf-8")))


def _settle(recorder: BagRecorder, node: PythonProcess, published: int) -> dict[str, int]:
    """The node's account when nothing is under way any more, or what it is after a time limit.

    An image that was lost never arrives, so that an account that stays the same counts, too.
    """
    deadline = time.monotonic() + _SETTLE_TIMEOUT_S
    counters: dict[str, int] | None = None
    since = time.monotonic()
    while time.monotonic() < deadline:
        _check(recorder, node)
        said = recorder.latest(_DIAGNOSTICS_TOPIC)
        now = None if said is None else read_counters(said, CAMERA)
        if now != counters:
            counters, since = now, time.monotonic()
        unchanged = time.monotonic() - since > _UNCHANGED_S
        if (
            counters
            and not counters.get("pending")
            and (unchanged or counters.get("received", 0) >= published)
        ):
            break
        time.sleep(_POLL_S)
    if counters is None:
        raise node.failure(f"says nothing of the camera {CAMERA!r} on {_DIAGNOSTICS_TOPIC}")
    _wait_for_stragglers(recorder, counters.get("processed", 0))
    return counters


def _wait_for_stragglers(recorder: BagRecorder, processed: int) -> None:
    """Messages may still be under way to the recorder; the pictures come last."""
    deadline = time.monotonic() + 5.0
    counts: dict[str, int] = {}
    while time.monotonic() < deadline:
        before, counts = counts, recorder.counts
        before.pop(_DIAGNOSTICS_TOPIC, None)
        quiet = before == {t: n for t, n in counts.items() if t != _DIAGNOSTICS_TOPIC}
        if quiet and counts[OBSTACLES_TOPIC] >= processed:
            return
        time.sleep(0.5)


def _copy_input(source: DemoInput, report: PlayerReport, writer: BagWriter) -> tuple[int, ...]:
    """Puts what was published into the bag as well; the stamps of the images."""
    stamps: list[int] = []
    for topic in report.published:
        for message in published_messages(source.bag, topic, report):
            writer.add_topic(topic, message.typename)
            writer.write_serialised(topic, message.typename, message.stamp_ns, message.serialised)
            if topic == IMAGE_TOPIC:
                stamps.append(message.stamp_ns)
    if not stamps:
        raise DemoError(f"the player published nothing on {IMAGE_TOPIC}")
    return tuple(stamps)
