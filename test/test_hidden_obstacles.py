"""What is hidden under the image is neither let go too early nor kept for ever."""

from dataclasses import replace

import numpy as np
import pytest
from obstacle_examples import camera, mounting, upright_component

from ood_perception.detection import Region
from ood_perception.ego_motion import EgoPose, OdometryBuffer, TwistIntegrator
from ood_perception.ground_plane import place
from ood_perception.obstacle_following import ObstacleFollower, Sight
from ood_perception.track_matching import Observation
from ood_perception.tracking import Tracker, TrackingSettings
from ood_perception.visible_ground import VisibleGround

STEP_NS = 100_000_000
HOME = EgoPose(0.0, 0.0, 0.0)
VISIBLE = VisibleGround(camera(), mounting())
HIDDEN_M = 3.4


def seen(x_m, y_m=0.0, left=300, **changes):
    noise = np.eye(2) * 0.04
    return Observation(Region(left, 300, 60, 50), np.array([x_m, y_m]), noise, **changes)


class Standing:
    """A vehicle that stands before an obstacle, which gets under the image's lower edge."""

    def __init__(self, odometry=True, visible=VISIBLE, x_m=HIDDEN_M, **settings):
        self.tracker, self.frame = Tracker(TrackingSettings(**settings)), 0
        self.odometry, self.visible, self.x_m = odometry, visible, x_m

    def go(self, *observations, pose=HOME, weak=()):
        self.frame += 1
        self.tracker.update(
            observations,
            self.frame * STEP_NS,
            pose if self.odometry else None,
            support=lambda: weak,
            is_hidden=self.visible.hides,
        )
        return self.tracker.held

    def hide(self, frames=20, seed=0):
        noise = np.random.default_rng(seed).normal(0, 0.1, (frames, 2))
        for dx, dy in noise:
            self.go(seen(self.x_m + dx, dy))
        return self.go()


@pytest.mark.parametrize("seed", range(3))
def test_the_noise_of_its_last_sights_does_not_carry_it_away_from_a_standing_vehicle(seed):
    drive = Standing()
    drive.hide(seed=seed)
    for _ in range(600):
        (held,) = drive.go()
    assert held.estimate.position == pytest.approx([HIDDEN_M, 0.0], abs=0.2)


def test_an_unconfirmed_one_is_forgotten_like_any_other():
    drive = Standing(confirm_hits=5)
    drive.go(seen(HIDDEN_M))
    for _ in range(5):
        assert drive.go() == ()
    assert drive.tracker.track_ids == frozenset(), "else memory grows with every false alarm"


def test_one_image_without_odometry_makes_no_ghost_that_stays_for_ever():
    drive = Standing()
    drive.hide()
    driven_m = 0.0
    for k in range(60):
        driven_m += 0.2
        held = drive.go(pose=None if k == 3 else EgoPose(driven_m, 0.0, 0.0))
        assert bool(held) or driven_m > HIDDEN_M
    assert held == (), "the vehicle has driven over where it lay"


def test_odometry_that_fails_for_single_images_does_not_use_up_the_hold():
    drive = Standing(hidden_hold_s=0.5)
    drive.hide()
    assert all(drive.go(pose=HOME if k % 4 else None) for k in range(100))


@pytest.mark.parametrize("kind", ["seen", "weak"])
def test_something_else_farther_off_does_not_take_its_place(kind):
    drive = Standing()
    drive.hide()
    for _ in range(50):
        drive.go()
    other = seen(30.0, 2.0, left=100)
    held = drive.go(other) if kind == "seen" else drive.go(weak=[other])
    assert [entry.track_id for entry in held] == [1]


def test_a_weak_sight_at_the_lower_edge_does_not_end_what_is_hidden():
    drive = Standing(weak_hold_s=1.0)
    drive.hide()
    cut = seen(HIDDEN_M + 0.3, truncated=True)
    assert all(drive.go(weak=[cut]) for _ in range(40))


def test_behind_a_rear_camera_nothing_is_moved_to_the_front():
    rear = VisibleGround(camera(), mounting(yaw_rad=np.pi, x_m=-1.0))
    drive = Standing(odometry=False, visible=rear, x_m=-1 - HIDDEN_M, hidden_hold_s=1.0)
    (held,) = drive.hide()
    assert held.estimate.position[0] == pytest.approx(-1 - HIDDEN_M, abs=0.3)
    assert sum(bool(drive.go()) for _ in range(20)) in (8, 9, 10)
    far = Standing(odometry=False, visible=rear, x_m=-15.0, hold_s=0.5, max_misses=0)
    (held,) = far.hide()
    assert not held.hidden


@pytest.mark.parametrize("jump_m", [-3.0, 400.0])
def test_odometry_that_begins_anew_moves_nothing(jump_m):
    """After a pause a small step could be the vehicle's own; another world says that it is not."""
    drive = Standing()
    drive.hide()
    (held,) = drive.go(pose=EgoPose(jump_m, 0.0, 0.0, world=1 if jump_m < 0 else 0))
    assert held.estimate.position[0] == pytest.approx(HIDDEN_M, abs=0.2)


def test_poses_before_and_after_a_pause_are_of_different_worlds():
    buffer = OdometryBuffer()
    twists = TwistIntegrator(buffer)
    worlds = []
    for start_ns in (0, 10 * STEP_NS):
        for k in range(3):
            twists.add(start_ns + k * STEP_NS, 5.0, 0.0)
        worlds.append(buffer.pose_at(start_ns + STEP_NS + 1).world)
        assert buffer.pose_at(start_ns + STEP_NS).world == worlds[-1]
    assert worlds[0] != worlds[1]


def test_what_is_seen_but_cannot_be_placed_for_long_loses_its_place():
    """Carried on by its last speed it would be published behind the vehicle: a false "clear"."""
    follower = ObstacleFollower(TrackingSettings(hold_s=0.5))
    places = []
    for k in range(20):
        x_m = 12.0 - 0.5 * min(k, 6)
        component = upright_component(x_m, 0.0, 0.6, 0.5, camera(), mounting())
        sight = Sight(component, place(component, camera(), mounting()), relevant=True)
        sight = sight if k < 7 else replace(sight, placement=None)
        (obstacle,), _ = follower.update([sight], k * STEP_NS)
        places.append(obstacle.placement)
    assert all(places[:12])
    assert places[12:] == [None] * 8


def test_a_confirmed_one_that_never_had_a_place_is_held_without_one():
    """Else its first missed image would be an empty cloud, which means clear."""
    follower = ObstacleFollower(TrackingSettings(max_misses=2))
    component = upright_component(12.0, 0.0, 0.6, 0.5, camera(), mounting())
    for k in range(3):
        follower.update([Sight(component, None, relevant=True)], k * STEP_NS)
    held = [follower.update([], k * STEP_NS)[1] for k in range(3, 7)]
    assert [len(entries) for entries in held] == [1, 1, 0, 0]
    assert (held[0][0].placement, held[0][0].relevant, held[0][0].velocity) == (None, True, None)
