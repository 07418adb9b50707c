"""JSON of detections and scenes: null for what is not known, places where they are."""

import json
from dataclasses import replace

import pytest
from color_bundle import LENS, MOUNTING, START_NS, color_image

from ood_perception.obstacle_json import detection_to_json, scene_to_json


def test_json_of_a_detection_has_null_for_what_is_not_known(color_pipeline):
    detection = color_pipeline.detector.detect(color_image())
    unknown = replace(detection.kept[0], obstacle_probability=float("nan"))
    detection = replace(detection, components=(unknown, *detection.rejected))
    result = json.loads(json.dumps(detection_to_json(detection, contours=True), allow_nan=False))
    assert result["obstacles"][0]["obstacle_probability"] is None
    assert result["obstacles"][0]["contour"] == unknown.contour.tolist()
    assert "contour" not in detection_to_json(detection)["obstacles"][0]
    assert result["image_size"] == [64, 128]
    assert len(result["rejected"]) == 1


def test_json_of_a_scene_has_the_place_of_an_obstacle_or_null(color_pipeline):
    placed = color_pipeline.process(color_image(), START_NS, LENS.for_image(128, 64), MOUNTING)
    place = scene_to_json(placed)["obstacles"][0]["place"]
    spot = placed.obstacles[0].placement
    assert place["distance_m"] == pytest.approx(spot.distance_m, abs=1e-3)
    assert len(place["footprint"]) == 4
    color_pipeline.reset()
    unplaced = scene_to_json(color_pipeline.process(color_image(), START_NS, None, None))
    assert unplaced["obstacles"][0]["place"] is None
    assert unplaced["status"] == "NO_CAMERA_INFO"
