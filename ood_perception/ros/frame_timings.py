"""How long the images of one camera took lately, and how often one was finished."""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import NamedTuple

import numpy as np

WINDOW_S = 5.0
_MOST = 2000
_KINDS = ("latency", "reception_latency", "wait", "start_age", "detector", "overhead")


class FrameTiming(NamedTuple):
    """One published image; seconds.

    latency: from its stamp to publication, by the node's clock. reception_latency: the same from
    its arrival, by the steady clock. wait: from arrival to its turn. detector: the call in which
    the detector saw it, other cameras' images of that call included. stamp_ns: the image's.
    """

    finished_s: float
    latency: float
    reception_latency: float
    wait: float
    detector: float
    stamp_ns: int = 0

    @property
    def start_age(self) -> float:
        """How old the image was, by its stamp, when its turn came."""
        return self.latency - (self.reception_latency - self.wait)

    @property
    def overhead(self) -> float:
        """What the node adds to the detector's own time, the wait for its turn included."""
        return self.reception_latency - self.detector


class FrameTimings:
    """The images of the last seconds; every method may be called by any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._timings: deque[FrameTiming] = deque(maxlen=_MOST)

    def add(self, timing: FrameTiming) -> None:
        """An image was published."""
        with self._lock:
            self._timings.append(timing)
            while timing.finished_s - self._timings[0].finished_s > WINDOW_S:
                self._timings.popleft()

    def read(self, now_s: float) -> dict[str, float]:
        """rate_hz of the last seconds, output_age_s since the last publication (NaN: none yet),
        and KIND_median_ms and KIND_p99_ms for each kind of time (NaN: none lately).

        now_s: by the steady clock. A node that stalls is seen: its rate falls to 0.
        """
        with self._lock:
            every = list(self._timings)
        recent = [timing for timing in every if now_s - timing.finished_s <= WINDOW_S]
        figures = {
            "rate_hz": _rate(recent, now_s),
            "output_age_s": now_s - every[-1].finished_s if every else float("nan"),
        }
        seconds = [[getattr(timing, kind) for kind in _KINDS] for timing in recent]
        medians, tails = 1e3 * np.percentile(seconds or [[np.nan] * len(_KINDS)], [50, 99], axis=0)
        for kind, median, tail in zip(_KINDS, medians.tolist(), tails.tolist(), strict=True):
            figures[f"{kind}_median_ms"], figures[f"{kind}_p99_ms"] = median, tail
        return figures


def _rate(recent: list[FrameTiming], now_s: float) -> float:
    """Intervals over the time that they span; the one that has not ended counts once it is long."""
    if len(recent) < 2:
        return 0.0
    first_s, last_s = recent[0].finished_s, recent[-1].finished_s
    mean_s = (last_s - first_s) / (len(recent) - 1)
    if now_s - last_s > 2 * mean_s:
        return (len(recent) - 1) / (now_s - first_s)
    return 1 / mean_s if mean_s > 0 else 0.0
