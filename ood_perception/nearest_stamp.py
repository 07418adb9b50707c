"""The last few messages of a topic, asked for by the stamp of another."""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import Generic, TypeVar

Message = TypeVar("Message")


class NearestStamp(Generic[Message]):
    """Keeps the newest messages; one thread may add while another asks.

    keep: how many. max_offset_s: a message whose stamp is farther from the one asked for is not
    given.
    """

    def __init__(self, keep: int, max_offset_s: float) -> None:
        self._max_offset_ns = round(max_offset_s * 1e9)
        self._messages: deque[tuple[int, Message]] = deque(maxlen=keep)
        self._lock = Lock()

    def add(self, stamp_ns: int, message: Message) -> None:
        """Takes a message. A stamp before the last one (a bag that loops) drops all earlier."""
        with self._lock:
            if self._messages and stamp_ns < self._messages[-1][0]:
                self._messages.clear()
            self._messages.append((stamp_ns, message))

    def at(self, stamp_ns: int) -> tuple[int, Message] | None:
        """The message of the nearest stamp, with it; None where none is near enough."""
        with self._lock:
            kept = list(self._messages)
        if not kept:
            return None
        nearest = min(kept, key=lambda entry: abs(entry[0] - stamp_ns))
        return nearest if abs(nearest[0] - stamp_ns) <= self._max_offset_ns else None
