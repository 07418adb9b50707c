"""The fields of the obstacle messages: every one of the definition, and none made up."""

from dataclasses import replace
from math import isnan
from types import SimpleNamespace

import numpy as np
import pytest
from color_bundle import LENS, MOUNTING, START_NS, color_image

from ood_perception.message_stamp import stamp_ns_of
from ood_perception.message_types import OBSTACLES_TYPE, message_typestore
from ood_perception.obstacle_message_fields import array_fields, obstacle_fields, time_fields


def test_message_fields_cover_the_definition(color_pipeline):
    scene = color_pipeline.process(color_image(), START_NS, LENS.for_image(128, 64), MOUNTING)
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


def test_a_place_is_marked_truncated_where_the_obstacle_leaves_the_image(color_pipeline):
    whole = color_image()
    cut = np.concatenate([whole[:48], whole[32:48]])  # the grey block down to the last row
    camera = LENS.for_image(128, 64)
    [seen] = color_pipeline.process(whole, START_NS, camera, MOUNTING).obstacles
    [leaving] = color_pipeline.process(cut, START_NS + 1, camera, MOUNTING).obstacles
    [unplaced] = color_pipeline.process(cut, START_NS + 2, camera, None).obstacles
    assert [obstacle_fields(o)["truncated"] for o in (seen, leaving)] == [False, True]
    assert obstacle_fields(leaving)["has_position"]
    fields = obstacle_fields(unplaced)
    assert (fields["has_position"], fields["truncated"]) == (False, False)


def test_a_negative_duration_keeps_its_nanoseconds_positive():
    assert time_fields(-1) == {"sec": -1, "nanosec": 999_999_999}


@pytest.mark.parametrize("stamp_ns", [0, 7, START_NS + 999_999_999, -1])
def test_a_stamp_is_read_as_it_was_written(stamp_ns):
    stamp = SimpleNamespace(**time_fields(stamp_ns))
    assert stamp_ns_of(SimpleNamespace(header=SimpleNamespace(stamp=stamp))) == stamp_ns


def test_a_held_obstacle_says_so_and_its_speed_is_told_or_not_a_number(color_pipeline):
    scene = color_pipeline.process(color_image(), START_NS, LENS.for_image(128, 64), MOUNTING)
    [seen] = [obstacle for obstacle in scene.obstacles if not obstacle.held]
    assert not obstacle_fields(seen)["held"]
    held = replace(seen, held=True, hidden=True, unseen_s=0.4, velocity=np.array([-9.5, 0.25]))
    fields = obstacle_fields(held)
    assert (fields["held"], fields["hidden"], fields["unseen_s"]) == (True, True, 0.4)
    assert fields["velocity"] == {"x": -9.5, "y": 0.25, "z": 0.0}
    unknown = obstacle_fields(replace(seen, velocity=None))["velocity"]
    assert all(isnan(value) for value in unknown.values())
