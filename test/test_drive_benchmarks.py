"""The figures of an approach and of a free road are right where everything is known beforehand."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from approach_figures import PublishedFrame, PublishedObstacle, figures
from obstacle_free_drive import drive_free_road

from ood_perception.errors import OodError
from ood_perception.generated_drive import BoundingBox, Drive, ObjectTruth

SPEED_MPS, PERIOD_S = 10.0, 0.1
BOX = (300, 200, 20, 20)


def truth_at(x_m):
    return ObjectTruth(
        id=1,
        shape="box",
        distance_m=x_m,
        nearest_contact_m=(x_m, 0.0),
        position_m=(x_m, 0.0),
        lateral_m=0.0,
        width_m=0.5,
        height_m=0.5,
        contact_px=(310.0, 220.0),
        visible_px=400,
        box=BoundingBox(*BOX),
        lower_edge_visible=True,
    )


def frame(number, error=0.0, deviation=0.02, seen=True, confirmed=True, box=BOX):
    """Frame of an approach from 40 m whose published distance is wrong by a share ``error``."""
    x_m = 40.0 - SPEED_MPS * PERIOD_S * number
    said_m = x_m * (1 + error)
    obstacle = PublishedObstacle(3, box, confirmed, said_m, deviation * said_m)
    points = np.float32([[said_m, 0.0, 0.1]]) if seen and confirmed else np.empty((0, 3), "f4")
    obstacles = (obstacle,) if seen else ()
    return PublishedFrame(number * PERIOD_S, truth_at(x_m), obstacles, points)


def test_a_perfect_approach_has_perfect_figures():
    found = figures([frame(n) for n in range(36)], SPEED_MPS)
    assert found["confirmed_at_m"] == 40.0
    assert found["held_share"] == found["in_cloud_share"] == 1.0
    assert found["distance_error_near_worst"] == pytest.approx(0.0)
    assert found["within_two_deviations_share"] == 1.0
    assert found["relative_deviation_at_20_m_median"] == pytest.approx(0.02)
    assert found["speed_error_near_worst"] == pytest.approx(0.0, abs=1e-5)
    assert (found["placed_near"], found["speeds_near"], found["ids"]) == (16, 16, 1)


def test_what_is_wrong_shows():
    frames = [frame(n, confirmed=n >= 12, seen=n != 20) for n in range(36)]
    frames[30] = frame(30, error=-0.1)
    found = figures(frames, SPEED_MPS)
    assert found["confirmed_at_m"] == 28.0
    assert found["held_share"] == found["in_cloud_share"] == pytest.approx(23 / 24)
    assert found["distance_error_near_worst"] == pytest.approx(-0.1)
    assert found["within_two_deviations_share"] == pytest.approx(22 / 23)
    # 1 m of error in a span of 5 m, once at its end and once, when it is over, at its start.
    assert abs(found["speed_error_near_worst"]) == pytest.approx(0.2, abs=0.01)


def test_an_obstacle_that_is_held_with_an_old_box_is_known_by_its_id():
    frames = [frame(n, box=BOX if n < 30 else (10, 10, 5, 5)) for n in range(36)]
    assert figures(frames, SPEED_MPS)["held_share"] == 1.0


def test_an_obstacle_never_confirmed_has_no_figures_instead_of_good_ones():
    found = figures([frame(n, confirmed=False) for n in range(36)], SPEED_MPS)
    assert found["confirmed_at_m"] is None
    assert found["held_share"] is None
    assert found["distance_error_near_worst"] is None


def test_every_frame_of_a_free_road_is_counted(color_detector):
    drive = Drive(90001, duration_s=0.4, obstacle_count=0, light="clear")
    found = drive_free_road(color_detector, drive)
    assert found.frames + sum(found.refused.values()) == len(drive) == 4
    assert found.in_cloud <= len(found.confirmed)


def test_a_road_with_an_object_is_not_taken_for_a_free_one(color_detector):
    drive = Drive(90001, duration_s=0.4, obstacle_distance_m=15.0, light="clear")
    with pytest.raises(OodError, match="shows an unknown object"):
        drive_free_road(color_detector, drive)
