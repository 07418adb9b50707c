"""The log's share of what /diagnostics says: a line when a camera's health changes, no flood."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Any

from ood_perception.ros.diagnostics import ERROR, OK, CameraReport, Health

_QUIET_S = 5.0


@dataclass
class _Said:
    """state: of the last line, None before the first. at_s: when. unsaid: changes since then."""

    state: str | None = None
    at_s: float = float("-inf")
    unsaid: int = 0
    last: str | None = None


class HealthLog:
    """Says every change of a camera's state once; a state that flickers at most every 5 seconds.

    logger: of the node. now_s: a steady clock, seconds.
    """

    def __init__(self, logger: Any, now_s: Callable[[], float] = monotonic) -> None:
        self._logger = logger
        self._now_s = now_s
        self._said: dict[str, _Said] = {}
        self._lock = Lock()

    def forget(self) -> None:
        """A new activation begins: every camera's first state is said again."""
        with self._lock:
            self._said.clear()

    def note(self, reports: Iterable[CameraReport]) -> None:
        """To be called with every report of the cameras, from any thread."""
        with self._lock:
            for report in reports:
                self._note(report.camera, report.health)

    def _note(self, camera: str, health: Health) -> None:
        said = self._said.setdefault(camera, _Said())
        if health.state != said.last:
            said.last = health.state
            said.unsaid += 1
        now_s = self._now_s()
        # Numbers in the message change all the time; the state is what counts.
        if said.state == health.state or now_s - said.at_s < _QUIET_S:
            return
        flicker = f" (changed {said.unsaid} times since)" if said.unsaid > 1 else ""
        self._say(health, f"{camera}: {health.state}: {health.message}{flicker}")
        said.state, said.at_s, said.unsaid = health.state, now_s, 0

    def _say(self, health: Health, text: str) -> None:
        if health.level == ERROR:
            self._logger.error(text)
        elif health.level == OK:
            self._logger.info(text)
        else:
            self._logger.warning(text)
