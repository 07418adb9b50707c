"""An image gets the message measured nearest to it in time, or none."""

import pytest

from ood_perception.nearest_stamp import NearestStamp

MS = 1_000_000


@pytest.fixture
def kept():
    buffer = NearestStamp(keep=3, max_offset_s=0.05)
    for stamp_ms in (0, 100, 200, 300):
        buffer.add(stamp_ms * MS, f"at {stamp_ms}")
    return buffer


@pytest.mark.parametrize(
    ("asked_ms", "given_ms"), [(100, 100), (149, 100), (151, 200), (350, 300), (260, 300)]
)
def test_the_nearest_is_given(kept, asked_ms, given_ms):
    assert kept.at(asked_ms * MS) == (given_ms * MS, f"at {given_ms}")


@pytest.mark.parametrize("asked_ms", [351, 1000])
def test_what_is_too_far_off_is_not_given(kept, asked_ms):
    assert kept.at(asked_ms * MS) is None


def test_the_oldest_are_forgotten(kept):
    assert kept.at(0) is None


def test_a_bag_that_loops_leaves_nothing_of_its_last_round(kept):
    kept.add(10 * MS, "again")
    assert kept.at(300 * MS) is None
    assert kept.at(0) == (10 * MS, "again")


def test_nothing_is_given_before_anything_came():
    assert NearestStamp(keep=3, max_offset_s=1.0).at(0) is None
