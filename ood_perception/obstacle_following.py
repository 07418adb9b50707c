"""Components of a frame to obstacles over time: smooth places, steady relevance, held obstacles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

from ood_perception.detection import Component
from ood_perception.ego_motion import EgoPose
from ood_perception.ground_plane import Placement
from ood_perception.scene import Obstacle
from ood_perception.tracking import (
    Estimate,
    Held,
    IsHidden,
    Tracked,
    Tracker,
    TrackingSettings,
    observation_of,
)

_LEAST_NOISE_SHARE = 0.5
"""Errors of successive images are partly the same: smoothing takes down no more of them."""


@dataclass(frozen=True, eq=False)
class Sight:
    """A component of this frame. placement: measured now. relevant: as this frame alone says.
    evidence: see ``Observation``."""

    component: Component
    placement: Placement | None
    relevant: bool
    evidence: float = inf


Move = Callable[[Component, Placement, Placement], Component]
"""A component that was seen at the first place, as it would be seen at the second."""


class ObstacleFollower:
    """The obstacles of one camera, frame after frame."""

    def __init__(self, settings: TrackingSettings) -> None:
        self._tracker = Tracker(settings)
        self._hold_ns = round(settings.hold_s * 1e9)
        self.reset()

    def reset(self) -> None:
        """Forgets all earlier frames."""
        self._tracker.reset()
        self._last: dict[int, Obstacle] = {}
        self._relevant_ns: dict[int, int] = {}
        self._placed_ns: dict[int, int] = {}

    def update(
        self,
        sights: Sequence[Sight],
        stamp_ns: int,
        pose: EgoPose | None = None,
        *,
        weak: Callable[[], Sequence[Sight]] = tuple,
        is_hidden: IsHidden | None = None,
        move: Move | None = None,
    ) -> tuple[tuple[Obstacle, ...], tuple[Obstacle, ...]]:
        """One frame's obstacles in the order of the sights, and those that are held.

        stamp_ns, pose, is_hidden: as ``Tracker.update``. weak: gives components that the meta
        classifier dropped; they keep confirmed obstacles in place and start none. move: brings
        the component of a held obstacle to its new place.
        """
        answers = self._tracker.update(
            [observation_of(s.component, s.placement, s.evidence) for s in sights],
            stamp_ns,
            pose,
            support=lambda: [observation_of(s.component, s.placement) for s in weak()],
            is_hidden=is_hidden,
        )
        obstacles = [
            self._seen(sight, answer, stamp_ns)
            for sight, answer in zip(sights, answers, strict=True)
        ]
        held = [
            self._held(entry, move) for entry in self._tracker.held if entry.track_id in self._last
        ]
        alive = self._tracker.track_ids
        self._last = {key: o for key, o in self._last.items() if key in alive}
        self._last.update((o.track_id, o) for o in (*obstacles, *held))
        self._relevant_ns = {key: at for key, at in self._relevant_ns.items() if key in alive}
        self._placed_ns = {key: at for key, at in self._placed_ns.items() if key in alive}
        return tuple(obstacles), tuple(held)

    def _seen(self, sight: Sight, answer: Tracked, stamp_ns: int) -> Obstacle:
        model = sight.placement or self._lately_placed(answer.track_id, stamp_ns)
        if sight.placement is not None:
            self._placed_ns[answer.track_id] = stamp_ns
        return Obstacle(
            sight.component,
            answer.track_id,
            smoothed(model, answer.estimate),
            answer.confirmed,
            self._stays_relevant(answer.track_id, sight.relevant, stamp_ns),
            measured=sight.placement,
            velocity=None if answer.estimate is None else answer.estimate.velocity,
        )

    def _held(self, entry: Held, move: Move | None) -> Obstacle:
        before = self._last[entry.track_id]
        placement, component = smoothed(before.placement, entry.estimate), before.component
        if move is not None and before.placement is not None and placement is not None:
            component = move(component, before.placement, placement)
        return replace(
            before,
            component=component,
            placement=placement,
            measured=None,
            velocity=None if entry.estimate is None else entry.estimate.velocity,
            held=True,
            unseen_s=entry.unseen_s,
            hidden=entry.hidden,
        )

    def _lately_placed(self, track_id: int, stamp_ns: int) -> Placement | None:
        """Its place in the last frame; None when none was measured for longer than ``hold_s``: what
        is seen and cannot be placed must not be carried on and out of the way."""
        before, since = self._last.get(track_id), self._placed_ns.get(track_id)
        if before is None or since is None or stamp_ns - since > self._hold_ns:
            return None
        return before.placement

    def _stays_relevant(self, track_id: int, now: bool, stamp_ns: int) -> bool:
        """What mattered a moment ago still does: a label that flickers moves no obstacle."""
        if now:
            self._relevant_ns[track_id] = stamp_ns
        since = self._relevant_ns.get(track_id)
        return since is not None and stamp_ns - since <= self._hold_ns


def smoothed(placement: Placement | None, estimate: Estimate | None) -> Placement | None:
    """A measured place moved to where all sights together say that it is.

    Its deviation: what no smoothing takes down (pitch, height) and the filter's own, which is
    never taken for less than half the measurement's: errors of successive images are alike.
    """
    if placement is None or estimate is None:
        return placement
    position = np.array([*estimate.position, 0.0])
    distance = float(np.hypot(*estimate.position))
    along = estimate.position / distance if distance > 0 else np.array([1.0, 0.0])
    across = np.array([-along[1], along[0]])
    return replace(
        placement,
        position=position,
        distance_m=distance,
        distance_stddev_m=_stddev_m(
            placement.distance_stddev_m, placement.distance_noise_m, estimate, along
        ),
        lateral_stddev_m=_stddev_m(
            placement.lateral_stddev_m, placement.lateral_noise_m, estimate, across
        ),
        footprint=placement.footprint + (position - placement.position)[:2],
    )


def _stddev_m(
    total_m: float, noise_m: float, estimate: Estimate, direction: NDArray[np.float64]
) -> float:
    lasting_m2 = max(total_m**2 - noise_m**2, 0.0)
    filtered_m2 = float(direction @ estimate.covariance @ direction)
    least_m2 = (_LEAST_NOISE_SHARE * noise_m) ** 2
    return sqrt(lasting_m2 + max(filtered_m2, least_m2))
