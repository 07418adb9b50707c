"""The published cloud as planners read it: a 0.2 m object counts, an empty cloud is clear."""

from __future__ import annotations

import numpy as np
import pytest
from obstacle_examples import camera, mounting, upright_component
from planner_rules import (
    MAX_VOXELS,
    MIN_HEIGHT_M,
    VOXELS_M,
    braking_groups,
    braking_speed,
    braking_voxels,
    monitor_acts,
    points_of,
)

from ood_perception.ground_plane import place
from ood_perception.obstacle_points import obstacle_points
from ood_perception.scene import Obstacle

pytestmark = pytest.mark.ros

pytest.importorskip("rclpy", reason="rclpy is not installed")

from rclpy.serialization import deserialize_message, serialize_message  # noqa: E402
from rclpy.time import Time  # noqa: E402
from sensor_msgs.msg import PointCloud2  # noqa: E402

from ood_perception.ros.obstacle_messages import point_cloud  # noqa: E402

SPEED_MPS = 10.0


def cloud_at(*places, size_m=0.2, stamp_ns=1_700_000_000_000_000_000):
    """The message that a planner receives for upright objects at these places (x, y)."""
    obstacles = []
    for number, (x_m, y_m) in enumerate(places, start=1):
        component = upright_component(x_m, y_m, size_m, size_m, camera(), mounting())
        spot = place(component, camera(), mounting())
        obstacles.append(Obstacle(component, number, spot, confirmed=True, relevant=True))
    stamp = Time(nanoseconds=stamp_ns).to_msg()
    message = point_cloud(obstacle_points(obstacles), stamp, "base_link")
    return deserialize_message(serialize_message(message), PointCloud2)


@pytest.mark.parametrize("x_m", [5.0, 15.0, 30.0])
@pytest.mark.parametrize("y_m", [0.0, -1.2])
@pytest.mark.parametrize("voxel_m", VOXELS_M)
def test_both_planners_see_a_20_cm_object(x_m, y_m, voxel_m):
    points = points_of(cloud_at((x_m, y_m)))
    (group,) = braking_groups(points, voxel_m)
    assert group[:, 0].min() == pytest.approx(x_m, rel=0.03)
    assert group[:, 1].mean() == pytest.approx(y_m, abs=0.1)
    assert monitor_acts(points)


@pytest.mark.parametrize("x_m", [5.0, 15.0, 30.0])
def test_every_part_that_the_vehicles_path_may_cut_off_counts_by_itself(x_m):
    """Braking looks at points near its path first and groups what is left: a strip of a wide
    obstacle at the path's edge is then all that it sees."""
    points = points_of(cloud_at((x_m, 0.0), size_m=1.5))
    voxels = braking_voxels(points)
    assert voxels[:, 2].min() > MIN_HEIGHT_M
    strip = points[points[:, 1] > points[:, 1].max() - 0.15]
    assert len(braking_groups(strip)) == 1


def test_a_truck_wide_obstacle_is_not_too_large_to_count():
    points = points_of(cloud_at((15.0, 0.0), size_m=8.0))
    assert len(braking_voxels(points)) < MAX_VOXELS
    assert len(braking_groups(points)) == 1


@pytest.mark.parametrize("x_m", [5.0, 15.0, 30.0])
def test_two_clouds_give_the_speed_and_one_stamp_gives_none(x_m):
    step_s = 0.5
    before = points_of(cloud_at((x_m + SPEED_MPS * step_s, 0.0)))
    now = points_of(cloud_at((x_m, 0.0)))
    assert braking_speed(before, 0.0, now, step_s) == pytest.approx(SPEED_MPS, rel=0.15)
    assert braking_speed(before, 1.0, now, 1.0) is None


def test_the_message_carries_frame_and_stamp_and_says_its_layout():
    cloud = cloud_at((10.0, 0.0))
    assert cloud.header.frame_id == "base_link"
    assert cloud.header.stamp.sec == 1_700_000_000
    assert [field.name for field in cloud.fields] == ["x", "y", "z"]
    assert cloud.row_step == cloud.width * cloud.point_step == len(cloud.data)
    assert cloud.is_dense, "no NaN: the filters of both planners take each point as it is"
    assert np.isfinite(points_of(cloud)).all()


def test_an_empty_cloud_is_a_clear_road_to_both_and_keeps_its_layout():
    cloud = cloud_at()
    points = points_of(cloud)
    assert (cloud.width, cloud.height, len(cloud.data)) == (0, 1, 0)
    assert [field.name for field in cloud.fields] == ["x", "y", "z"]
    assert braking_groups(points) == []
    assert not monitor_acts(points)
