"""An image as it arrived: its bytes, and when."""

from __future__ import annotations

from typing import NamedTuple

from ood_perception.ros.serialised_stamp import read_stamp_ns
from ood_perception.ros.stamp_watch import REORDERED_S


class ReceivedFrame(NamedTuple):
    """serialised: the message's bytes. received_s: the moment of arrival by the steady clock."""

    serialised: bytes
    received_s: float


def is_overtaken(frame: ReceivedFrame, other: ReceivedFrame) -> bool:
    """Whether a frame was taken a little before another one, so that the other says all; one from
    long before is of another time."""
    try:
        before_ns = read_stamp_ns(other.serialised) - read_stamp_ns(frame.serialised)
    except ValueError:
        return False  # who works on it refuses it
    return 0 < before_ns < REORDERED_S * 1e9
