"""Obstacles as the point cloud that emergency-braking planners accept.

Autoware's autonomous emergency braking merges the cloud in columns of 0.05 x 0.05 m (0.1 x 0.1 m
in its variant on the GPU), takes groups of at least 10 columns less than 0.15 m apart, asks for a
point above 0.1 m and ignores what lies below the ground; Nav2's collision monitor counts points
between 0.05 m and 0.5 m of height. A flat footprint, or a narrow one, is invisible to both. So each
obstacle becomes a block of columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from ood_perception.ground_plane import Placement
from ood_perception.scene import Obstacle


@dataclass(frozen=True)
class PointsSettings:
    """spacing_m: largest distance of neighbouring columns.
    min_width_m: narrower footprints are padded to this, sideways about their middle.
    min_depth_m: shallower ones are padded to this, away from the vehicle, so that the nearest edge
        stays where it was seen.
    heights_m: heights of the points in each column; their mean must lie above 0.1 m.
    """

    spacing_m: float = 0.05
    min_width_m: float = 0.25
    min_depth_m: float = 0.45
    heights_m: tuple[float, ...] = (0.06, 0.16, 0.28, 0.4)


def obstacle_points(
    obstacles: Iterable[Obstacle], settings: PointsSettings | None = None
) -> NDArray[np.float32]:
    """The points of all obstacles that a planner must heed.

    Takes the confirmed, relevant, placed ones of a scene's kept obstacles. Whether the cloud may be
    published at all is ``Scene.has_valid_geometry``: an obstacle without a place is not in it.
    Returns (n, 3) float32 metres in the ground frame (x forward, y left, z up), n = 0 for none.
    """
    settings = settings or PointsSettings()
    blocks = [placement_points(spot, settings) for _, spot in for_planners(obstacles)]
    return np.concatenate([np.empty((0, 3), dtype=np.float32), *blocks])


def for_planners(obstacles: Iterable[Obstacle]) -> Iterator[tuple[Obstacle, Placement]]:
    """The obstacles that a planner must heed, and where they stand: kept, confirmed, relevant and
    placed. Every output that a vehicle may act upon holds these and no others."""
    for obstacle in obstacles:
        decided = obstacle.component.kept and obstacle.confirmed and obstacle.relevant
        if decided and obstacle.placement is not None:
            yield obstacle, obstacle.placement


def placement_points(
    placement: Placement, settings: PointsSettings | None = None
) -> NDArray[np.float32]:
    """(n, 3) float32 points of one obstacle: its footprint as a grid, raised to columns."""
    settings = settings or PointsSettings()
    near_left, near_right, _, far_left = placement.footprint
    across, width = _direction(near_left - near_right, np.array([0.0, 1.0]))
    away, depth = _direction(far_left - near_left, np.array([across[1], -across[0]]))
    middle = (near_left + near_right) / 2
    width, depth = max(width, settings.min_width_m), max(depth, settings.min_depth_m)
    sideways = _steps(-width / 2, width / 2, settings.spacing_m)
    deep = _steps(0.0, depth, settings.spacing_m)
    heights = np.array(settings.heights_m)
    side, into, up = np.meshgrid(sideways, deep, heights, indexing="ij")
    plane = middle + side[..., None] * across + into[..., None] * away
    return np.concatenate([plane, up[..., None]], axis=-1).reshape(-1, 3).astype(np.float32)


def _steps(start: float, end: float, spacing: float) -> NDArray[np.float64]:
    """Both ends and what lies between, at most ``spacing`` apart."""
    return np.linspace(start, end, ceil((end - start) / spacing - 1e-6) + 1)


def _direction(
    vector: NDArray[np.float64], otherwise: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Unit vector and length; ``otherwise`` for a vector without length."""
    length = float(np.linalg.norm(vector))
    return (vector / length, length) if length > 1e-9 else (otherwise, 0.0)
