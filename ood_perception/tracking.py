"""The same obstacle in the next frame: stable ids and confirmation over time.

Nothing is invented: only what was observed in a frame is returned for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ood_perception.detection import Component, Region
from ood_perception.ground_plane import Placement

_CONTRADICTED = 0.3  # what an overlap in the image counts against the evidence of the ground


@dataclass(frozen=True)
class TrackingSettings:
    """When two observations are one obstacle, and when it is believed.

    min_iou: intersection over union of the regions (each padded) that makes them one.
    padding_px: added on every side of a region, so that small, far obstacles still overlap.
    max_speed_m_s: fastest approach relative to the vehicle. Observations no farther apart on the
        ground than it allows since the last sight may be one, whatever their regions; a farther
        pair needs its regions to overlap and yields to a pair that agrees on the ground.
    ground_slack_m: added to that step for errors of the range.
    confirm_hits, confirm_window: confirmed when seen in so many of the last so many frames, and
        from then on for as long as it is followed.
    max_misses: forgotten after more than so many frames in a row without it.
    max_gap_s: everything is forgotten when no frame came for so long.
    """

    min_iou: float = 0.2
    padding_px: int = 6
    max_speed_m_s: float = 25.0
    ground_slack_m: float = 0.5
    confirm_hits: int = 2
    confirm_window: int = 3
    max_misses: int = 3
    max_gap_s: float = 1.0


@dataclass(frozen=True, eq=False)
class Observation:
    """region: in image pixels. ground_xy: (2,) float64 metres in the ground frame, or None."""

    region: Region
    ground_xy: NDArray[np.float64] | None = None


def observation_of(component: Component, placement: Placement | None) -> Observation:
    """A component as the tracker sees it."""
    return Observation(component.region, None if placement is None else placement.position[:2])


@dataclass(frozen=True)
class Tracked:
    """What time says of one observation."""

    track_id: int
    confirmed: bool


@dataclass
class _Track:
    track_id: int
    observation: Observation
    seen: deque[bool]
    stamp_ns: int = 0
    misses: int = 0
    confirmed: bool = field(default=False)


class Tracker:
    """Greedy matching, best pair first, of this frame's observations to known obstacles."""

    def __init__(self, settings: TrackingSettings | None = None) -> None:
        self.settings = settings or TrackingSettings()
        self._next_id = 1
        self.reset()

    def reset(self) -> None:
        """Forgets all obstacles. Ids go on, so that none is given twice."""
        self._tracks: list[_Track] = []
        self._last_stamp_ns: int | None = None

    def update(self, observations: Sequence[Observation], stamp_ns: int) -> tuple[Tracked, ...]:
        """One frame's observations; returns an answer for each, in their order.

        stamp_ns: nanoseconds; when it lies before the last one, or ``max_gap_s`` after it, all
        earlier obstacles are forgotten first.
        """
        if self._last_stamp_ns is not None:
            gap_s = (stamp_ns - self._last_stamp_ns) / 1e9
            if gap_s < 0 or gap_s > self.settings.max_gap_s:
                self.reset()
        self._last_stamp_ns = stamp_ns
        known = self._tracks
        track_of = self._match(observations, stamp_ns)
        answers = []
        for index, observation in enumerate(observations):
            track = track_of.get(index) or self._start(observation)
            self._hit(track, observation, stamp_ns)
            answers.append(Tracked(track.track_id, track.confirmed))
        found = {id(track) for track in track_of.values()}
        for track in known:
            if id(track) not in found:
                track.seen.append(False)
                track.misses += 1
        self._tracks = [t for t in self._tracks if t.misses <= self.settings.max_misses]
        return tuple(answers)

    def _start(self, observation: Observation) -> _Track:
        track = _Track(self._next_id, observation, deque(maxlen=self.settings.confirm_window))
        self._next_id += 1
        self._tracks = [*self._tracks, track]
        return track

    def _hit(self, track: _Track, observation: Observation, stamp_ns: int) -> None:
        track.observation, track.stamp_ns = observation, stamp_ns
        track.misses = 0
        track.seen.append(True)
        track.confirmed = track.confirmed or sum(track.seen) >= self.settings.confirm_hits

    def _match(self, observations: Sequence[Observation], stamp_ns: int) -> dict[int, _Track]:
        """Track of each matched observation, by the observation's index."""
        if not observations or not self._tracks:
            return {}
        affinity = self._affinity(observations, stamp_ns)
        rows, columns = np.nonzero(affinity > 0)
        order = np.argsort(-affinity[rows, columns], kind="stable")
        taken: set[int] = set()
        matched: dict[int, _Track] = {}
        for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
            if row not in taken and column not in matched:
                taken.add(row)
                matched[column] = self._tracks[row]
        return matched

    def _affinity(self, now: Sequence[Observation], stamp_ns: int) -> NDArray[np.float64]:
        """(tracks, observations) float64, 0 where a pair cannot be one obstacle, up to 2."""
        settings = self.settings
        before = [track.observation for track in self._tracks]
        iou = _iou(_boxes(before, settings.padding_px), _boxes(now, settings.padding_px))
        overlap = np.where(iou >= settings.min_iou, iou, 0.0)
        age_s = np.array([stamp_ns - track.stamp_ns for track in self._tracks]) / 1e9
        reach_m = settings.ground_slack_m + settings.max_speed_m_s * age_s[:, None]
        step_m = np.linalg.norm(_ground(before)[:, None] - _ground(now)[None], axis=2)
        # NaN, where a place is missing, neither supports nor contradicts.
        near = np.nan_to_num(1 - step_m / reach_m, nan=0.0).clip(0, 1)
        return np.where(step_m > reach_m, _CONTRADICTED * overlap, overlap) + near


def _boxes(observations: Sequence[Observation], padding_px: int) -> NDArray[np.float64]:
    """(n, 4) float64 left, top, right, bottom of the padded regions."""
    regions = np.array([o.region for o in observations], dtype=np.float64)
    corners = np.concatenate([regions[:, :2], regions[:, :2] + regions[:, 2:]], axis=1)
    return corners + np.array([-padding_px, -padding_px, padding_px, padding_px])


def _ground(observations: Sequence[Observation]) -> NDArray[np.float64]:
    """(n, 2) float64 ground positions, NaN where there is none."""
    nowhere = np.full(2, np.nan)
    return np.array([nowhere if o.ground_xy is None else o.ground_xy for o in observations])


def _iou(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, m) intersection over union of boxes (n, 4) and (m, 4)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.prod((high - low).clip(min=0), axis=2)
    area_first = np.prod(first[:, 2:] - first[:, :2], axis=1)
    area_second = np.prod(second[:, 2:] - second[:, :2], axis=1)
    union = area_first[:, None] + area_second[None] - common
    return np.asarray(common / np.maximum(union, 1e-9))
