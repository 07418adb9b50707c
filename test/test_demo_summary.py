"""The demo tells the truth about a run: every promise that the node breaks is found and named."""

import json
from dataclasses import replace
from math import nan

import numpy as np
import pytest

from ood_perception.message_types import OBSTACLES_TYPE, make_message, message_typestore
from ood_perception.ros.demo_results import (
    DIAGNOSTICS_TYPE,
    frame_to_json,
    read_counters,
    read_node_fault,
)
from ood_perception.ros.demo_summary import DemoRecord, summarise

STAMPS = tuple(range(1_000, 101_000, 1_000))
COUNTERS = {
    "received": 99,
    "processed": 90,
    "refused": 2,
    "dropped_overwritten": 4,
    "dropped_too_old": 3,
    "pending": 0,
}
GOOD = DemoRecord(
    frames_in=100,
    published=100,
    input_stamps_ns=frozenset(STAMPS),
    counters=COUNTERS,
    obstacle_stamps_ns=STAMPS[:90],
    output_stamps_ns={"/obstacles": STAMPS[:90], "/overlay": STAMPS[:80]},
    latencies_s=tuple(np.linspace(0.01, 0.1, 90)),
    obstacles_per_frame=(2,) * 30 + (0,) * 60,
    distinct_obstacles=3,
    node_exit_code=0,
)


def counters(**changes: int) -> dict[str, int]:
    return {**COUNTERS, **changes}


def test_a_run_that_keeps_all_promises_is_told_in_numbers():
    summary = summarise(GOOD)
    assert summary.broken_promises == ()
    assert summary.lost_in_transport == 1
    assert summary.dropped == {"overwritten": 4, "too_old": 3}
    assert (summary.obstacles, summary.frames_with_obstacles) == (60, 30)
    assert summary.latency_median_ms == pytest.approx(55)
    assert summary.latency_p99_ms == pytest.approx(99.1, abs=0.5)
    line = summary.line()
    for part in ("100 frames in", "90 processed", "7 dropped", "2 refused", "1 lost", "median 55"):
        assert part in line
    assert json.loads(json.dumps(summary.to_json(), allow_nan=False))["broken_promises"] == []


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"published": 99}, "the player published 99 of 100 frames"),
        ({"counters": counters(received=101)}, "received 101 images, more than the 100 sent"),
        ({"counters": counters(received=97, dropped_too_old=1)}, "3 of 100 images were lost"),
        ({"counters": counters(pending=1, dropped_too_old=2)}, "1 images were still waiting"),
        ({"counters": counters(refused=1)}, "does not balance: 99 received, but 98"),
        ({"counters": counters(dropped_failed=1)}, "does not balance: 99 received, but 100"),
        ({"counters": {"received": 99}}, "does not say processed, refused, pending"),
        ({"counters": counters(processed=0, dropped_too_old=93)}, "no frame was processed"),
        ({"node_exit_code": -9}, "ended with exit code -9"),
        ({"obstacle_stamps_ns": STAMPS[:89]}, "90 frames were processed, but 89 obstacles"),
        ({"obstacle_stamps_ns": STAMPS[:91]}, "90 frames were processed, but 91 obstacles"),
        ({"obstacle_stamps_ns": (*STAMPS[:89], STAMPS[0])}, "more than once for 1 stamps"),
        ({"output_stamps_ns": {"/points": (1_000, 1_001)}}, "1 messages of /points carry a stamp"),
        ({"latencies_s": (0.1, -0.001)}, "1 obstacles messages tell an impossible latency"),
        ({"latencies_s": (nan,)}, "1 obstacles messages tell an impossible latency"),
    ],
)
def test_a_broken_promise_is_found_and_named(changes, complaint):
    broken = summarise(replace(GOOD, **changes)).broken_promises
    assert any(complaint in promise for promise in broken), broken


def test_two_of_a_hundred_images_may_be_lost_in_transport():
    two = replace(GOOD, counters=counters(received=98, dropped_too_old=2))
    assert summarise(two).broken_promises == ()


