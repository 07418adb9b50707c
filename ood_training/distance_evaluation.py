"""How well obstacles of generated drives are found and placed, whose distances are known.

python -m ood_training.distance_evaluation [--bundle models/generated] [--drives N] [--json F]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from ood_perception.bundle import load_bundle
from ood_perception.camera_pipeline import CameraPipeline
from ood_perception.command_line import one_line_errors, progress_bar, write_json
from ood_perception.commands.options import JsonOption
from ood_perception.detection import Component
from ood_perception.detector import Detector
from ood_perception.generated_drive import BoundingBox, Drive, ObjectTruth
from ood_perception.generated_drive.mounted_camera import camera_model, mounting
from ood_perception.scene import Obstacle, Scene

STYLES = ("urban", "suburban", "country", "highway")
NEAR_M = 20.0
# "At 20 m" for the published deviation: a band with enough detections in it.
BAND_M = (17.0, 23.0)


@dataclass(frozen=True)
class Sighting:
    """One object in one frame; the estimate is None where no kept component lies on it.

    true_m, distance_m, deviation_m: metres on the ground from below the camera.
    placed: None when it was not found, else whether it had a position.
    """

    drive: int
    object_id: int
    true_m: float
    distance_m: float | None = None
    deviation_m: float | None = None
    placed: bool | None = None


def evaluation_drives(count: int, first_seed: int = 100) -> list[Drive]:
    """Drives with unknown objects that no training saw (family "test"), over all road styles."""
    return [
        Drive(
            first_seed + k,
            style=STYLES[k % len(STYLES)],
            duration_s=4.0,
            frame_rate_hz=5.0,
            obstacle_distance_m=42.0,
        )
        for k in range(count)
    ]


def sightings(detector: Detector, drives: Iterable[Drive]) -> tuple[list[Sighting], int]:
    """Every object whose lower edge is seen, in every frame, and how many kept components were
    on no object at all."""
    found: list[Sighting] = []
    false_obstacles = 0
    for number, drive in enumerate(drives):
        pipeline = CameraPipeline(detector)
        for frame in drive:
            setup = frame.camera
            stamp_ns = round(frame.stamp_s * 1e9)
            scene = pipeline.process(frame.image, stamp_ns, camera_model(setup), mounting(setup))
            false_obstacles += _off_objects(scene, frame.instances)
            for truth in frame.objects:
                if truth.lower_edge_visible and truth.visible_px > 0:
                    found.append(_sighting(number, truth, scene))
    return found, false_obstacles


def summarise(found: list[Sighting], false_obstacles: int) -> dict[str, Any]:
    """The figures of the evaluation; shares in [0, 1], distances in metres."""
    seen = [s for s in found if s.placed is not None]
    placed = [s for s in seen if s.distance_m is not None and s.deviation_m is not None]
    true = np.array([s.true_m for s in placed])
    distance = np.array([s.distance_m for s in placed], float)
    deviation = np.array([s.deviation_m for s in placed], float)
    near = true < NEAR_M
    band = (true >= BAND_M[0]) & (true <= BAND_M[1])
    error = np.abs(distance - true)
    near_objects = [s for s in found if s.true_m < NEAR_M]
    return {
        "objects_in_frames": len(found),
        "found_share": _share([s.placed is not None for s in found]),
        "found_share_below_20_m": _share([s.placed is not None for s in near_objects]),
        "placed_share_of_found": _share([bool(s.placed) for s in seen]),
        "false_obstacles": false_obstacles,
        "median_relative_error_below_20_m": _median(error[near] / true[near]),
        "median_relative_bias_below_20_m": _median((distance - true)[near] / true[near]),
        "share_within_two_deviations": _share(error <= 2 * deviation),
        "median_relative_deviation_at_20_m": _median(deviation[band] / distance[band]),
    }


def _sighting(drive: int, truth: ObjectTruth, scene: Scene) -> Sighting:
    obstacle = _obstacle_on(truth, scene)
    if obstacle is None:
        return Sighting(drive, truth.id, truth.distance_m)
    place = obstacle.placement
    if place is None:
        return Sighting(drive, truth.id, truth.distance_m, placed=False)
    return Sighting(
        drive,
        truth.id,
        truth.distance_m,
        float(place.distance_m),
        float(place.distance_stddev_m),
        placed=True,
    )


def overlapping(
    box: BoundingBox, components: Sequence[Component], least_overlap: float = 0.1
) -> Component | None:
    """The component whose region overlaps an object's box most, by intersection over union above
    `least_overlap`; None without one."""
    best, best_overlap = None, least_overlap
    for component in components:
        region = component.region
        width = min(box.x + box.width, region.x + region.width) - max(box.x, region.x)
        height = min(box.y + box.height, region.y + region.height) - max(box.y, region.y)
        both = max(width, 0) * max(height, 0)
        union = box.width * box.height + region.width * region.height - both
        if both / union > best_overlap:
            best, best_overlap = component, both / union
    return best


def _obstacle_on(truth: ObjectTruth, scene: Scene) -> Obstacle | None:
    component = overlapping(truth.box, scene.detection.kept)
    matching = (o for o in scene.obstacles if o.component is component)
    return next(matching, None)


def _off_objects(scene: Scene, instances: np.ndarray) -> int:
    """Kept components whose region holds no pixel of any unknown object."""
    return sum(
        not instances[region.y : region.y + region.height, region.x : region.x + region.width].any()
        for region in (obstacle.component.region for obstacle in scene.obstacles)
    )


def _share(values: Any) -> float | None:
    values = np.asarray(values, float)
    return round(float(values.mean()), 4) if values.size else None


def _median(values: Any) -> float | None:
    values = np.asarray(values, float)
    return round(float(np.median(values)), 4) if values.size else None


def main(
    bundle: Annotated[Path, typer.Option(help="Folder of the trained model.")] = Path(
        "models/generated"
    ),
    drives: Annotated[int, typer.Option(min=1, help="How many drives of 4 s at 5 Hz.")] = 12,
    first_seed: Annotated[int, typer.Option(min=0, help="Seed of the first drive.")] = 100,
    json_file: JsonOption = None,
) -> None:
    """Measure a bundle on generated drives and print the figures."""
    with one_line_errors():
        detector = Detector(load_bundle(bundle))
        with progress_bar() as bar:
            cases = bar.track(evaluation_drives(drives, first_seed), description="drives")
            found, false_obstacles = sightings(detector, cases)
        result = {"model": detector.bundle.model_id, "drives": drives, "first_seed": first_seed}
        result |= summarise(found, false_obstacles)
        write_json(json_file, result)
        for name, value in result.items():
            print(f"{name}: {value}")


if __name__ == "__main__":
    typer.run(main)
