"""The time in a message's header, whoever holds the message: ROS, or a bag."""

from __future__ import annotations

from typing import Any


def stamp_ns_of(message: Any) -> int:
    """Nanoseconds of the stamp in the header of a message."""
    stamp = message.header.stamp
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