def test_a_run_without_any_output_still_has_a_summary():
    nothing = replace(GOOD, latencies_s=(), obstacle_stamps_ns=(), obstacles_per_frame=())
    summary = summarise(nothing)
    assert summary.latency_median_ms is None
    assert "no latency" in summary.line()


def diagnostics(*statuses: dict) -> bytes:
    values = {
        "header": {"stamp": {"sec": 1, "nanosec": 0}, "frame_id": ""},
        "status": [
            {
                **status,
                "message": "why",
                "values": [{"key": k, "value": v} for k, v in status["values"].items()],
            }
            for status in statuses
        ],
    }
    store = message_typestore()
    return bytes(store.serialize_cdr(make_message(DIAGNOSTICS_TYPE, values), DIAGNOSTICS_TYPE))


def test_the_account_of_one_camera_is_read_from_diagnostics():
    account = {key: str(value) for key, value in COUNTERS.items()}
    other = {"name": "n: rear", "hardware_id": "rear", "level": 2, "values": {"received": "7"}}
    this = {"name": "n: camera", "hardware_id": "camera", "level": 0}
    values = {**account, "latency_median_ms": "3.1", "state": "ok", "dropped": "7"}
    serialised = diagnostics(other, {**this, "values": values})
    assert read_counters(serialised, "camera") == COUNTERS
    assert read_counters(serialised, "front") is None


def test_only_a_fault_of_the_node_itself_ends_the_demo():
    node = {"name": "n", "hardware_id": "n", "values": {}}
    camera = {"name": "n: camera", "hardware_id": "camera", "level": 2, "values": {}}
    assert read_node_fault(diagnostics({**node, "level": 1}, camera)) == ""
    assert read_node_fault(diagnostics({**node, "level": 2}, camera)) == "why"


def component_fields(**changes) -> dict:
    point = {"x": 1.0, "y": 2.0, "z": 0.0}
    region = {"x_offset": 1, "y_offset": 2, "height": 3, "width": 4, "do_rectify": False}
    names = ("area_px", "obstacle_probability", "mean_score", "max_score", "distance_m")
    names += ("distance_stddev_m", "lateral_stddev_m", "width_m", "height_m", "road_border_share")
    return {
        "id": 5,
        "region_of_interest": region,
        "contour": {"points": [point]},
        "has_position": True,
        "range_source": 1,
        "truncated": True,
        "position": {"x": 8.0, "y": -1.5, "z": 0.0},
        "footprint": {"points": [point]},
        "confirmed": True,
        "relevant": False,
        "held": True,
        "hidden": False,
        "unseen_s": 0.1,
        "velocity": {"x": nan, "y": nan, "z": nan},
        "reason_metrics": ["S"],
        "reason_values": [12.0],
        "reason_contributions": [-0.5],
        **dict.fromkeys(names, 0.5),
        **changes,
    }


def test_a_message_becomes_json_in_which_nothing_is_made_up():
    unplaced = {"has_position": False, "distance_m": nan, "obstacle_probability": nan}
    fields = {
        "header": {"stamp": {"sec": 2, "nanosec": 7}, "frame_id": "camera"},
        "ground_frame_id": "base_link",
        "image_width": 128,
        "image_height": 64,
        "model_id": "m",
        "threshold": 0.5,
        "status": 3,
        "latency": {"sec": 0, "nanosec": 12_000_000},
        "dropped_frames": 4,
        "components": [component_fields(), component_fields(**unplaced)],
    }
    frame = frame_to_json(make_message(OBSTACLES_TYPE, fields))
    json.dumps(frame, allow_nan=False)
    assert (frame["stamp_ns"], frame["status"], frame["latency_ms"]) == (
        2_000_000_007,
        "DEGRADED",
        12,
    )
    assert frame["image_size"] == [64, 128]
    placed, bare = frame["obstacles"]
    assert placed["place"]["x_m"] == 8.0
    assert placed["place"]["truncated"] is True
    assert placed["region"] == {"x": 1, "y": 2, "width": 4, "height": 3}
    assert placed["reasons"] == [{"metric": "S", "value": 12.0, "contribution": -0.5}]
    assert bare["place"] is None
    assert bare["obstacle_probability"] is None
