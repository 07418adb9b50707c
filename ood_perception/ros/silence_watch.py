"""For how long has a camera sent nothing, by the clock that its images follow?"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import NamedTuple


class Silence(NamedTuple):
    """quiet_s: since the last image, or since the start. still_s: for so long simulated time has
    not moved; 0 where there is none."""

    quiet_s: float
    still_s: float


class SilenceWatch:
    """Counts quiet time piece by piece, so that a clock that jumps back hides no silence.

    simulated_s: simulated time in seconds, where the node follows it: a slowed-down simulation is
    no silent camera. Without it the steady clock counts.
    """

    def __init__(self, simulated_s: Callable[[], float] | None = None) -> None:
        self._simulated_s = simulated_s
        self._lock = Lock()
        self._quiet_s = 0.0
        self._last_s = self._now_s()
        self._moved_s = monotonic()

    def hear(self) -> None:
        """An image arrived."""
        with self._lock:
            self._follow_clock()
            self._quiet_s = 0.0

    def look(self) -> Silence:
        """The silence at this moment; to be called again and again."""
        with self._lock:
            self._follow_clock()
            still_s = 0.0 if self._simulated_s is None else monotonic() - self._moved_s
            return Silence(self._quiet_s, still_s)

    def _follow_clock(self) -> None:
        # With every image too: a simulator in lock-step moves its clock for each image alone.
        now_s = self._now_s()
        if now_s != self._last_s:
            self._moved_s = monotonic()
        self._quiet_s += max(0.0, now_s - self._last_s)
        self._last_s = now_s

    def _now_s(self) -> float:
        return monotonic() if self._simulated_s is None else self._simulated_s()
