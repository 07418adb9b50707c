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
from ood_perception.ground_projection import left_of, unit_xy
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


@dataclass(eq=False)
class _Known:
    """What is remembered of one obstacle.

    last: as the last frame gave it. measured: where an image alone last said that it stands, and
    was_relevant: whether that mattered. placed_ns, relevant_ns: stamp of that image, and of the
    last that found it relevant; -inf for none.
    """

    last: Obstacle | None = None
    measured: Placement | None = None
    was_relevant: bool = False
    placed_ns: float = -inf
    relevant_ns: float = -inf


class ObstacleFollower:
    """The obstacles of one camera, frame after frame. max_range_m: nothing farther has a place."""

    def __init__(self, settings: TrackingSettings, max_range_m: float = inf) -> None:
        self._tracker = Tracker(settings)
        self._max_range_m = max_range_m
        self._hold_ns = round(settings.hold_s * 1e9)
        self.reset()

    @property
    def is_after_gap(self) -> bool:
        """As of the tracker."""
        return self._tracker.is_after_gap

    def reset(self) -> None:
        """Forgets all earlier frames."""
        self._tracker.reset()
        self._known: dict[int, _Known] = {}

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
            _held(entry, known.last, known.measured, move)
            for entry in self._tracker.held
            if (known := self._known.get(entry.track_id)) and known.last
        ]
        for obstacle in (*obstacles, *held):
            self._known[obstacle.track_id].last = obstacle
        alive = self._tracker.track_ids
        self._known = {key: known for key, known in self._known.items() if key in alive}
        return tuple(obstacles), tuple(held)

    def _seen(self, sight: Sight, answer: Tracked, stamp_ns: int) -> Obstacle:
        known = self._known.setdefault(answer.track_id, _Known())
        if sight.relevant:
            known.relevant_ns = stamp_ns
        # What mattered a moment ago still does: a label that flickers moves no obstacle.
        relevant = stamp_ns - known.relevant_ns <= self._hold_ns
        if sight.placement is not None:
            known.placed_ns, known.measured = stamp_ns, sight.placement
            known.was_relevant = relevant
        spot = smoothed(known.measured, answer.estimate)
        if sight.placement is None and answer.confirmed and known.was_relevant:
            # It stood on the road and is seen still: that this image shows no foot of it, or one
            # where no obstacle can stand, does not take it away. It may have driven out of range.
            relevant = spot is None or self._is_within_range(spot)
        # What is seen and cannot be placed must not be carried on for long and out of the way.
        is_placed = stamp_ns - known.placed_ns <= self._hold_ns
        return Obstacle(
            sight.component,
            answer.track_id,
            spot if is_placed else None,
            answer.confirmed,
            relevant,
            measured=sight.placement,
            velocity=None if answer.estimate is None else answer.estimate.velocity,
        )

    def _is_within_range(self, spot: Placement) -> bool:
        """Whether a place is within the range for all that is known of it."""
        return spot.distance_m + 2 * spot.distance_stddev_m < self._max_range_m


def _held(entry: Held, before: Obstacle, measured: Placement | None, move: Move | None) -> Obstacle:
    """An obstacle that is not seen, from how it was given before and last measured."""
    placement, component = smoothed(measured, entry.estimate), before.component
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


def smoothed(placement: Placement | None, estimate: Estimate | None) -> Placement | None:
    """A measured place moved to where all sights together say that it is.

    Its deviation: what no smoothing takes down (pitch, height) and the filter's own, which is
    never taken for less than half the measurement's: errors of successive images are alike.
    """
    if placement is None or estimate is None:
        return placement
    position = np.array([*estimate.position, 0.0])
    along = unit_xy(estimate.position)
    return replace(
        placement,
        position=position,
        distance_m=float(np.hypot(*estimate.position)),
        distance_stddev_m=_stddev_m(
            placement.distance_stddev_m, placement.distance_noise_m, estimate, along
        ),
        lateral_stddev_m=_stddev_m(
            placement.lateral_stddev_m, placement.lateral_noise_m, estimate, left_of(along)
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
