"""`ood make-bag` and `ood replay`: bags without ROS."""

from __future__ import annotations

from enum import Enum
from math import radians
from pathlib import Path
from typing import Annotated, Any, Optional

import numpy as np
import typer
from numpy.typing import NDArray

from ood_perception.bags import Intrinsics, make_bag
from ood_perception.bundle import load_bundle
from ood_perception.camera import Mounting
from ood_perception.camera_pipeline import CameraPipeline
from ood_perception.command_line import on_progress, progress_bar, write_json
from ood_perception.commands.live_replay import LiveReplay, play_live
from ood_perception.commands.options import (
    DEFAULT_BUNDLE,
    BackendOption,
    BundleOption,
    JsonOption,
    OverwriteOption,
    ReasonsOption,
)
from ood_perception.detector import Detector
from ood_perception.errors import OodError
from ood_perception.obstacle_json import scene_to_json
from ood_perception.replay import ReplaySettings, replay
from ood_perception.scene import Scene


class Storage(str, Enum):
    """How a bag is stored."""

    MCAP = "mcap"
    SQLITE3 = "sqlite3"


StorageOption = Annotated[Storage, typer.Option(help="How the bag is stored.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.command("make-bag")(make_bag_command)
    app.command("replay")(replay_command)


def make_bag_command(
    source: Annotated[Path, typer.Argument(help="A video, an image or a folder of images.")],
    bag: Annotated[Path, typer.Argument(help="Folder of the new bag.")],
    storage: StorageOption = Storage.MCAP,
    compressed: Annotated[bool, typer.Option(help="JPEG images instead of raw ones.")] = False,
    quality: Annotated[int, typer.Option(min=1, max=100, help="JPEG quality.")] = 90,
    camera: Annotated[str, typer.Option(help="Name of the camera, in the topics.")] = "camera",
    frame_id: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Frame of the headers; NAME_optical_frame without it."),
    ] = None,
    fps: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Frames per second; a video's own rate, or 10 for images, without it."),
    ] = None,
    intrinsics: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="fx,fy,cx,cy in pixels, and distortion coefficients after them."),
    ] = None,
    overwrite: OverwriteOption = False,
    json_file: JsonOption = None,
) -> None:
    """Turn a video or images into a rosbag2, with camera_info from given intrinsics."""
    with progress_bar() as bar:
        summary = make_bag(
            source,
            bag,
            storage=storage.value,
            compressed=compressed,
            quality=quality,
            camera_name=camera,
            frame_id=frame_id,
            fps=fps,
            camera=_intrinsics(intrinsics),
            overwrite=overwrite,
            progress=on_progress(bar, "make-bag"),
        )
    write_json(json_file, summary.to_json())
    topics = ", ".join(f"{topic} ({count})" for topic, count in summary.topics.items())
    print(f"{summary.path}: {summary.frames} frames, {summary.duration_s:.1f} s, {topics}")


def replay_command(
    bag: Annotated[Path, typer.Argument(help="The bag to read: a folder, .mcap or .db3.")],
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Argument(help="Folder of the new bag; none with --live."),
    ] = None,
    bundle: BundleOption = DEFAULT_BUNDLE,
    topic: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Image topic, where the bag has several."),
    ] = None,
    camera_height: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Height of the camera above the road in metres; gives distances."),
    ] = None,
    camera_pitch: Annotated[
        float, typer.Option(help="How far the camera looks down, in degrees.")
    ] = 0.0,
    storage: StorageOption = Storage.MCAP,
    overlays: Annotated[bool, typer.Option(help="Write pictures for people too.")] = False,
    reasons: ReasonsOption = True,
    copy_input: Annotated[bool, typer.Option(help="Copy the input's messages too.")] = False,
    overwrite: OverwriteOption = False,
    json_file: JsonOption = None,
    backend: BackendOption = "onnxruntime",
    live: Annotated[
        bool, typer.Option(help="Play to a running node over DDS, its time on /clock.")
    ] = False,
    rate: Annotated[float, typer.Option(help="With --live: speed, 1 is as recorded.")] = 1.0,
    loop: Annotated[int, typer.Option(min=1, help="With --live: play it so often.")] = 1,
    camera: Annotated[
        str, typer.Option(help="With --live: which camera of the node gets the images.")
    ] = "camera",
    node: Annotated[str, typer.Option(help="With --live: full name of the node.")] = (
        "/ood_perception"
    ),
) -> None:
    """Run a bag through the same detector as the node, as fast as this machine can.

    With --live the bag goes to a running node instead, for machines without rosbag2.
    """
    if live:
        if out is not None or json_file is not None:
            raise OodError("--live writes nothing: leave the new bag and --json away")
        raise typer.Exit(play_live(LiveReplay(bag, topic, camera, node, rate, loop)))
    if out is None:
        raise OodError("name the folder of the new bag, or play to a running node with --live")
    if camera_height is not None and camera_height <= 0:
        raise OodError(f"--camera-height {camera_height}: give metres above the road")
    mounting = None
    if camera_height is not None:
        mounting = Mounting.from_angles(camera_height, pitch_rad=radians(camera_pitch))
    pipeline = CameraPipeline(Detector(load_bundle(bundle), backend))
    frames: list[dict[str, Any]] = []

    def keep(scene: Scene, _: NDArray[np.uint8]) -> None:
        frames.append(scene_to_json(scene))

    with progress_bar() as bar:
        summary = replay(
            bag,
            out,
            pipeline,
            ReplaySettings(
                topic=topic,
                mounting=mounting,
                storage=storage.value,
                overlays=overlays,
                reasons=reasons,
                copy_input=copy_input,
                overwrite=overwrite,
            ),
            on_scene=keep if json_file is not None else None,
            progress=on_progress(bar, "replay"),
        )
    write_json(json_file, {"summary": summary.to_json(), "frames": frames})
    print(summary.line())


def _intrinsics(text: str | None) -> Intrinsics | None:
    if text is None:
        return None
    try:
        fx, fy, cx, cy, *distortion = (float(part) for part in text.split(","))
    except ValueError as error:
        raise OodError(
            f"--intrinsics {text!r}: give fx,fy,cx,cy in pixels, such as 800,800,640,360"
        ) from error
    return Intrinsics(fx, fy, cx, cy, distortion)
