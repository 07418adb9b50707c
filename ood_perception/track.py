"""One obstacle over time: when it is believed, where it is, and how long it is remembered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ood_perception.ego_motion import EgoMotion
from ood_perception.range_filter import RangeFilter, RangeFilterSettings
from ood_perception.track_matching import Observation

_DRIVEN_OVER_M = 0.5
_UNKNOWN_VARIANCE_M2 = 1.0
_LEAST_EVIDENCE = 1e-9  # a sight counts as one


@dataclass(frozen=True)
class TrackingSettings:
    """When two observations are one obstacle, when it is believed, and how long it is remembered.

    min_iou: intersection over union of the regions (each padded) that makes them one.
    padding_px: added on every side of a region, so that small, far obstacles still overlap.
    max_speed_m_s: fastest motion relative to where an obstacle is expected. Observations no farther
        from there than it allows since the last sight may be it, whatever their regions; a farther
        pair needs its regions to overlap and yields to a pair that agrees on the ground.
    ground_slack_m: added to that step for errors of the range.
    confirm_hits, confirm_window: confirmed when seen in so many of the last so many frames with
        enough evidence, and from then on for as long as it is followed.
    confirm_evidence: what the meta classifier must say for it in those frames together, as log-odds
        above its decision; 0: nothing. Nothing is asked of a model without a meta classifier.
    max_misses: forgotten after more than so many frames in a row without it.
    hold_s: a confirmed, placed obstacle is held for at least so long without a sight of it.
    weak_hold_s: the same while only components that the meta classifier drops are seen there.
    hidden_hold_s: one under the image's lower edge is held for so long where no odometry tells when
        the vehicle has reached it; one that is cut off by that edge is taken for as near as its
        motion so far says for so long, and then for as far as it is visible.
    bumper_x_m: x of the vehicle's front in the ground frame: what is hidden is held up to there.
    max_gap_s: everything is forgotten when no frame came for so long, but for what odometry shows
        to be hidden still.
    acceleration_m_s2: see ``RangeFilterSettings``.
    """

    min_iou: float = 0.2
    padding_px: int = 6
    max_speed_m_s: float = 25.0
    ground_slack_m: float = 0.5
    confirm_hits: int = 2
    confirm_window: int = 10
    confirm_evidence: float = 20.0
    max_misses: int = 3
    hold_s: float = 0.5
    weak_hold_s: float = 2.0
    hidden_hold_s: float = 2.0
    bumper_x_m: float = 0.0
    max_gap_s: float = 1.0
    acceleration_m_s2: float = 2.0


@dataclass(frozen=True, eq=False)
class Estimate:
    """position, velocity: (2,) float64, metres and metres a second in the ground frame, smoothed;
    the velocity is relative to the vehicle. covariance: (2, 2) float64 of the position."""

    position: NDArray[np.float64]
    velocity: NDArray[np.float64]
    covariance: NDArray[np.float64]


@dataclass(frozen=True)
class Tracked:
    """What time says of one observation; estimate: None as long as it never had a place."""

    track_id: int
    confirmed: bool
    estimate: Estimate | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Held:
    """A confirmed obstacle that this frame does not show.

    estimate: None as long as it never had a place. unseen_s: since the meta classifier last kept
    it. hidden: it is where the camera cannot see it.
    """

    track_id: int
    estimate: Estimate | None
    unseen_s: float
    hidden: bool


IsHidden = Callable[[NDArray[np.float64]], bool]
"""Whether a ground position, (2,) metres, lies nearer than what the camera sees."""


class Track:
    """The memory of one obstacle. Told of every frame once: ``hit``, ``support`` or ``miss``."""

    def __init__(self, track_id: int, settings: TrackingSettings) -> None:
        self.track_id = track_id
        self.confirmed = False
        self.hidden = False
        self.last_stamp_ns = 0
        self._settings = settings
        self._evidence: deque[float] = deque(maxlen=settings.confirm_window)
        self._kept_ns = 0
        self._excused_ns = 0
        self._misses = 0
        self._without_odometry_s = 0.0
        self._has_odometry = False
        self._is_ahead = True
        self._bounded_since_ns: int | None = None
        self._filter: RangeFilter | None = None
        self._observation: Observation | None = None

    @property
    def position(self) -> NDArray[np.float64] | None:
        """(2,) metres in the ground frame, as expected now; None as long as it had no place."""
        return None if self._filter is None else self._filter.position

    @property
    def estimate(self) -> Estimate | None:
        """Where it is and how it moves; None as long as it had no place."""
        known = self._filter
        if known is None:
            return None
        return Estimate(known.position, known.velocity, known.covariance[:2, :2].copy())

    @property
    def expected(self) -> Observation:
        """Where it was in the image, and should be on the ground by now."""
        assert self._observation is not None
        if self._filter is None:
            return self._observation
        return replace(self._observation, ground_xy=self._filter.position)

    def reach_m(self, stamp_ns: int) -> float:
        """How far from where it is expected it may be; what is hidden moves by odometry alone."""
        settings = self._settings
        since_ns = stamp_ns if self.hidden else max(self.last_stamp_ns, self._excused_ns)
        return settings.ground_slack_m + settings.max_speed_m_s * (stamp_ns - since_ns) / 1e9

    def go_on(self, step_s: float, motion: EgoMotion | None) -> None:
        """Brings it to the next frame; motion: the vehicle's, where it is known."""
        if self._filter is not None:
            self._filter.predict(step_s, motion, standing=self.hidden)
        self._has_odometry = motion is not None
        self._without_odometry_s = 0.0 if self._has_odometry else self._without_odometry_s + step_s

    def hit(
        self,
        observation: Observation,
        stamp_ns: int,
        ego_velocity: NDArray[np.float64] | None = None,
    ) -> None:
        """The frame shows it. ego_velocity: (2,) of the vehicle, metres a second, where known."""
        settings, evidence = self._settings, self._evidence
        evidence.append(max(observation.evidence, _LEAST_EVIDENCE))
        enough = sum(evidence) >= settings.confirm_evidence
        hits = sum(value > 0 for value in evidence)
        self.confirmed = self.confirmed or (enough and hits >= settings.confirm_hits)
        self._kept_ns = stamp_ns
        self._sight(observation, stamp_ns, ego_velocity)

    def support(self, observation: Observation, stamp_ns: int) -> None:
        """The frame shows something there that is too weak to be an obstacle by itself."""
        self._evidence.append(0.0)
        self._sight(observation, stamp_ns, None)

    def miss(self, stamp_ns: int, is_hidden: IsHidden | None) -> None:
        """The frame does not show it, as it cannot where the camera does not look."""
        self._evidence.append(0.0)
        self._misses += 1
        place = self.position
        if place is not None and is_hidden is not None:
            # What no odometry stops goes on behind the bumper, where it is still not seen.
            self.hidden = is_hidden(self._before_the_bumper(place))
        if self.hidden and self.confirmed:
            self._excused_ns, self._misses = stamp_ns, 1

    def lives(self, stamp_ns: int) -> bool:
        """Whether it is remembered after a frame that did not show it, or only weakly."""
        settings, filtered = self._settings, self._filter
        if not self.confirmed or filtered is None:
            return self._misses <= settings.max_misses
        if self.hidden and not self._is_ahead:
            return stamp_ns - self.last_stamp_ns <= settings.hidden_hold_s * 1e9
        if self.hidden and self._has_odometry:
            return bool(filtered.position[0] > settings.bumper_x_m - _DRIVEN_OVER_M)
        if self.hidden:
            return self._without_odometry_s <= settings.hidden_hold_s
        if self._misses == 0:
            kept_ns = max(self._kept_ns, self._excused_ns)
            return stamp_ns - kept_ns <= settings.weak_hold_s * 1e9
        unseen_ns = stamp_ns - max(self.last_stamp_ns, self._excused_ns)
        return self._misses <= settings.max_misses or unseen_ns <= settings.hold_s * 1e9

    def held(self, stamp_ns: int) -> Held | None:
        """What is said of it without a sight; None unless it is confirmed."""
        estimate = self.estimate
        if not self.confirmed:
            return None
        if self.hidden and estimate is not None:
            place = self._before_the_bumper(estimate.position)
            estimate = replace(estimate, position=place)
        return Held(self.track_id, estimate, (stamp_ns - self._kept_ns) / 1e9, self.hidden)

    def _before_the_bumper(self, position: NDArray[np.float64]) -> NDArray[np.float64]:
        if not self._is_ahead:  # beside or behind the vehicle, where another camera looks
            return position
        return np.array([max(position[0], self._settings.bumper_x_m), position[1]])

    def _sight(
        self, observation: Observation, stamp_ns: int, ego_velocity: NDArray[np.float64] | None
    ) -> None:
        self._observation, self.last_stamp_ns = observation, stamp_ns
        self._misses, self._without_odometry_s = 0, 0.0
        self.hidden = False
        xy, covariance = observation.ground_xy, observation.ground_covariance
        if xy is None:
            if self._filter is not None and self._is_ahead:
                self._filter.stay_before(self._settings.bumper_x_m)
            return
        covariance = np.eye(2) * _UNKNOWN_VARIANCE_M2 if covariance is None else covariance
        self._is_ahead = bool(xy[0] > self._settings.bumper_x_m)
        if self._filter is None:
            self._begin(xy, covariance, ego_velocity)
        # The nearest visible point of what is cut off is only a bound of its place.
        elif not observation.truncated or np.hypot(*self._filter.position) > np.hypot(*xy):
            self._filter.update(xy, covariance)
            self._bounded_since_ns = None
        else:
            self._carry_on(xy, covariance, stamp_ns)

    def _begin(
        self,
        xy: NDArray[np.float64],
        covariance: NDArray[np.float64],
        ego_velocity: NDArray[np.float64] | None,
    ) -> None:
        smoothing = RangeFilterSettings(acceleration_m_s2=self._settings.acceleration_m_s2)
        self._filter = RangeFilter(xy, covariance, ego_velocity, smoothing)
        self._bounded_since_ns = None

    def _carry_on(
        self, xy: NDArray[np.float64], covariance: NDArray[np.float64], stamp_ns: int
    ) -> None:
        """It reaches nearer than the image shows, by what the motion so far says; but what is seen
        ahead is not behind the bumper, and a vehicle that braked is farther off than that motion
        says, which nobody knows without odometry: after a while the bound is all that is known."""
        assert self._filter is not None
        if self._bounded_since_ns is None:
            self._bounded_since_ns = stamp_ns
        long_ns = self._settings.hidden_hold_s * 1e9
        if not self._has_odometry and stamp_ns - self._bounded_since_ns > long_ns:
            self._begin(xy, covariance, None)
        elif self._is_ahead:
            self._filter.stay_before(self._settings.bumper_x_m)
