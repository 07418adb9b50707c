"""Drives up to one unknown object at 10 m/s, again and again, and says how well it was seen.

`python benchmarks/approach_drive.py [--drives N] [--seed FIRST] [--view-deg ANGLE]
[--max-range-m M] [--dds] [--json FILE]`: every drive starts 40 m before an object of the family
that no training saw, through the pipeline with the node's default settings, or with --dds through
the real node (source scripts/ros_environment.sh).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from approach_figures import PublishedFrame, PublishedObstacle, figures
from drive_settings import DEFAULT_RANGE_M, add_range_option, settings_to

from ood_perception.bag_reading import iterate, open_bag
from ood_perception.bundle import load_bundle
from ood_perception.camera_pipeline import CameraPipeline, PipelineSettings, SceneDetector
from ood_perception.command_line import one_line_errors, progress_bar, write_json
from ood_perception.detector import Detector
from ood_perception.errors import ImageError, OodError
from ood_perception.generated_drive import Drive, ObjectTruth
from ood_perception.generated_drive.camera import CameraSetup
from ood_perception.generated_drive.mounted_camera import camera_model, mounting
from ood_perception.message_stamp import stamp_ns_of
from ood_perception.message_types import message_typestore
from ood_perception.obstacle_points import obstacle_points
from ood_perception.scene import Obstacle

START_M, SPEED_MPS, FRAME_RATE_HZ, DURATION_S = 40.0, 10.0, 10.0, 3.9
FIRST_SEED = 80001
# The bag's stamps: on /clock a time of 0 would mean "not known yet".
START_NS = 1_700_000_000 * 10**9


def approach(seed: int, camera: CameraSetup | None = None) -> Drive:
    """A drive that starts 40 m before the only unknown object on the road, in its own lane."""
    return Drive(
        seed,
        camera=camera,
        speed_mps=SPEED_MPS,
        frame_rate_hz=FRAME_RATE_HZ,
        duration_s=DURATION_S,
        obstacle_distance_m=START_M,
        light="clear",
    )


def through_the_pipeline(
    detector: SceneDetector, drive: Drive, settings: PipelineSettings | None = None
) -> list[PublishedFrame]:
    """What the node would publish for each frame, in this process and without DDS.

    settings: of the pipeline, its defaults where None.
    """
    pipeline = CameraPipeline(detector, settings)
    camera, mounted = camera_model(drive.camera), mounting(drive.camera)
    published = []
    for frame in drive:
        try:
            scene = pipeline.process(frame.image, round(frame.stamp_s * 1e9), camera, mounted)
        except ImageError:
            continue
        cloud = None
        if scene.has_valid_geometry:
            cloud = obstacle_points((*scene.obstacles, *scene.known))
        obstacles = tuple(_of_scene(obstacle) for obstacle in scene.obstacles)
        published.append(PublishedFrame(frame.stamp_s, _truth(frame.objects), obstacles, cloud))
    return published


def through_the_node(drive: Drive, bundle: Path, work: Path, rate: float) -> list[PublishedFrame]:
    """The same of the real node over real DDS in simulated time, from the messages that came.

    work: an existing, empty folder. rate: of playing; slow enough for this machine. Needs rclpy.
    Raises DemoError when the node or the player fails.
    """
    from ood_perception.ros.demo_input import drive_input
    from ood_perception.ros.demo_run import OBSTACLES_TOPIC, run_node

    output = work / "output"
    output.mkdir()
    source = drive_input(work / "input", drive, START_NS)
    run_node(source, bundle, output, work, rate=rate, overlay=False, simulated_time=True)
    arrays = _messages(output / "bag", OBSTACLES_TOPIC)
    clouds = _messages(output / "bag", OBSTACLES_TOPIC.replace("obstacles", "obstacle_points"))
    published = []
    for frame in drive:
        stamp_ns = START_NS + round(frame.stamp_s * 1e9)
        if stamp_ns in arrays:
            obstacles = tuple(_of_message(entry) for entry in arrays[stamp_ns].components)
            cloud = _points(clouds[stamp_ns]) if stamp_ns in clouds else None
            published.append(PublishedFrame(frame.stamp_s, _truth(frame.objects), obstacles, cloud))
    return published


def _truth(objects: tuple[ObjectTruth, ...]) -> ObjectTruth | None:
    return objects[0] if objects else None


def _of_scene(obstacle: Obstacle) -> PublishedObstacle:
    spot = obstacle.placement
    return PublishedObstacle(
        obstacle.track_id,
        tuple(float(value) for value in obstacle.component.region),
        obstacle.confirmed,
        None if spot is None else spot.distance_m,
        None if spot is None else spot.distance_stddev_m,
        spot is not None and spot.truncated,
    )


def _of_message(component: Any) -> PublishedObstacle:
    region = component.region_of_interest
    has = component.has_position
    return PublishedObstacle(
        int(component.id),
        (region.x_offset, region.y_offset, region.width, region.height),
        bool(component.confirmed),
        float(component.distance_m) if has else None,
        float(component.distance_stddev_m) if has else None,
        bool(component.truncated),
    )


def _messages(bag: Path, topic: str) -> dict[int, Any]:
    """Messages of a topic by their stamp in nanoseconds."""
    with open_bag(bag) as reader:
        connections = [c for c in reader.connections if c.topic == topic]
        found = [
            message_typestore().deserialize_cdr(raw, connection.msgtype)
            for connection, _, raw in iterate(bag, reader, connections)
        ]
    return {stamp_ns_of(message): message for message in found}


def _points(cloud: Any) -> np.ndarray:
    return np.frombuffer(cloud.data, "<f4").reshape(-1, 3)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drives", type=int, default=10)
    parser.add_argument("--seed", type=int, default=FIRST_SEED, help="of the first drive")
    parser.add_argument("--bundle", type=Path, default=Path("models/generated"), metavar="FOLDER")
    parser.add_argument("--view-deg", type=float, help="of the lens, the drive's own by default")
    add_range_option(parser)
    parser.add_argument("--dds", action="store_true", help="through the real node")
    parser.add_argument("--rate", type=float, default=0.4, help="of playing, with --dds")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args(argv)


def _say(seed: int, result: dict[str, Any]) -> None:
    shown = [f"{key} {_short(value)}" for key, value in result.items()]
    print(f"seed {seed}: " + ", ".join(shown))


def _short(value: Any) -> str:
    if isinstance(value, tuple):
        return " x ".join(_short(entry) for entry in value)
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the figures of every drive."""
    arguments = _arguments(argv)
    if arguments.dds and arguments.max_range_m != DEFAULT_RANGE_M:
        raise OodError(
            "--max-range-m: the node of --dds keeps its own range; leave out one of the two"
        )
    bundle = load_bundle(arguments.bundle)
    if arguments.dds:
        from ood_perception.ros.demo_processes import isolate_network
        from ood_perception.ros.package_files import package_file

        isolate_network(package_file("config/fastdds_profile.xml"))
    detector = None if arguments.dds else Detector(bundle)
    camera = None if arguments.view_deg is None else CameraSetup.with_view(arguments.view_deg)
    settings = settings_to(arguments.max_range_m)
    results = {}
    with progress_bar() as bar:
        for seed in bar.track(range(arguments.seed, arguments.seed + arguments.drives)):
            drive = approach(seed, camera)
            if detector is not None:
                published = through_the_pipeline(detector, drive, settings)
            else:
                with tempfile.TemporaryDirectory() as work:
                    published = through_the_node(drive, bundle.folder, Path(work), arguments.rate)
            results[seed] = {
                "frames": len(drive),
                "processed": len(published),
                **figures(published, SPEED_MPS),
            }
            _say(seed, results[seed])
    setup = {"view_deg": arguments.view_deg, "max_range_m": arguments.max_range_m}
    write_json(arguments.json, {"model_id": bundle.model_id, **setup, "drives": results})
    return 0


if __name__ == "__main__":
    with one_line_errors():
        sys.exit(main())
