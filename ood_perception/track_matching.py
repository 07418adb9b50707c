"""Which observation of this frame is which known obstacle: greedily, the best pair first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isnan, log

import numpy as np
from numpy.typing import NDArray

from ood_perception.detection import Component, Region
from ood_perception.ground_plane import Placement
from ood_perception.ground_projection import left_of, unit_xy

_CONTRADICTED = 0.3  # what an overlap in the image counts against the evidence of the ground
_LEAST_DOUBT = 1e-3  # no classifier is surer than this of one image


@dataclass(frozen=True, eq=False)
class Observation:
    """One sight of something that may be an obstacle.

    region: in image pixels. ground_xy: (2,) float64 metres in the ground frame, or None.
    ground_covariance: (2, 2) float64 of it, only what changes from image to image, or None.
    truncated: the image ends before its foot, so that it reaches nearer than ground_xy.
    evidence: log-odds that it is real, above the decision to keep it; infinite where unknown.
    """

    region: Region
    ground_xy: NDArray[np.float64] | None = None
    ground_covariance: NDArray[np.float64] | None = None
    truncated: bool = False
    evidence: float = inf


def evidence_of(component: Component, kept_from: float) -> float:
    """Log-odds of a component being real above those at which it is kept.

    kept_from: obstacle probability in (0, 1) from which on components are kept. Infinite for a
    component whose probability is not known.
    """
    if isnan(component.obstacle_probability):
        return inf
    return _log_odds(component.obstacle_probability) - _log_odds(kept_from)


def most_evidence(kept_from: float) -> float:
    """What ``evidence_of`` says of the surest component."""
    return _log_odds(1.0) - _log_odds(kept_from)


def _log_odds(probability: float) -> float:
    inside = min(max(probability, _LEAST_DOUBT), 1 - _LEAST_DOUBT)
    return log(inside / (1 - inside))


def observation_of(
    component: Component, placement: Placement | None, evidence: float = inf
) -> Observation:
    """A component as the tracker sees it."""
    if placement is None:
        return Observation(component.region, evidence=evidence)
    xy = placement.position[:2]
    along = unit_xy(xy)
    axes = np.array([along, left_of(along)])
    noise = np.diag([placement.distance_noise_m**2, placement.lateral_noise_m**2])
    return Observation(component.region, xy, axes.T @ noise @ axes, placement.truncated, evidence)


@dataclass(frozen=True)
class MatchingSettings:
    """min_iou: intersection over union of the regions (each padded) that makes them one.
    padding_px: added on every side of a region, so that small, far obstacles still overlap.
    """

    min_iou: float
    padding_px: int


def best_pairs(affinity: NDArray[np.float64]) -> dict[int, int]:
    """Row of each matched column; best pair first, each used once, none of affinity 0.

    affinity: (rows, columns) float64, at least 0.
    """
    rows, columns = np.nonzero(affinity > 0)
    order = np.argsort(-affinity[rows, columns], kind="stable")
    taken: set[int] = set()
    matched: dict[int, int] = {}
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if row not in taken and column not in matched:
            taken.add(row)
            matched[column] = row
    return matched


def affinity(
    before: Sequence[Observation],
    reach_m: NDArray[np.float64],
    now: Sequence[Observation],
    settings: MatchingSettings,
) -> NDArray[np.float64]:
    """(before, now) float64, 0 where a pair cannot be one obstacle, up to 2.

    before: where each known obstacle was last in the image, and is expected on the ground by now.
    reach_m: (before,) float64, how far from there it may be.
    """
    if not before or not now:
        return np.zeros((len(before), len(now)))
    iou = _iou(_boxes(before, settings.padding_px), _boxes(now, settings.padding_px))
    overlap = np.where(iou >= settings.min_iou, iou, 0.0)
    step = _ground(before)[:, None] - _ground(now)[None]
    step_m = np.hypot(step[..., 0], step[..., 1])
    # NaN, where a place is missing, neither supports nor contradicts.
    near = np.fmin(np.fmax(1 - step_m / reach_m[:, None], 0.0), 1.0)
    return np.where(step_m > reach_m[:, None], _CONTRADICTED * overlap, overlap) + near


def _boxes(observations: Sequence[Observation], padding_px: int) -> NDArray[np.float64]:
    """(n, 4) float64 left, top, right, bottom of the padded regions."""
    regions = np.array([o.region for o in observations], dtype=np.float64)
    corners = np.concatenate([regions[:, :2], regions[:, :2] + regions[:, 2:]], axis=1)
    return corners + np.array([-padding_px, -padding_px, padding_px, padding_px])


def _ground(observations: Sequence[Observation]) -> NDArray[np.float64]:
    """(n, 2) float64 ground positions, NaN where there is none."""
    nowhere = np.full(2, np.nan)
    return np.array([nowhere if o.ground_xy is None else o.ground_xy for o in observations])


def _area(sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(...) of (..., 2) widths and heights."""
    return np.asarray(sizes[..., 0] * sizes[..., 1])


def _iou(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, m) intersection over union of boxes (n, 4) and (m, 4)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = _area(np.maximum(high - low, 0.0))
    area_first, area_second = (
        _area(first[:, 2:] - first[:, :2]),
        _area(second[:, 2:] - second[:, :2]),
    )
    union = area_first[:, None] + area_second[None] - common
    return np.asarray(common / np.maximum(union, 1e-9))
