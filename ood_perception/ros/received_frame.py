"""An image as it arrived: its bytes, and when."""

from __future__ import annotations

from typing import NamedTuple


class ReceivedFrame(NamedTuple):
    """serialised: the message's bytes. received_s: the moment of arrival by the steady clock."""

    serialised: bytes
    received_s: float
