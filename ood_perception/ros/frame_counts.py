"""What became of every image that a camera sent: an account that always balances.

received = processed + refused + dropped + pending, at every moment.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from threading import Lock


class Outcome(Enum):
    """How an image ended."""

    PROCESSED = "processed"
    REFUSED = "refused"
    DROPPED_OVERWRITTEN = "dropped_overwritten"
    DROPPED_TOO_OLD = "dropped_too_old"
    DROPPED_OUT_OF_ORDER = "dropped_out_of_order"
    DROPPED_FAILED = "dropped_failed"
    DROPPED_STOPPED = "dropped_stopped"


@dataclass(frozen=True)
class FrameCounts:
    """Numbers of images since activation.

    refused: unreadable images, those of a camera that cannot see, and those whose stamps do not
    tell the time. dropped_out_of_order: older than one that was processed. dropped_failed: the
    detector failed. dropped_stopped: the node was deactivated while they waited.
    lost_in_transport: what the middleware says never arrived; not among the received.
    components_left_out: processed images with more components than the detector looks at.
    time_jumps: how often the stamps jumped back, so that all earlier images were forgotten.
    """

    received: int = 0
    processed: int = 0
    refused: int = 0
    dropped_overwritten: int = 0
    dropped_too_old: int = 0
    dropped_out_of_order: int = 0
    dropped_failed: int = 0
    dropped_stopped: int = 0
    published: int = 0
    lost_in_transport: int = 0
    components_left_out: int = 0
    time_jumps: int = 0

    @property
    def dropped(self) -> int:
        """Images that were received and neither processed nor refused."""
        return (
            self.dropped_overwritten
            + self.dropped_too_old
            + self.dropped_out_of_order
            + self.dropped_failed
            + self.dropped_stopped
        )

    @property
    def pending(self) -> int:
        """Images that wait or are being worked on: two of a camera at most."""
        return self.received - self.processed - self.refused - self.dropped


@dataclass
class FrameAccount:
    """Keeps the counts of one camera; every method may be called by any thread."""

    _counts: FrameCounts = field(default_factory=FrameCounts)
    _lock: Lock = field(default_factory=Lock)

    def receive(self) -> None:
        """An image arrived."""
        self._add("received")

    def lose(self, number: int) -> None:
        """The middleware lost images before they arrived."""
        self._add("lost_in_transport", number)

    def leave_out(self) -> None:
        """An image had more components than the detector looks at."""
        self._add("components_left_out")

    def jump(self) -> None:
        """The stamps jumped back."""
        self._add("time_jumps")

    def publish(self) -> None:
        """Obstacles went out."""
        self._add("published")

    def settle(self, outcome: Outcome) -> None:
        """An image that had arrived came to its end."""
        self._add(outcome.value)

    def read(self) -> FrameCounts:
        """All numbers of one moment."""
        with self._lock:
            return self._counts

    def _add(self, name: str, number: int = 1) -> None:
        with self._lock:
            value = getattr(self._counts, name) + number
            self._counts = replace(self._counts, **{name: value})
