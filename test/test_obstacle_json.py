"""JSON of detections and scenes: null for what is not known, places where they are."""

import json
from dataclasses import replace

import pytest
from color_bundle import color_image, write_color_bundle

from ood_perception.bags import Intrinsics
from ood_perception.camera import Mounting
from ood_perception.camera_pipeline import CameraPipeline
from ood_perception.detector import Detector
from ood_perception.obstacle_json import detection_to_json, scene_to_json

START_NS = 1_700_000_000_000_000_000
LENS = Intrinsics(100.0, 100.0, 63.5, 15.5)
MOUNTING = Mounting.from_angles(height_m=1.5, pitch_rad=0.3)


@pytest.fixture
def pipeline(tmp_path):
    return CameraPipeline(Detector(write_color_bundle(tmp_path / "color")))


def test_json_of_a_detection_has_null_for_what_is_not_known(pipeline):
    detection = pipeline.detector.detect(color_image())
    unknown = replace(detection.kept[0], obstacle_probability=float("nan"))
    detection = replace(detection, components=(unknown, *detection.rejected))
    result = json.loads(json.dumps(detection_to_json(detection, contours=True), allow_nan=False))
    assert result["obstacles"][0]["obstacle_probability"] is None
    assert result["obstacles"][0]["contour"] == unknown.contour.tolist()
    assert "contour" not in detection_to_json(detection)["obstacles"][0]
    assert result["image_size"] == [64, 128]
    assert len(result["rejected"]) == 1


def test_json_of_a_scene_has_the_place_of_an_obstacle_or_null(pipeline):
    placed = pipeline.process(color_image(), START_NS, LENS.for_image(128, 64), MOUNTING)
    place = scene_to_json(placed)["obstacles"][0]["place"]
    spot = placed.obstacles[0].placement
    assert place["distance_m"] == pytest.approx(spot.distance_m, abs=1e-3)
    assert len(place["footprint"]) == 4
    pipeline.reset()
    unplaced = scene_to_json(pipeline.process(color_image(), START_NS, None, None))
    assert unplaced["obstacles"][0]["place"] is None
    assert unplaced["status"] == "NO_CAMERA_INFO"
