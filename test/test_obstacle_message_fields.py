"""The fields of the obstacle messages: every one of the definition, and none made up."""

import numpy as np
import pytest
from color_bundle import color_image, write_color_bundle

from ood_perception.bags import Intrinsics
from ood_perception.camera import Mounting
from ood_perception.camera_pipeline import CameraPipeline
from ood_perception.detector import Detector
from ood_perception.message_types import OBSTACLES_TYPE, message_typestore
from ood_perception.obstacle_message_fields import array_fields, obstacle_fields, time_fields

START_NS = 1_700_000_000_000_000_000
LENS = Intrinsics(100.0, 100.0, 63.5, 15.5)
MOUNTING = Mounting.from_angles(height_m=1.5, pitch_rad=0.3)


@pytest.fixture
def pipeline(tmp_path):
    return CameraPipeline(Detector(write_color_bundle(tmp_path / "color")))


def test_message_fields_cover_the_definition(pipeline):
    scene = pipeline.process(color_image(), START_NS, LENS.for_image(128, 64), MOUNTING)
    fields = array_fields(
        scene,
        stamp_ns=START_NS,
        frame_id="lens",
        ground_frame_id="ground",
        model_id="m",
        threshold=0.5,
        latency_ns=1_500_000_000,
        dropped_frames=3,
    )
    store = message_typestore().fielddefs
    assert set(fields) == {name for name, _ in store[OBSTACLES_TYPE][1]}
    component = store["ood_detection/msg/ObstacleComponent"][1]
    assert set(fields["components"][0]) == {name for name, _ in component}
    assert fields["latency"] == {"sec": 1, "nanosec": 500_000_000}
    contour = {(p["x"], p["y"]) for p in fields["components"][0]["contour"]["points"]}
    assert contour == {tuple(map(float, p)) for p in scene.obstacles[0].component.contour}


def test_a_place_is_marked_truncated_where_the_obstacle_leaves_the_image(pipeline):
    whole = color_image()
    cut = np.concatenate([whole[:48], whole[32:48]])  # the grey block down to the last row
    camera = LENS.for_image(128, 64)
    [seen] = pipeline.process(whole, START_NS, camera, MOUNTING).obstacles
    [leaving] = pipeline.process(cut, START_NS + 1, camera, MOUNTING).obstacles
    [unplaced] = pipeline.process(cut, START_NS + 2, camera, None).obstacles
    assert [obstacle_fields(o)["truncated"] for o in (seen, leaving)] == [False, True]
    assert obstacle_fields(leaving)["has_position"]
    fields = obstacle_fields(unplaced)
    assert (fields["has_position"], fields["truncated"]) == (False, False)


def test_a_negative_duration_keeps_its_nanoseconds_positive():
    assert time_fields(-1) == {"sec": -1, "nanosec": 999_999_999}
