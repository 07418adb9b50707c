"""The obstacle cloud's columns are seen by the planners' own filters (``planner_rules``)."""

import cv2
import numpy as np
import pytest
from obstacle_examples import camera, mounting, upright_component
from planner_rules import VOXELS_M, braking_groups, braking_voxels, monitor_acts

from ood_perception.ground_plane import GroundPlaneSettings, place
from ood_perception.obstacle_points import PointsSettings, obstacle_points
from ood_perception.scene import Obstacle


def obstacle(x_m=10.0, y_m=0.0, width_m=0.2, settings=None, **changes):
    component = upright_component(x_m, y_m, width_m, 0.2, camera(), mounting())
    spot = place(component, camera(), mounting(), settings)
    fields = {
        "component": component,
        "track_id": 1,
        "placement": spot,
        "confirmed": True,
        "relevant": True,
    }
    return Obstacle(**{**fields, **changes})


@pytest.mark.parametrize("x_m", [5.0, 15.0, 30.0])
@pytest.mark.parametrize("y_m", [0.0, -1.3])
def test_a_20_cm_object_is_one_obstacle_to_both_planners(x_m, y_m):
    points = obstacle_points([obstacle(x_m, y_m)])
    assert points.dtype == np.float32
    assert len(braking_groups(points)) == 1
    assert monitor_acts(points)
    assert points[:, 2].max() >= 0.4 - 1e-6


@pytest.mark.parametrize("x_m", [2.0, 5.0, 15.0, 30.0, 60.0])
@pytest.mark.parametrize("width_m", [0.01, 0.2, 1.0])
def test_every_cell_is_high_enough_and_there_are_enough_of_them(x_m, width_m):
    """All cells, not only the highest of a group: the vehicle's path may cut a group into parts."""
    points = obstacle_points([obstacle(x_m, width_m=width_m)])
    voxels = braking_voxels(points.astype(np.float64))
    assert len(voxels) >= 10
    assert voxels[:, 2].min() > 0.1
    assert points[:, 2].min() >= 0
    gaps = np.linalg.norm(voxels[:, None] - voxels[None], axis=2) + 9 * np.eye(len(voxels))
    assert gaps.min(axis=1).max() <= 0.15


@pytest.mark.parametrize("voxel_m", VOXELS_M)
def test_no_turn_or_shift_between_the_frames_makes_it_vanish(voxel_m):
    points = obstacle_points([obstacle(width_m=0.05)]).astype(np.float64)
    rng = np.random.default_rng(0)
    for angle in rng.uniform(0, 2 * np.pi, 100):
        turn = cv2.Rodrigues(np.array([0.0, 0.0, angle]))[0]
        moved = points @ turn.T + [*rng.uniform(-9, 9, 2), 0.0]
        assert len(braking_groups(moved, voxel_m)) == 1


def test_a_flat_footprint_would_be_lost():
    """The rule that this cloud is made for: points on the ground alone do not count."""
    points = obstacle_points([obstacle()])
    points[:, 2] = 0
    assert braking_groups(points) == []


def test_columns_are_at_most_5_cm_apart_and_padding_keeps_the_nearest_edge():
    item = obstacle(width_m=0.02, settings=GroundPlaneSettings(footprint_depth_m=0.0))
    points = obstacle_points([item]).astype(np.float64)
    plane = np.unique(points[:, :2].round(6), axis=0)
    gaps = np.linalg.norm(plane[:, None] - plane[None], axis=2) + 9 * np.eye(len(plane))
    assert gaps.min(axis=1).max() <= 0.05 + 1e-5
    assert np.linalg.norm(plane, axis=1).min() == pytest.approx(item.placement.distance_m, abs=0.01)
    assert len(braking_groups(points)) == 1


def test_a_wide_obstacle_is_covered_from_end_to_end():
    points = obstacle_points([obstacle(width_m=3.0)])
    assert points[:, 1].min() == pytest.approx(-1.5, abs=0.02)
    assert points[:, 1].max() == pytest.approx(1.5, abs=0.02)
    assert len(braking_groups(points)) == 1


def test_two_obstacles_stay_two():
    points = obstacle_points([obstacle(y_m=1.0), obstacle(y_m=-1.0)])
    assert len(braking_groups(points)) == 2


@pytest.mark.parametrize(
    "changes", [{"confirmed": False}, {"relevant": False}, {"placement": None}]
)
def test_what_is_not_confirmed_relevant_and_placed_is_left_out(changes):
    assert obstacle_points([obstacle(**changes)]).shape == (0, 3)


def test_no_obstacles_make_an_empty_cloud():
    points = obstacle_points([], PointsSettings())
    assert points.shape == (0, 3)
    assert points.dtype == np.float32
