"""What the stamps of a camera's images say of its clock, and when they say nothing any more."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from ood_perception.ros.stamp_watch import StampVerdict, StampWatch

S = 1_000_000_000
NOW = 1_700_000_000 * S
GOOD, JUMPED, UNSTEADY = StampVerdict.GOOD, StampVerdict.JUMPED_BACK, StampVerdict.UNSTEADY


def verdicts(watch, *pairs):
    """Of images by (stamp, clock), both in seconds after NOW."""
    return [
        watch.judge(NOW + round(stamp * S), NOW + round(clock * S)).verdict
        for stamp, clock in pairs
    ]


def test_images_in_order_are_good_and_their_age_is_told():
    watch = StampWatch(0.5)
    assert verdicts(watch, (0, 0.1), (0.1, 0.2)) == [StampVerdict.GOOD] * 2
    assert watch.judge(NOW + S, NOW + S + S // 4).age_s == pytest.approx(0.25)


def test_old_and_future_images_are_told_apart_and_change_nothing():
    watch = StampWatch(0.5)
    wanted = [
        StampVerdict.GOOD,
        StampVerdict.TOO_OLD,
        StampVerdict.IN_FUTURE,
        StampVerdict.GOOD,
        StampVerdict.GOOD,
    ]
    # the last one is early by less than the limit: a clock that is a little off
    assert verdicts(watch, (0, 0), (0, 0.6), (9, 0.7), (0.7, 0.8), (1.2, 0.9)) == wanted


def test_without_a_limit_any_age_will_do():
    watch = StampWatch(0.0)
    assert verdicts(watch, (-1e6, 0), (1e6, 0)) == [StampVerdict.GOOD] * 2


def test_a_stamp_that_stands_still_is_counted_until_it_moves():
    watch = StampWatch(0.0)
    assert verdicts(watch, (0, 0), (0, 0.1), (0, 0.2))[1:] == [StampVerdict.STANDS_STILL] * 2
    assert "4 images" in watch.judge(NOW, NOW + S).text
    assert verdicts(watch, (0.1, 0.4), (0.1, 0.5)) == [
        StampVerdict.GOOD,
        StampVerdict.STANDS_STILL,
    ]
    assert "3 images" in watch.judge(NOW + S // 10, NOW + S).text


def test_an_overtaken_image_is_no_jump_but_a_bag_that_starts_again_is():
    watch = StampWatch(0.0)
    assert verdicts(watch, (10, 10), (9.9, 10.1), (10.1, 10.2)) == [
        StampVerdict.GOOD,
        StampVerdict.OUT_OF_ORDER,
        StampVerdict.GOOD,
    ]
    assert verdicts(watch, (0, 10.3), (0.1, 10.4)) == [StampVerdict.JUMPED_BACK, StampVerdict.GOOD]
    # shorter than what may be reordering, but the clock went back with it
    assert verdicts(watch, (0.3, 10.5), (0.1, 10.2)) == [
        StampVerdict.GOOD,
        StampVerdict.JUMPED_BACK,
    ]


def test_one_jump_is_a_bag_that_starts_again() -> None:
    found = verdicts(StampWatch(0.0), (100, 0.0), (100.1, 0.1), (50, 0.2), (50.1, 0.3))
    assert found == [GOOD, GOOD, JUMPED, GOOD]


def test_jumps_again_and_again_tell_no_time_until_none_came_for_three_seconds() -> None:
    watch = StampWatch(0.0)
    assert verdicts(watch, (10, 0.0), (9, 0.1), (10, 0.2), (9, 0.3)) == [
        GOOD, JUMPED, GOOD, UNSTEADY,
    ]  # fmt: skip
    assert verdicts(watch, (10, 0.4), (9, 0.5), (9.5, 3.0)) == [UNSTEADY] * 3
    assert verdicts(watch, (10, 3.4), (10.5, 3.6), (11, 4.0)) == [UNSTEADY, GOOD, GOOD]
    assert verdicts(watch, (5, 60.0), (5.1, 60.1)) == [JUMPED, GOOD], "that was long ago"


def test_a_short_bag_in_a_loop_may_begin_again_as_often_as_it_likes() -> None:
    loop = [(100 + 0.1 * k, 100 + 0.1 * k) for k in range(10)]
    found = verdicts(StampWatch(0.5), *(loop * 4))
    assert found == ([GOOD] * 10) + ([JUMPED] + [GOOD] * 9) * 3
