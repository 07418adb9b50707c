"""What became of every image that a camera sent: an account that always balances.

received = processed + refused + dropped + pending, at every moment.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from enum import Enum
from threading import Lock

import numpy as np

_WINDOW = 200


class Outcome(Enum):
    """How an image ended."""

    PROCESSED = "processed"
    REFUSED = "refused"
    DROPPED_OVERWRITTEN = "dropped_overwritten"
    DROPPED_TOO_OLD = "dropped_too_old"
    DROPPED_FAILED = "dropped_failed"
    DROPPED_STOPPED = "dropped_stopped"


@dataclass(frozen=True)
class FrameCounts:
    """Numbers of images since activation; latency and rate over the last 200 processed ones.

    refused: unreadable images, and those of a camera that cannot see. dropped_failed: the detector
    failed. dropped_stopped: the node was deactivated while they waited. lost_in_transport: what
    the middleware says never arrived; not among the received. components_left_out: processed
    images with more components than the detector looks at.
    """

    received: int = 0
    processed: int = 0
    refused: int = 0
    dropped_overwritten: int = 0
    dropped_too_old: int = 0
    dropped_failed: int = 0
    dropped_stopped: int = 0
    published: int = 0
    lost_in_transport: int = 0
    components_left_out: int = 0
    latency_median_ms: float = float("nan")
    latency_p99_ms: float = float("nan")
    rate_hz: float = 0.0

    @property
    def dropped(self) -> int:
        """Images that were received and neither processed nor refused."""
        return (
            self.dropped_overwritten
            + self.dropped_too_old
            + self.dropped_failed
            + self.dropped_stopped
        )

    @property
    def pending(self) -> int:
        """Images that wait or are being worked on: two at most."""
        return self.received - self.processed - self.refused - self.dropped


@dataclass
class FrameAccount:
    """Keeps the counts of one camera; every method may be called by any thread."""

    _counts: FrameCounts = field(default_factory=FrameCounts)
    _latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    _finished_s: deque[float] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    _lock: Lock = field(default_factory=Lock)

    def receive(self) -> None:
        """An image arrived."""
        with self._lock:
            self._counts = replace(self._counts, received=self._counts.received + 1)

    def lose(self, number: int) -> None:
        """The middleware lost images before they arrived."""
        with self._lock:
            lost = self._counts.lost_in_transport + number
            self._counts = replace(self._counts, lost_in_transport=lost)

    def leave_out(self) -> None:
        """An image had more components than the detector looks at."""
        with self._lock:
            number = self._counts.components_left_out + 1
            self._counts = replace(self._counts, components_left_out=number)

    def settle(self, outcome: Outcome) -> None:
        """An image that had arrived came to its end."""
        with self._lock:
            number = getattr(self._counts, outcome.value) + 1
            self._counts = replace(self._counts, **{outcome.value: number})

    def publish(self, latency_s: float, now_s: float) -> None:
        """Obstacles went out. latency_s: since the image's stamp; now_s: by a steady clock."""
        with self._lock:
            self._counts = replace(self._counts, published=self._counts.published + 1)
            self._latencies_ms.append(latency_s * 1e3)
            self._finished_s.append(now_s)

    def read_numbers(self) -> FrameCounts:
        """The numbers of images alone, which costs next to nothing."""
        with self._lock:
            return self._counts

    def read(self) -> FrameCounts:
        """All numbers of one moment, latencies and rate included."""
        with self._lock:
            counts = self._counts
            latencies = np.array(self._latencies_ms)
            finished = list(self._finished_s)
        if not len(latencies):
            return counts
        median, p99 = np.percentile(latencies, [50, 99])
        span = finished[-1] - finished[0]
        rate = (len(finished) - 1) / span if span > 0 else 0.0
        return replace(
            counts,
            latency_median_ms=float(median),
            latency_p99_ms=float(p99),
            rate_hz=rate,
        )
