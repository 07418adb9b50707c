"""The smoothed range follows the truth: without lag at constant speed, with a stated one after."""

import numpy as np
import pytest

from ood_perception.ego_motion import EgoMotion
from ood_perception.range_filter import RangeFilter, RangeFilterSettings

STEP_S = 0.1
SPEED_M_S = 10.0


def covariance(range_m):
    """What a camera 1.4 m above the ground with a focal length of 576 px does not know."""
    return np.diag([(0.9 * range_m**2 / (1.4 * 576)) ** 2, (range_m / 576) ** 2])


def approach(ranges_m, rng, settings=None, odometry=False, speeds=None):
    """Filtered ranges and closing speeds of a noisy approach."""
    found = []
    speeds = np.full(len(ranges_m), SPEED_M_S) if speeds is None else speeds
    for range_m, speed in zip(ranges_m, speeds, strict=True):
        noise = covariance(range_m)
        seen = np.array([range_m, 0.3]) + rng.multivariate_normal([0, 0], noise)
        motion = EgoMotion(np.array([speed * STEP_S, 0.0]), 0.0) if odometry else None
        if not found:
            ego_velocity = np.array([speed, 0.0]) if odometry else None
            track = RangeFilter(seen, noise, ego_velocity, settings)
        else:
            track.predict(STEP_S, motion)
            track.update(seen, noise)
        found.append((track.position[0], -track.velocity[0]))
    return np.array(found)


def test_from_20_m_on_the_range_of_an_approach_is_within_5_percent_and_its_speed_within_15():
    ranges = np.arange(40.0, 4.0, -SPEED_M_S * STEP_S)
    near, late = ranges <= 20, ranges[5:] <= 20
    speed_errors = []
    for seed in range(20):
        found = approach(ranges, np.random.default_rng(seed))
        assert np.abs(found[near, 0] / ranges[near] - 1).max() < 0.05
        half_second = (found[:-5, 0] - found[5:, 0]) / (5 * STEP_S)
        speed_errors.append(np.abs(half_second[late] / SPEED_M_S - 1))
    assert np.mean(np.array(speed_errors) < 0.15) > 0.97
    assert np.median(speed_errors) < 0.04


def test_odometry_gives_the_speed_from_the_first_sight_on():
    ranges = np.arange(20.0, 15.0, -SPEED_M_S * STEP_S)
    found = approach(ranges, np.random.default_rng(0), odometry=True)
    assert np.abs(found[:, 1] / SPEED_M_S - 1).max() < 0.15


@pytest.mark.parametrize(("odometry", "most_m"), [(False, 1.2), (True, 0.15)])
def test_braking_makes_the_range_lag_by_no_more_than_is_documented(odometry, most_m):
    """6 m/s² from 10 m/s, seen without noise: what is left is the filter's own delay."""
    speeds = np.concatenate([np.full(20, SPEED_M_S), np.arange(SPEED_M_S, 0, -0.6)])
    ranges = 40.0 - np.concatenate([[0.0], np.cumsum(speeds[1:] * STEP_S)])
    quiet = type("Quiet", (), {"multivariate_normal": lambda *_: np.zeros(2)})
    found = approach(ranges, quiet, odometry=odometry, speeds=speeds)
    lag = ranges[20:] - found[20:, 0]
    assert lag.max() < most_m
    assert lag.min() > -0.05, (
        "while the vehicle brakes an obstacle is taken for nearer, not farther"
    )


def test_one_wild_sight_hardly_moves_it_and_several_do():
    track = RangeFilter(np.array([20.0, 0.0]), covariance(20.0))
    for _ in range(10):
        track.predict(STEP_S)
        track.update(np.array([20.0, 0.0]), covariance(20.0))
    track.predict(STEP_S)
    track.update(np.array([12.0, 0.0]), covariance(12.0))
    assert track.position[0] > 19.0
    for _ in range(20):
        track.predict(STEP_S)
        track.update(np.array([12.0, 0.0]), covariance(12.0))
    assert track.position[0] == pytest.approx(12.0, abs=1.0), "the truth wins in the end"


def test_a_turning_vehicle_keeps_a_standing_obstacle_in_place():
    """No sight at all for half a second of a curve: odometry alone carries it."""
    turn, step = 0.05, np.array([1.0, 0.02])
    world = np.array([30.0, 5.0])
    track = RangeFilter(world, np.eye(2) * 0.01, np.array([10.0, 0.2]))
    truth = world
    for _ in range(5):
        motion = EgoMotion(step, turn)
        truth = motion.carried(truth)
        track.predict(STEP_S, motion)
    np.testing.assert_allclose(track.position, truth, atol=0.2)


def test_no_time_changes_nothing_and_covariances_stay_good():
    track = RangeFilter(np.array([20.0, 0.0]), covariance(20.0), settings=RangeFilterSettings())
    before = track.state.copy()
    track.predict(0.0)
    np.testing.assert_array_equal(track.state, before)
    for _ in range(200):
        track.predict(STEP_S)
        track.update(np.array([20.0, 0.0]), covariance(20.0))
    assert np.linalg.eigvalsh(track.covariance).min() > 0
