"""Is a camera as fast as the vehicle needs it? Over budget is a warning, for long an error."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from ood_perception.ros.frame_counts import FrameCounts
from ood_perception.ros.frame_timings import WINDOW_S


@dataclass(frozen=True)
class BudgetSettings:
    """latency_s: the 99th percentile from stamp to publication may be this; 0: no budget.
    rate_hz: at least so many images a second are processed; 0: no budget. dropped_share: at most
    this share of the received images is not processed; 1: no budget. error_after_s: over budget
    for so long is an error."""

    latency_s: float = 1.0
    rate_hz: float = 1.0
    dropped_share: float = 1.0
    error_after_s: float = 5.0


class _Reading(NamedTuple):
    now_s: float
    received: int
    unused: int


class BudgetWatch:
    """Looks at one camera again and again."""

    def __init__(self, settings: BudgetSettings) -> None:
        self._settings = settings
        self._readings: deque[_Reading] = deque()
        self._over_since_s: float | None = None
        self._comparable_from_s = -inf

    def look(self, now_s: float, counts: FrameCounts) -> dict[str, float]:
        """Takes one reading; returns received_rate_hz and dropped_share of the last seconds.

        now_s: by the steady clock.
        """
        self._readings.append(_Reading(now_s, counts.received, counts.dropped + counts.refused))
        while now_s - self._readings[0].now_s > WINDOW_S:
            self._readings.popleft()
        first, last = self._readings[0], self._readings[-1]
        span_s, received = last.now_s - first.now_s, last.received - first.received
        unused = last.unused - first.unused
        return {
            "received_rate_hz": received / span_s if span_s > 0 else 0.0,
            "dropped_share": min(1.0, unused / received) if received else 0.0,
        }

    def judge(self, now_s: float, figures: dict[str, float]) -> tuple[str, bool]:
        """What is over budget, in words (empty: nothing), and whether it has lasted too long.

        figures: of ``look`` and ``FrameTimings.read`` together. See ``excuse``.
        """
        over = self._over(now_s, figures)
        if not over:
            self._over_since_s = None
            return "", False
        if self._over_since_s is None:
            self._over_since_s = now_s
        lasted_s = now_s - self._over_since_s
        return f"over budget for {lasted_s:.1f} s: {over}", lasted_s >= self._settings.error_after_s

    def excuse(self, now_s: float) -> None:
        """Something worse is known: what follows from it is not over budget, and rate and share
        are judged again when no second of it is among those that they are made of."""
        self._over_since_s, self._comparable_from_s = None, now_s + WINDOW_S

    def _over(self, now_s: float, figures: dict[str, float]) -> str:
        settings, said = self._settings, []
        latency_s = figures["latency_p99_ms"] / 1e3  # NaN compares false: nothing was published
        if 0 < settings.latency_s < latency_s:
            said.append(f"latency p99 {latency_s:.3f} s of {settings.latency_s:g} s")
        is_comparable = now_s >= self._comparable_from_s
        if is_comparable and self._has_history() and figures["rate_hz"] < settings.rate_hz:
            said.append(f"rate {figures['rate_hz']:.1f} Hz of {settings.rate_hz:g} Hz")
        if is_comparable and figures["dropped_share"] > settings.dropped_share:
            said.append(
                f"{figures['dropped_share']:.0%} of the images not processed, allowed are "
                f"{settings.dropped_share:.0%}"
            )
        return ", ".join(said)

    def _has_history(self) -> bool:
        """A rate is judged only after half a window: nobody starts at full speed."""
        return self._readings[-1].now_s - self._readings[0].now_s >= WINDOW_S / 2
