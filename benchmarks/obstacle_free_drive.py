"""A long drive along a road without unknown objects: every confirmed obstacle on it is a false one.

`python benchmarks/obstacle_free_drive.py [--minutes 10] [--seed N] [--view-deg ANGLE]
[--max-range-m M] [--bundle FOLDER] [--json FILE]` runs it through the pipeline of the node with its
default settings; exit code 1 when one was confirmed that counts for the planner's cloud.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drive_settings import add_range_option, settings_to

from ood_perception.bundle import load_bundle
from ood_perception.camera_pipeline import CameraPipeline, PipelineSettings, SceneDetector
from ood_perception.command_line import on_progress, one_line_errors, progress_bar, write_json
from ood_perception.detector import Detector
from ood_perception.errors import ImageError, OodError
from ood_perception.generated_drive import Drive
from ood_perception.generated_drive.camera import CameraSetup
from ood_perception.generated_drive.mounted_camera import camera_model, mounting
from ood_perception.machine_facts import machine_facts
from ood_perception.scene import Obstacle

# The shipped models were trained and tuned on seeds far below this one.
UNSEEN_SEED = 90001
FRAME_RATE_HZ = 10.0


@dataclass
class FalseObstacles:
    """What was seen where nothing is.

    frames: processed. refused: images that the pipeline would not judge, by reason. raw: kept
    components, confirmed or not, over all frames. confirmed: each confirmed track once, with the
    frame in which it first was; in_cloud says whether it was ever also relevant and placed, which
    is what a planner would brake for. clouds_withheld: frames without a usable cloud.
    """

    frames: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    raw: int = 0
    clouds_withheld: int = 0
    confirmed: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def in_cloud(self) -> int:
        """Different confirmed false obstacles that a planner would have been given."""
        return sum(entry["in_cloud"] for entry in self.confirmed.values())

    def to_json(self) -> dict[str, Any]:
        """All figures; confirmed as a list by first frame."""
        return {
            "frames": self.frames,
            "refused": self.refused,
            "raw_components": self.raw,
            "clouds_withheld": self.clouds_withheld,
            "confirmed_false_obstacles": len(self.confirmed),
            "of_these_in_the_cloud": self.in_cloud,
            "each": [{"track_id": key, **entry} for key, entry in self.confirmed.items()],
        }


def drive_free_road(
    detector: SceneDetector,
    drive: Drive,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
    settings: PipelineSettings | None = None,
) -> FalseObstacles:
    """Runs every frame of a drive without unknown objects through one camera's pipeline.

    settings: of the pipeline, its defaults where None.

    Raises OodError when an unknown object is on the road after all.
    """
    pipeline = CameraPipeline(detector, settings)
    camera, mounted = camera_model(drive.camera), mounting(drive.camera)
    found = FalseObstacles()
    for frame in drive:
        if frame.objects:
            raise OodError(f"frame {frame.index} of the drive shows an unknown object")
        try:
            scene = pipeline.process(frame.image, round(frame.stamp_s * 1e9), camera, mounted)
        except ImageError as error:
            found.refused[str(error)] = found.refused.get(str(error), 0) + 1
            continue
        found.frames += 1
        found.raw += len(scene.raw)
        found.clouds_withheld += not scene.has_valid_geometry
        for obstacle in scene.obstacles:
            if obstacle.confirmed:
                _note(found, obstacle, frame.index)
        progress(frame.index + 1, len(drive))
    return found


def _note(found: FalseObstacles, obstacle: Obstacle, index: int) -> None:
    entry = found.confirmed.setdefault(
        obstacle.track_id,
        {
            "first_frame": index,
            "frames": 0,
            "in_cloud": False,
            "region": [round(float(value), 1) for value in obstacle.component.region],
            "obstacle_probability": round(float(obstacle.component.obstacle_probability), 4),
            "distance_m": None,
        },
    )
    entry["frames"] += 1
    if obstacle.placement is not None:
        entry["in_cloud"] |= obstacle.relevant
        entry["distance_m"] = entry["distance_m"] or round(float(obstacle.placement.distance_m), 2)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the drive")
    parser.add_argument("--seed", type=int, default=UNSEEN_SEED, help="another one, another road")
    parser.add_argument("--speed", type=float, default=10.0, metavar="M_PER_S")
    parser.add_argument("--bundle", type=Path, default=Path("models/generated"), metavar="FOLDER")
    parser.add_argument("--view-deg", type=float, help="of the lens, the drive's own by default")
    add_range_option(parser)
    parser.add_argument("--backend", default="onnxruntime")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Drives, prints one line and every confirmed false obstacle; 1 when the cloud had one."""
    arguments = _arguments(argv)
    detector = Detector(load_bundle(arguments.bundle), arguments.backend)
    camera = None if arguments.view_deg is None else CameraSetup.with_view(arguments.view_deg)
    drive = Drive(
        arguments.seed,
        camera=camera,
        speed_mps=arguments.speed,
        frame_rate_hz=FRAME_RATE_HZ,
        duration_s=arguments.minutes * 60,
        obstacle_count=0,
    )
    settings = settings_to(arguments.max_range_m)
    with progress_bar() as bar:
        found = drive_free_road(detector, drive, on_progress(bar, "free road"), settings)
    result = {
        "bundle": str(arguments.bundle),
        "model_id": detector.bundle.model_id,
        "seed": arguments.seed,
        "minutes": arguments.minutes,
        "view_deg": arguments.view_deg,
        "max_range_m": arguments.max_range_m,
        **found.to_json(),
        "machine": machine_facts(),
    }
    write_json(arguments.json, result)
    for key, entry in found.confirmed.items():
        print(f"  track {key}: {entry}")
    print(
        f"{found.frames} frames of a free road (seed {arguments.seed}): {found.raw} kept "
        f"components, {len(found.confirmed)} confirmed false obstacles, {found.in_cloud} of them "
        f"in the cloud, {found.clouds_withheld} clouds withheld, "
        f"{sum(found.refused.values())} images refused"
    )
    return 1 if found.in_cloud else 0


if __name__ == "__main__":
    with one_line_errors():
        sys.exit(main())
