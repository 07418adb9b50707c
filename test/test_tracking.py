"""Ids stay with their obstacle, confirmation takes its frames, and nothing is invented."""

import numpy as np
import pytest

from ood_perception.detection import Region
from ood_perception.tracking import Observation, Tracker, TrackingSettings

FRAME_NS = 100_000_000


def seen(x, y=100, size=20, ground=None):
    return Observation(Region(x, y, size, size), None if ground is None else np.array(ground))


def run(tracker, frames, start=0):
    return [
        tracker.update(observations, (start + i) * FRAME_NS)
        for i, observations in enumerate(frames)
    ]


def test_an_id_stays_while_the_obstacle_moves_in_the_image():
    answers = run(Tracker(), [[seen(100 + 6 * i, size=20 + i)] for i in range(20)])
    assert {tracked[0].track_id for tracked in answers} == {1}


def test_two_obstacles_keep_their_ids_in_whatever_order_they_come():
    first = run(Tracker(), [[seen(100), seen(300)], [seen(302), seen(103)]])
    assert [t.track_id for t in first[0]] == [1, 2]
    assert [t.track_id for t in first[1]] == [2, 1]


def test_the_ground_tells_apart_what_the_image_does_not():
    """A jolt of the camera moves both regions; their places on the road stay."""
    before = [seen(100, ground=[10, 0]), seen(160, ground=[10, -4])]
    after = [seen(160, ground=[9.5, 0]), seen(220, ground=[9.5, -4])]
    answers = run(Tracker(TrackingSettings(padding_px=0)), [before, after])
    assert [t.track_id for t in answers[1]] == [1, 2]


def test_one_track_is_given_to_one_observation_only():
    answers = run(Tracker(), [[seen(100)], [seen(101), seen(104)]])
    assert sorted(t.track_id for t in answers[1]) == [1, 2]
    assert answers[1][0].track_id == 1, "the better fit keeps the id"


@pytest.mark.parametrize(
    ("pattern", "confirmed"),
    [("1", "0"), ("11", "01"), ("101", "0.1"), ("1001", "0..0"), ("10011", "0..01")],
)
def test_confirmed_after_two_of_three(pattern, confirmed):
    tracker = Tracker(TrackingSettings(confirm_hits=2, confirm_window=3, max_misses=5))
    answers = run(tracker, [[seen(100)] if hit == "1" else [] for hit in pattern])
    told = "".join("." if not t else str(int(t[0].confirmed)) for t in answers)
    assert told == confirmed


def test_confirmation_holds_through_a_short_gap():
    answers = run(Tracker(), [[seen(100)]] * 3 + [[]] * 3 + [[seen(100)]])
    assert answers[-1][0] == answers[2][0]
    assert answers[-1][0].confirmed


def test_only_what_was_observed_is_returned():
    answers = run(Tracker(), [[seen(100)]] * 3 + [[]])
    assert answers[-1] == ()


def test_forgotten_after_too_many_misses():
    tracker = Tracker(TrackingSettings(max_misses=2))
    answers = run(tracker, [[seen(100)]] * 3 + [[]] * 3 + [[seen(100)]])
    assert answers[-1][0].track_id == 2
    assert not answers[-1][0].confirmed


@pytest.mark.parametrize("later_ns", [-1, 10 * FRAME_NS + 1])
def test_forgotten_when_time_jumps(later_ns):
    tracker = Tracker(TrackingSettings(max_gap_s=1.0))
    run(tracker, [[seen(100)]] * 3, start=100)
    [tracked] = tracker.update([seen(100)], 102 * FRAME_NS + later_ns)
    assert tracked.track_id == 2, "an id is never given twice"
    assert not tracked.confirmed


def test_an_image_without_obstacles_costs_nothing():
    assert Tracker().update([], 0) == ()


def test_a_small_obstacle_that_jumps_in_the_image_is_followed_on_the_ground():
    before, after = seen(100, size=6, ground=[30, 1]), seen(140, size=6, ground=[28.8, 1.1])
    answers = run(Tracker(), [[before], [after]])
    assert answers[1][0].track_id == 1


def test_an_obstacle_elsewhere_on_the_ground_and_in_the_image_is_a_new_one():
    answers = run(Tracker(), [[seen(100, ground=[30, 1])], [seen(400, ground=[20, -3])]])
    assert answers[1][0].track_id == 2
