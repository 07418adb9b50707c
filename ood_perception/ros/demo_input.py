"""The input of a demo: a bag with one camera, and what the node has to be told about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import degrees
from pathlib import Path
from typing import Any

from ood_perception.bags import BagSummary, make_bag
from ood_perception.frame_sources import Frame
from ood_perception.generated_drive import CameraSetup, Drive
from ood_perception.generated_drive.mounted_camera import camera_model

NODE = "ood_perception"
CAMERA = "camera"
NAMESPACE = f"/{NODE}/{CAMERA}"
IMAGE_TOPIC = f"{NAMESPACE}/image"

_FRAME_ID = "camera_optical_frame"
_GENERATED_SEED = 7
_GENERATED_OBSTACLES = 7
_GENERATED_RATE_HZ = 12.0
_GENERATED_DURATION_S = 12.0
_GENERATED_SPEED_MPS = 9.0

Progress = Callable[[int, int | None], None]
"""Called after each frame with the frames done and their total, where that is known."""


@dataclass(frozen=True)
class DemoInput:
    """A bag whose topics carry the node's own names.

    frames: images in it. frame_rate_hz: as recorded. parameters: of the node, by full name.
    """

    bag: Path
    frames: int
    frame_rate_hz: float
    parameters: dict[str, Any]


def generated_input(bag: Path, progress: Progress | None = None) -> DemoInput:
    """A generated drive past unknown objects, with known camera and mounting.

    bag: folder to write. Raises BagError when it cannot be written.
    """
    drive = Drive(
        _GENERATED_SEED,
        speed_mps=_GENERATED_SPEED_MPS,
        frame_rate_hz=_GENERATED_RATE_HZ,
        duration_s=_GENERATED_DURATION_S,
        light="clear",
        obstacle_count=_GENERATED_OBSTACLES,
    )
    return drive_input(bag, drive, progress=progress)


def drive_input(
    bag: Path, drive: Drive, start_ns: int = 0, progress: Progress | None = None
) -> DemoInput:
    """Any generated drive, with known camera and mounting.

    bag: folder to write. start_ns: stamp of its first frame; on /clock a time of 0 means "not
    known yet", so a bag that is to set the clock starts later. Raises BagError when it cannot be
    written.
    """
    total = len(drive)
    summary = _make(
        _frames(drive, start_ns),
        bag,
        camera=camera_model(drive.camera),
        progress=None if progress is None else lambda done, _: progress(done, total),
    )
    return DemoInput(bag, summary.frames, drive.frame_rate_hz, mounting_parameters(drive.camera))


def video_input(bag: Path, video: Path, progress: Progress | None = None) -> DemoInput:
    """A video at its own rate. Nothing is known of its camera, so obstacles get no place.

    bag: folder to write. Raises BagError when the video cannot be read or the bag not be written.
    """
    summary = _make(video, bag, progress=progress)
    rate_hz = (summary.frames - 1) / summary.duration_s if summary.duration_s > 0 else 10.0
    return DemoInput(bag, summary.frames, rate_hz, {"mounting_source": "none"})


def mounting_parameters(camera: CameraSetup) -> dict[str, Any]:
    """The node's parameters for where a generated drive's camera sits.

    The drive counts its pitch upwards, ROS (REP 103) downwards.
    """
    return {
        "mounting_source": "parameters",
        f"{CAMERA}.mounting.height_m": float(camera.height_m),
        f"{CAMERA}.mounting.pitch_deg": -degrees(camera.pitch_rad),
        f"{CAMERA}.mounting.roll_deg": degrees(camera.roll_rad),
        f"{CAMERA}.mounting.yaw_deg": 0.0,
    }


def _frames(drive: Drive, start_ns: int) -> Iterator[Frame]:
    for frame in drive:
        yield start_ns + round(frame.stamp_s * 1e9), frame.image


def _make(source: Path | Iterator[Frame], bag: Path, **options: Any) -> BagSummary:
    return make_bag(source, bag, camera_name=f"{NODE}/{CAMERA}", frame_id=_FRAME_ID, **options)
