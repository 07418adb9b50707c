"""A planner sees no flicker, and no brake is released because the camera cannot see."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from obstacle_examples import HEIGHT, camera, mounting, upright_component

from ood_perception.ego_motion import EgoPose
from ood_perception.ground_plane import place
from ood_perception.obstacle_following import ObstacleFollower, Sight
from ood_perception.tracking import TrackingSettings
from ood_perception.visible_ground import VisibleGround

STEP_NS = 100_000_000
STEP_M = 1.0  # 10 m/s at 10 Hz
VISIBLE = VisibleGround(camera(), mounting())


def sight(x_m, y_m=0.0, relevant=True, evidence=np.inf, **changes):
    component = upright_component(x_m, y_m, 0.6, 0.5, camera(), mounting(), **changes)
    return Sight(component, place(component, camera(), mounting()), relevant, evidence)


class Approach:
    """A vehicle that drives at 10 m/s, or stands, towards an obstacle that it may see."""

    def __init__(self, start_m=12.0, odometry=True, **settings):
        self.follower = ObstacleFollower(TrackingSettings(**settings))
        self.distance_m, self.driven_m, self.odometry, self.frame = start_m, 0.0, odometry, 0

    def go(self, seen=True, step_m=STEP_M, weak=False, **changes):
        """One frame: the obstacles that are seen, and those that are held."""
        if self.frame:
            self.distance_m -= step_m
            self.driven_m += step_m
        self.frame += 1
        make = partial(sight, self.distance_m, **changes)
        return self.follower.update(
            [make()] if seen else [],
            self.frame * STEP_NS,
            EgoPose(self.driven_m, 0.0, 0.0) if self.odometry else None,
            weak=lambda: [make()] if weak else [],
            is_hidden=VISIBLE.hides,
        )


def nearest_seen(drive):
    """Drives until the foot is about to leave the image; 8 to 4 m."""
    while drive.distance_m > 4.5:
        drive.go()


def test_a_confirmed_obstacle_that_is_missed_is_held_where_it_must_be():
    drive = Approach()
    for _ in range(4):
        seen, held = drive.go()
    assert seen[0].confirmed
    assert held == ()
    seen, (gone,) = drive.go(seen=False)
    assert seen == ()
    assert (gone.held, gone.hidden, gone.track_id, gone.measured) == (True, False, 1, None)
    assert gone.placement.distance_m == pytest.approx(drive.distance_m, abs=0.15)
    assert gone.unseen_s == pytest.approx(0.1)
    np.testing.assert_allclose(gone.placement.footprint[:, 0].min(), gone.placement.position[0])


def test_it_is_held_no_longer_than_the_parameter_says():
    drive = Approach(40.0, hold_s=0.5, max_misses=0)
    for _ in range(4):
        drive.go()
    held = [bool(drive.go(seen=False)[1]) for _ in range(8)]
    assert held == [True] * 5 + [False] * 3


def test_an_unconfirmed_one_is_never_held():
    drive = Approach(confirm_hits=3)
    drive.go()
    drive.go()
    assert drive.go(seen=False)[1] == ()


def test_a_weak_sight_keeps_a_confirmed_obstacle_for_a_while_and_starts_none():
    drive = Approach(40.0, weak_hold_s=1.0, hold_s=0.2, max_misses=0)
    assert drive.go(seen=False, weak=True) == ((), ())
    for _ in range(4):
        drive.go()
    held = [drive.go(seen=False, weak=True)[1] for _ in range(14)]
    assert [bool(entry) for entry in held] == [True] * 10 + [False] * 4
    assert held[9][0].unseen_s == pytest.approx(1.0)


def test_under_the_image_it_is_held_to_the_bumper_by_odometry_however_long_that_takes():
    drive = Approach(bumper_x_m=0.5)
    nearest_seen(drive)
    (hidden,) = drive.go(seen=False)[1]
    assert hidden.hidden
    for _ in range(100):  # the vehicle stands for ten seconds before it
        (hidden,) = drive.go(seen=False, step_m=0.0)[1]
    assert hidden.placement.distance_m == pytest.approx(drive.distance_m, abs=0.2)
    while drive.distance_m > 0.6:
        (hidden,) = drive.go(seen=False, step_m=0.2)[1]
    for _ in range(8):
        held = drive.go(seen=False, step_m=0.2)[1]
    assert held == (), "the vehicle's front has passed it"


def test_without_odometry_it_is_held_for_a_stated_time_and_not_behind_the_bumper():
    drive = Approach(odometry=False, hidden_hold_s=2.0, bumper_x_m=1.5)
    nearest_seen(drive)
    places = []
    for _ in range(25):
        held = drive.go(seen=False, step_m=0.0)[1]
        places += [entry.placement.position[0] for entry in held]
    assert 18 <= len(places) <= 21
    assert min(places) == pytest.approx(1.5)


def test_odometry_that_ends_while_it_is_hidden_starts_the_stated_time():
    drive = Approach(hidden_hold_s=1.0)
    nearest_seen(drive)
    drive.go(seen=False)
    for _ in range(30):
        assert drive.go(seen=False, step_m=0.0)[1]
    drive.odometry = False
    held = [bool(drive.go(seen=False, step_m=0.0)[1]) for _ in range(15)]
    assert sum(held) in (9, 10, 11)
    assert not held[-1]


def test_a_vehicle_that_backs_off_sees_the_same_obstacle_again():
    drive = Approach()
    nearest_seen(drive)
    for _ in range(2):
        drive.go(seen=False)
    for _ in range(5):
        drive.go(seen=False, step_m=-0.5)
    (seen,), held = drive.go(step_m=-0.5)
    assert (seen.track_id, seen.confirmed, held) == (1, True, ())


def test_a_foot_that_is_cut_off_by_the_image_does_not_hold_up_the_obstacle():
    """What is seen of it stays at the image's lower edge; it is nearer, and published so."""
    drive = Approach(9.0)
    nearest_seen(drive)
    cut = np.array([[300.0 + i, HEIGHT] for i in range(40)])
    for _ in range(2):
        (obstacle,), _ = drive.go(lower_edge=cut)
    assert obstacle.placement.truncated
    assert obstacle.measured.distance_m > 3.5
    assert obstacle.placement.distance_m == pytest.approx(drive.distance_m, abs=0.3)


