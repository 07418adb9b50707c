"""How well one obstacle is seen while the vehicle approaches it, from what was published alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_perception.generated_drive import ObjectTruth

NEAR_M = 20.0
BAND_M = (17.0, 23.0)  # "at 20 m"
SPEED_SPAN_S = 0.5
_ASIDE_M = 1.5


@dataclass(frozen=True)
class PublishedObstacle:
    """One component of an ``obstacles`` message.

    box: x, y, width, height in image pixels. distance_m, deviation_m: None without a place.
    """

    track_id: int
    box: tuple[float, float, float, float]
    confirmed: bool
    distance_m: float | None = None
    deviation_m: float | None = None
    truncated: bool = False


@dataclass(frozen=True)
class PublishedFrame:
    """What went out for one image. points: (n, 3) metres, None when no cloud was published.

    truth: of the obstacle, None once it is out of the image.
    """

    stamp_s: float
    truth: ObjectTruth | None
    obstacles: tuple[PublishedObstacle, ...]
    points: NDArray[np.float32] | None


@dataclass(frozen=True)
class Sight:
    """The frame's obstacle that lies on the true one, and the cloud's nearest point on it."""

    stamp_s: float
    truth: ObjectTruth
    obstacle: PublishedObstacle | None
    nearest_point_m: float | None

    @property
    def is_held(self) -> bool:
        """Whether a planner is told of it: confirmed, and in the cloud."""
        return self.obstacle is not None and self.obstacle.confirmed


def figures(frames: Sequence[PublishedFrame], speed_mps: float) -> dict[str, Any]:
    """Everything that is asked of an approach at constant speed to an obstacle at rest.

    Distances in metres, shares in [0, 1], errors relative to the truth. None where there is nothing
    to measure.
    """
    sights = _sights(frames)
    first = next((i for i, s in enumerate(sights) if s.is_held), None)
    later = [] if first is None else sights[first:]
    placed = [s for s in later if _is_placed(s)]
    near = [s for s in placed if _is_near(s)]
    errors = [_error_m(s) / s.truth.distance_m for s in near]
    in_deviations = [_error_m(s) / _deviation_m(s) for s in placed]
    speeds = _speeds(later)
    speed_errors = [v / speed_mps - 1 for s, v in speeds if _is_placed(s) and _is_near(s)]
    # Where the foot has left the image the nearest visible point stands still in the picture.
    leaving = [v / speed_mps - 1 for s, v in speeds if not _is_placed(s) and _is_near(s)]
    truth = sights[0].truth if sights else None
    return {
        "object": None if truth is None else truth.shape,
        "object_size_m": None if truth is None else (truth.width_m, truth.height_m),
        "frames_with_the_obstacle": len(sights),
        "confirmed_at_m": None if first is None else sights[first].truth.distance_m,
        "held_share": _mean([s.is_held for s in later]),
        "in_cloud_share": _mean([s.nearest_point_m is not None for s in later]),
        "clouds_withheld": sum(frame.points is None for frame in frames),
        "placed_near": len(near),
        "distance_error_near_median": _middle(np.abs(errors)),
        "distance_error_near_worst": _worst(errors),
        "within_two_deviations_share": _mean([abs(e) <= 2 for e in in_deviations]),
        "relative_deviation_at_20_m_median": _middle(
            [_deviation_m(s) / _distance_m(s) for s in placed if _is_within(s, BAND_M)]
        ),
        "speeds_near": len(speed_errors),
        "speed_error_near_median": _middle(np.abs(speed_errors)),
        "speed_error_near_worst": _worst(speed_errors),
        "speed_error_leaving_worst": _worst(leaving),
        "ids": len({s.obstacle.track_id for s in later if s.obstacle is not None}),
    }


def _sights(frames: Sequence[PublishedFrame]) -> list[Sight]:
    """Of every frame that shows the true obstacle."""
    sights: list[Sight] = []
    last_id = None
    for frame in frames:
        if frame.truth is None:
            continue
        sights.append(_sight(frame, frame.truth, last_id))
        found = sights[-1].obstacle
        last_id = last_id if found is None else found.track_id
    return sights


def _sight(frame: PublishedFrame, truth: ObjectTruth, last_id: int | None) -> Sight:
    """What a planner is told of the obstacle: of several that touch it the one that covers most.

    One that is held keeps the box of an earlier image and is known by its id.
    """
    mine = [o for o in frame.obstacles if _overlap(o.box, truth) > 0 or o.track_id == last_id]
    best = max(mine, key=lambda o: (o.confirmed, _overlap(o.box, truth)), default=None)
    return Sight(frame.stamp_s, truth, best, _nearest_point_m(frame.points, truth))


def _overlap(box: tuple[float, float, float, float], truth: ObjectTruth) -> float:
    x, y, width, height = box
    other = truth.box
    across = min(x + width, other.x + other.width) - max(x, other.x)
    down = min(y + height, other.y + other.height) - max(y, other.y)
    return max(0.0, across) * max(0.0, down)


def _nearest_point_m(points: NDArray[np.float32] | None, truth: ObjectTruth) -> float | None:
    """Ground distance of the nearest point that can belong to the obstacle, as planners see it."""
    if points is None or not len(points):
        return None
    x, y = truth.nearest_contact_m
    slack_m = max(3.0, 0.25 * truth.distance_m)
    aside = np.abs(points[:, 1] - y) <= truth.width_m / 2 + _ASIDE_M
    mine = points[aside & (np.abs(points[:, 0] - x) <= slack_m)]
    return float(np.hypot(mine[:, 0], mine[:, 1]).min()) if len(mine) else None


def _is_placed(sight: Sight) -> bool:
    """Whether its distance can be compared: its foot is in the image and it has a place."""
    seen = sight.obstacle is not None and sight.obstacle.distance_m is not None
    return seen and sight.truth.lower_edge_visible and not sight.obstacle.truncated


def _distance_m(sight: Sight) -> float:
    assert sight.obstacle is not None
    return float(sight.obstacle.distance_m or 0.0)


def _deviation_m(sight: Sight) -> float:
    assert sight.obstacle is not None
    return max(float(sight.obstacle.deviation_m or 0.0), 1e-9)


def _error_m(sight: Sight) -> float:
    return _distance_m(sight) - sight.truth.distance_m


def _is_near(sight: Sight) -> bool:
    return sight.truth.distance_m <= NEAR_M


def _is_within(sight: Sight, band_m: tuple[float, float]) -> bool:
    return band_m[0] <= sight.truth.distance_m <= band_m[1]


def _speeds(sights: Sequence[Sight]) -> list[tuple[Sight, float]]:
    """Approach speed from the published points' displacement over half a second, by later sight."""
    found = []
    for index, now in enumerate(sights):
        for before in reversed(sights[:index]):
            span_s = now.stamp_s - before.stamp_s
            if span_s < SPEED_SPAN_S - 1e-6:
                continue
            if now.nearest_point_m is not None and before.nearest_point_m is not None:
                found.append((now, (before.nearest_point_m - now.nearest_point_m) / span_s))
            break
    return found


def _mean(values: Sequence[bool]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _middle(values: Sequence[float] | NDArray[np.float64]) -> float | None:
    return float(np.median(values)) if len(values) else None


def _worst(values: Sequence[float]) -> float | None:
    return float(max(values, key=abs)) if len(values) else None
