"""Does an obstacle matter for driving: does it stand on or beside the drivable area?

An obstacle that does not is still reported; only the planner outputs leave it out.
"""

from __future__ import annotations

from dataclasses import dataclass

from ood_perception.detection import Component
from ood_perception.ground_plane import Placement


@dataclass(frozen=True)
class RelevanceSettings:
    """min_road_border_share: an obstacle is on or beside the road when at least this share of the
        pixels around it is labelled as road. An obstacle leaves a hole in the road, so that its
        surroundings, not its own pixels, are asked.
    min_road_foot_share: or when below at least this share of its lower edge road is found, past the
        rim of that hole (``road_before_foot``).
    corridor_half_width_m: where given, a placed obstacle must also reach into this corridor around
        the vehicle's x axis; None for no corridor.
    """

    min_road_border_share: float = 0.15
    min_road_foot_share: float = 0.8
    corridor_half_width_m: float | None = None


def is_relevant(
    component: Component,
    placement: Placement | None,
    settings: RelevanceSettings | None = None,
    road_foot_share: float = 0.0,
) -> bool:
    """Whether the obstacle stands on or beside the drivable area, as far as can be known.

    road_foot_share: of ``road_before_foot_share``.

    An obstacle without a place is not judged by the corridor: it counts as inside.
    """
    settings = settings or RelevanceSettings()
    if (
        component.road_border_share < settings.min_road_border_share
        and road_foot_share < settings.min_road_foot_share
    ):
        return False
    if settings.corridor_half_width_m is None or placement is None:
        return True
    left_m, right_m = placement.footprint[:, 1].max(), placement.footprint[:, 1].min()
    margin_m = settings.corridor_half_width_m + placement.lateral_stddev_m
    return bool(right_m <= margin_m and left_m >= -margin_m)
