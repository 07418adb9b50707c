"""The same obstacle in the next frame: stable ids, confirmation, a smooth place, a short memory.

What a frame shows is answered for that frame. Beside it stand the obstacles that are *held*: they
were confirmed and are not seen now, for a moment, or because they are under the image's lower edge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ood_perception.ego_motion import EgoMotion, EgoPose, motion_between
from ood_perception.track import Estimate, Held, IsHidden, Track, Tracked, TrackingSettings
from ood_perception.track_matching import (
    MatchingSettings,
    Observation,
    affinity,
    best_pairs,
    observation_of,
)

__all__ = [
    "Estimate",
    "Held",
    "IsHidden",
    "Observation",
    "Tracked",
    "Tracker",
    "TrackingSettings",
    "observation_of",
]


_FASTEST_M_S, _ODOMETRY_SLACK_M = 100.0, 0.5  # a pose that is farther on has jumped


class Tracker:
    """Obstacles over time; the ground positions of all frames are in the vehicle's own frame."""

    def __init__(self, settings: TrackingSettings | None = None) -> None:
        self.settings = settings or TrackingSettings()
        self._next_id = 1
        self.reset()

    def reset(self) -> None:
        """Forgets all obstacles. Ids go on, so that none is given twice."""
        self._tracks: list[Track] = []
        self._held: tuple[Held, ...] = ()
        self._last: tuple[int, EgoPose | None] | None = None
        self._is_after_gap = False

    @property
    def is_after_gap(self) -> bool:
        """Whether the last frame came more than ``max_gap_s`` after the one before it, so that
        what was seen earlier does not help to confirm what it shows."""
        return self._is_after_gap

    @property
    def held(self) -> tuple[Held, ...]:
        """What the last frame did not show although it is confirmed and not forgotten."""
        return self._held

    @property
    def track_ids(self) -> frozenset[int]:
        """Of everything that is not forgotten."""
        return frozenset(track.track_id for track in self._tracks)

    def update(
        self,
        observations: Sequence[Observation],
        stamp_ns: int,
        pose: EgoPose | None = None,
        *,
        support: Callable[[], Sequence[Observation]] = tuple,
        is_hidden: IsHidden | None = None,
    ) -> tuple[Tracked, ...]:
        """One frame's observations; returns an answer for each, in their order.

        stamp_ns: nanoseconds; when it lies before the last one, or ``max_gap_s`` after it, earlier
        obstacles are forgotten first. pose: of the vehicle at the stamp, where odometry tells it.
        support: gives sights too weak to be obstacles, which keep confirmed ones in place; asked
        only when one of those is not seen. is_hidden: None where no place is known.
        """
        step_s, motion = self._go_on(stamp_ns, pose)
        known, ego_velocity = self._tracks, _velocity(motion, step_s)
        for track in known:
            track.go_on(step_s, motion)
        found = self._match(known, observations, stamp_ns)
        seen = [found.get(index) or self._start() for index in range(len(observations))]
        for track, observation in zip(seen, observations, strict=True):
            track.hit(observation, stamp_ns, ego_velocity)
        met = set(map(id, seen))
        unseen = [track for track in known if id(track) not in met]
        self._miss(unseen, support, stamp_ns, is_hidden)
        lost = {id(track) for track in unseen if not track.lives(stamp_ns)}
        self._tracks = [track for track in self._tracks if id(track) not in lost]
        held = [track.held(stamp_ns) for track in unseen if id(track) not in lost]
        self._held = tuple(entry for entry in held if entry is not None)
        return tuple(Tracked(t.track_id, t.confirmed, t.estimate) for t in seen)

    def _go_on(self, stamp_ns: int, pose: EgoPose | None) -> tuple[float, EgoMotion | None]:
        """Seconds since the last frame and the vehicle's motion in them; forgets after a gap."""
        last, self._last = self._last, (stamp_ns, pose)
        self._is_after_gap = False
        if last is None:
            return 0.0, None
        step_s = (stamp_ns - last[0]) / 1e9
        motion = _motion(last[1], pose, step_s)
        if step_s < 0:
            self._tracks = []
            return 0.0, None
        if step_s > self.settings.max_gap_s:
            self._is_after_gap = True
            self._tracks = [t for t in self._tracks if t.confirmed and t.hidden and motion]
        return step_s, motion

    def _match(
        self, tracks: Sequence[Track], observations: Sequence[Observation], stamp_ns: int
    ) -> dict[int, Track]:
        """Track of each matched observation, by the observation's index."""
        settings = self.settings
        pairs = affinity(
            [track.expected for track in tracks],
            np.array([track.reach_m(stamp_ns) for track in tracks]),
            observations,
            MatchingSettings(settings.min_iou, settings.padding_px),
        )
        return {column: tracks[row] for column, row in best_pairs(pairs).items()}

    def _start(self) -> Track:
        track = Track(self._next_id, self.settings)
        self._next_id += 1
        self._tracks = [*self._tracks, track]
        return track

    def _miss(
        self,
        unseen: Sequence[Track],
        support: Callable[[], Sequence[Observation]],
        stamp_ns: int,
        is_hidden: IsHidden | None,
    ) -> None:
        # What is hidden cannot be seen, so that no weak sight is one of it, nor its end.
        confirmed = [track for track in unseen if track.confirmed and not track.hidden]
        weak = support() if confirmed else ()
        supported = {id(t): weak[i] for i, t in self._match(confirmed, weak, stamp_ns).items()}
        for track in unseen:
            if id(track) in supported:
                track.support(supported[id(track)], stamp_ns)
            else:
                track.miss(stamp_ns, is_hidden)


def _motion(before: EgoPose | None, now: EgoPose | None, step_s: float) -> EgoMotion | None:
    """The vehicle's own; None where no odometry tells it, or it began anew between the two."""
    if before is None or now is None or before.world != now.world:
        return None
    motion = motion_between(before, now)
    way_m = float(np.linalg.norm(motion.step_m))
    return motion if way_m <= _ODOMETRY_SLACK_M + _FASTEST_M_S * step_s else None


def _velocity(motion: EgoMotion | None, step_s: float) -> NDArray[np.float64] | None:
    """(2,) of the vehicle, metres a second, where it is known."""
    return None if motion is None or step_s <= 0 else motion.step_m / step_s
