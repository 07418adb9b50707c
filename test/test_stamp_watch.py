"""What the stamps of a camera's images say of its clock, and when they say nothing any more."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from ood_perception.ros.stamp_watch import StampVerdict, StampWatch

GOOD, JUMPED, UNSTEADY = StampVerdict.GOOD, StampVerdict.JUMPED_BACK, StampVerdict.UNSTEADY


def verdicts(watch: StampWatch, *moments: tuple[float, float]) -> list[StampVerdict]:
    """Of images with these (stamp, clock), seconds."""
    return [watch.judge(round(s * 1e9), round(c * 1e9)).verdict for s, c in moments]


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


@pytest.mark.parametrize("back_s", [0.1, 0.4])
def test_an_image_that_was_overtaken_is_no_jump(back_s: float) -> None:
    watch = StampWatch(0.0)
    found = verdicts(watch, (10, 0.0), (10 - back_s, 0.1), (10.1, 0.2), (10.1 - back_s, 0.3))
    assert found == [GOOD, StampVerdict.OUT_OF_ORDER] * 2
