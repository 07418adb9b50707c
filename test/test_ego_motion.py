"""What stands still stays in place while the vehicle moves, and no pose is made up."""

from math import cos, pi, sin

import numpy as np
import pytest

from ood_perception.ego_motion import (
    EgoPose,
    OdometryBuffer,
    OdometryError,
    TwistIntegrator,
    motion_between,
)

STEP_NS = 50_000_000


def in_vehicle(point, pose):
    """A world point in the vehicle's frame, by the textbook."""
    x, y = point[0] - pose.x_m, point[1] - pose.y_m
    turned = np.array(
        [[cos(pose.yaw_rad), sin(pose.yaw_rad)], [-sin(pose.yaw_rad), cos(pose.yaw_rad)]]
    )
    return turned @ [x, y]


def test_a_point_of_the_world_is_carried_to_where_the_later_frame_sees_it():
    before, after = EgoPose(3.0, -2.0, 3.0), EgoPose(5.0, 1.0, -3.1)
    point = np.array([10.0, 4.0])
    motion = motion_between(before, after)
    np.testing.assert_allclose(motion.carried(in_vehicle(point, before)), in_vehicle(point, after))
    assert abs(motion.turn_rad) < pi, "the shorter way round"


def test_a_pose_between_two_is_interpolated_the_shorter_way():
    buffer = OdometryBuffer()
    buffer.add(0, EgoPose(0.0, 0.0, 3.1))
    buffer.add(2 * STEP_NS, EgoPose(1.0, 2.0, -3.1))
    found = buffer.pose_at(STEP_NS)
    np.testing.assert_allclose(found[:2], [0.5, 1.0])
    assert abs(abs(found.yaw_rad) - pi) < 1e-9


def test_the_newest_image_is_a_little_ahead_of_odometry_but_not_for_long():
    buffer = OdometryBuffer(max_gap_s=0.2)
    for k in range(3):
        buffer.add(k * STEP_NS, EgoPose(0.5 * k, 0.0, 0.0))
    assert buffer.pose_at(4 * STEP_NS).x_m == pytest.approx(2.0)
    assert buffer.pose_at(2 * STEP_NS + 300_000_000) is None


@pytest.mark.parametrize("stamp_ns", [-1, 3 * STEP_NS])
def test_where_poses_do_not_tell_there_is_none(stamp_ns):
    buffer = OdometryBuffer(max_gap_s=0.2)
    assert buffer.pose_at(0) is None
    buffer.add(0, EgoPose(0.0, 0.0, 0.0))
    buffer.add(10 * STEP_NS, EgoPose(5.0, 0.0, 0.0))
    assert buffer.pose_at(stamp_ns) is None


def test_a_bag_that_loops_begins_anew():
    buffer = OdometryBuffer()
    for stamp_ns in (0, STEP_NS, 2 * STEP_NS, 0):
        buffer.add(stamp_ns, EgoPose(stamp_ns / 1e9, 0.0, 0.0))
    assert buffer.pose_at(2 * STEP_NS) is None


def test_old_poses_are_forgotten():
    buffer = OdometryBuffer(keep_s=0.1)
    for k in range(10):
        buffer.add(k * STEP_NS, EgoPose(float(k), 0.0, 0.0))
    assert buffer.pose_at(0) is None
    assert buffer.pose_at(8 * STEP_NS).x_m == pytest.approx(8.0)


def test_a_pose_that_is_not_finite_is_refused_in_one_line():
    with pytest.raises(OdometryError, match="not finite") as caught:
        OdometryBuffer().add(0, EgoPose(float("nan"), 0.0, 0.0))
    assert "\n" not in str(caught.value)
    with pytest.raises(OdometryError, match="not finite"):
        TwistIntegrator(OdometryBuffer()).add(0, float("inf"), 0.0)


def test_speeds_add_up_to_the_way_round_a_circle():
    buffer = OdometryBuffer(keep_s=100.0)
    twists, radius_m, speed_m_s = TwistIntegrator(buffer), 10.0, 5.0
    quarter_s = pi / 2 * radius_m / speed_m_s
    stamps = np.linspace(0, quarter_s, 80)
    for stamp_s in stamps:
        twists.add(round(stamp_s * 1e9), speed_m_s, speed_m_s / radius_m)
    found = buffer.pose_at(round(stamps[-1] * 1e9))
    np.testing.assert_allclose(found[:3], [radius_m, radius_m, pi / 2], atol=1e-2)


def test_a_pause_of_speeds_begins_a_new_world():
    buffer = OdometryBuffer()
    twists = TwistIntegrator(buffer, max_gap_s=0.5)
    twists.add(0, 10.0, 0.0)
    twists.add(STEP_NS, 10.0, 0.0)
    twists.add(100 * STEP_NS, 10.0, 0.0)
    assert buffer.pose_at(STEP_NS) is None
    assert buffer.pose_at(100 * STEP_NS) == EgoPose(0.0, 0.0, 0.0, world=1)
