"""What the shipped model promises on generated drives, with objects that its training never saw."""

from pathlib import Path

import pytest

from ood_perception.bundle import load_bundle
from ood_perception.camera_pipeline import CameraPipeline
from ood_perception.detector import Detector
from ood_perception.generated_drive.mounted_camera import camera_model
from ood_perception.scene import Status
from ood_training.distance_evaluation import evaluation_drives, sightings, summarise

BUNDLE = Path(__file__).resolve().parent.parent / "models" / "generated"


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(load_bundle(BUNDLE))


@pytest.fixture(scope="module")
def figures(detector: Detector) -> dict:
    return summarise(*sightings(detector, evaluation_drives(8, first_seed=300)))


def test_objects_on_the_road_are_found(figures: dict) -> None:
    assert figures["found_share_below_20_m"] >= 0.8


def test_distances_below_20_m_are_right_to_5_percent(figures: dict) -> None:
    assert figures["median_relative_error_below_20_m"] < 0.05


def test_the_published_deviation_is_honest_and_useful(figures: dict) -> None:
    assert figures["share_within_two_deviations"] >= 0.9
    assert figures["median_relative_deviation_at_20_m"] < 0.05


def test_obstacles_have_a_position_when_the_camera_is_known(figures: dict) -> None:
    assert figures["placed_share_of_found"] == 1.0


def test_without_mounting_obstacles_are_reported_without_a_place(detector: Detector) -> None:
    frame = evaluation_drives(1)[0].frame(12)
    scene = CameraPipeline(detector).process(frame.image, 0, camera_model(frame.camera), None)
    assert scene.status is Status.NO_TRANSFORM
    assert scene.obstacles
    assert all(obstacle.placement is None for obstacle in scene.obstacles)