def test_a_place_that_is_missing_in_one_image_is_filled_by_the_others():
    drive = Approach(20.0)
    for _ in range(5):
        drive.go()
    drive.distance_m -= STEP_M
    lost = replace(sight(drive.distance_m), placement=None)
    (obstacle,), _ = drive.follower.update([lost], 6 * STEP_NS, EgoPose(5.0, 0.0, 0.0))
    assert obstacle.measured is None
    assert obstacle.placement.distance_m == pytest.approx(drive.distance_m, abs=0.3)


def test_a_label_that_flickers_does_not_take_an_obstacle_off_the_road():
    drive = Approach(40.0, hold_s=0.3)
    answers = [drive.go(relevant=k in (0, 1, 2))[0][0].relevant for k in range(8)]
    assert answers == [True] * 6 + [False] * 2


def test_confirmation_weighs_what_the_meta_classifier_says():
    settings = {"confirm_hits": 2, "confirm_window": 5, "confirm_evidence": 10.0}
    weak = [Approach(40.0, **settings)]
    assert not any(weak[0].go(evidence=1.9)[0][0].confirmed for _ in range(12))
    strong = Approach(40.0, **settings)
    assert [strong.go(evidence=5.5)[0][0].confirmed for _ in range(3)] == [False, True, True]


def test_the_published_deviation_is_never_less_than_what_smoothing_cannot_take_down():
    drive = Approach(30.0)
    for _ in range(12):
        (obstacle,), _ = drive.go()
    measured, published = obstacle.measured, obstacle.placement
    lasting = np.sqrt(measured.distance_stddev_m**2 - measured.distance_noise_m**2)
    assert lasting < published.distance_stddev_m < measured.distance_stddev_m
