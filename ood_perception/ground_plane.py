"""Pixels to metres on a flat road: the ray through an obstacle's foot meets the plane z = 0.

A range from one camera is only as good as its pitch, height and pixels: at range Z, camera height
h and focal length f it errs by about Z²/(h f) a pixel, Z²/h a radian of pitch and Z/h a metre of
height. Every place is published with the standard deviation that follows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from math import ceil, hypot, radians, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ood_perception.camera import CameraModel, Mounting
from ood_perception.detection import Component
from ood_perception.ground_projection import ground_points, ground_spread, left_of, unit_xy

# Component.lower_edge counts from the image's corner, where the top left pixel covers
# [0, 1) x [0, 1); camera models count from that pixel's centre.
_CENTRE_FROM_CORNER_PX = -0.5


@dataclass(frozen=True)
class GroundPlaneSettings:
    """How the foot of an obstacle is found and how well.

    contact_stddev_px: standard deviation of a component's lower edge in image pixels.
    contact_stddev_cells: the same in cells of the grid on which components are found; both add
        as independent errors, together with the rounding to whole cells. The pipeline takes it from
        the model's manifest.
    contact_sharp_cells, contact_softness_gain: every cell of softness of the lower edge beyond the
        first number adds so many cells, as an independent error; from the manifest too.
    contact_offset_px: how far components reach below the obstacle's true foot (a segmentation's
        halo), image pixels; measured at calibration, taken off before the range is computed.
    contact_share, contact_columns: the foot is the nearest depth that this share of the
        component's columns, and at least so many columns, reach; stray pixels do not decide.
    max_range_m: obstacles farther away have no place.
    horizon_margin_deg: what stands so far above the horizon stands on no road that leads there.
    truncation_margin_px: a component that ends this close to the image's lower edge (or half a
        cell of the grid, where that is more) is truncated.
    footprint_depth_m: assumed depth of an obstacle; one camera sees only its front.
    """

    contact_stddev_px: float = 0.7
    contact_stddev_cells: float = 0.3
    contact_sharp_cells: float = 0.0
    contact_softness_gain: float = 0.0
    contact_offset_px: float = 0.0
    contact_share: float = 0.05
    contact_columns: int = 2
    max_range_m: float = 80.0
    horizon_margin_deg: float = 90.0
    truncation_margin_px: float = 1.0
    footprint_depth_m: float = 0.3


class RangeSource(IntEnum):
    """How a distance was found; numbers as in ObstacleComponent.msg."""

    GROUND_PLANE = 1
    DEPTH = 2


@dataclass(frozen=True, eq=False)
class Placement:
    """Where an obstacle stands, in the ground frame (x forward, y left, z up; metres).

    position: (3,) float64, its nearest contact point with the ground, z = 0.
    distance_m: from the ground frame's origin to the position. Equal to the distance from the
        camera's foot point when the camera is mounted at x = y = 0.
    distance_stddev_m: its standard deviation; lateral_stddev_m: across the line of sight.
    width_m: extent across the line of sight at the contact point.
    height_m: of the visible front, taken as upright above the contact point.
    footprint: (4, 2) float64 (x, y): near left, near right, far right, far left. The near edge is
        seen, the depth is ``GroundPlaneSettings.footprint_depth_m``.
    truncated: the component touches the image's lower edge. The position is then the nearest
        VISIBLE point: the obstacle may reach nearer than that, and the standard deviation does not
        tell by how much.
    distance_noise_m, lateral_noise_m: the part of the standard deviations that changes from image
        to image, which smoothing over time takes down.
    source: how the distance was found.
    """

    position: NDArray[np.float64]
    distance_m: float
    distance_stddev_m: float
    lateral_stddev_m: float
    width_m: float
    height_m: float
    footprint: NDArray[np.float64]
    truncated: bool
    distance_noise_m: float = 0.5
    lateral_noise_m: float = 0.5
    source: RangeSource = RangeSource.GROUND_PLANE


def place(
    component: Component,
    camera: CameraModel,
    mounting: Mounting,
    settings: GroundPlaneSettings | None = None,
    grid_cell_px: float = 1.0,
    lowest_rows: NDArray[np.float64] | None = None,
) -> Placement | None:
    """The place of one obstacle on the ground plane, or None where it has none.

    camera: of the image in which the component was found. grid_cell_px: image pixels per cell of
    the grid on which it was found (rounding error of its lower edge). lowest_rows: (W,) float64,
    the row of each image column from which on down the own vehicle is seen; None for none.
    None: its foot is at or above the horizon, farther than ``max_range_m``, or outside of what the
    lens model can invert. Whether it is merely too far is answered by ``is_beyond_range``.
    """
    settings = settings or GroundPlaneSettings()
    component, truncated = _cut_at_what_is_seen(
        component, camera, max(settings.truncation_margin_px, grid_cell_px / 2), lowest_rows
    )
    found = contact_point(component, camera, mounting, settings)
    if found is None:
        return None
    contact = found.point
    blur_cells = max(found.softness_cells - settings.contact_sharp_cells, 0.0)
    pixel_stddev_px = hypot(
        settings.contact_stddev_px,
        settings.contact_stddev_cells * grid_cell_px,
        settings.contact_softness_gain * blur_cells * grid_cell_px,
        grid_cell_px / sqrt(12),  # of rounding to whole cells
    )
    spread = ground_spread(contact, pixel_stddev_px, camera, mounting)
    if spread is None:
        return None
    foot, distance = spread.point, hypot(*spread.point)
    if not distance <= settings.max_range_m:
        return None
    left, right = _near_edge(component, contact, foot, camera, mounting, settings.max_range_m)
    away = unit_xy(foot - mounting.translation[:2])
    depth = away * settings.footprint_depth_m
    return Placement(
        position=np.array([foot[0], foot[1], 0.0]),
        distance_m=distance,
        distance_stddev_m=spread.along_m,
        lateral_stddev_m=spread.across_m,
        width_m=float(np.linalg.norm(left - right)),
        height_m=_height_m(component, contact, foot, camera, mounting),
        footprint=np.array([left, right, right + depth, left + depth]),
        truncated=truncated,
        distance_noise_m=spread.along_noise_m,
        lateral_noise_m=spread.across_noise_m,
    )


def is_beyond_range(
    component: Component, camera: CameraModel, mounting: Mounting, settings: GroundPlaneSettings
) -> bool:
    """Whether a component without a place is known to be farther than ``max_range_m``.

    True when its foot lies beyond that range but no higher above the horizon than two standard
    deviations of the pitch explain. A foot clearly above the horizon is no such case: the road
    rises, or the foot is hidden, and the obstacle may be near.
    """
    found = contact_point(component, camera, mounting, settings)
    if found is None:
        return False
    contact = found.point
    nodded = mounting.moved(pitch_rad=2 * mounting.pitch_stddev_rad)
    if not np.isfinite(ground_points(contact[None], camera, nodded)).all():
        return False
    distance = np.hypot(*ground_points(contact[None], camera, mounting)[0])
    return bool(np.isnan(distance) or distance > settings.max_range_m)


def is_above_horizon(
    component: Component, camera: CameraModel, mounting: Mounting, settings: GroundPlaneSettings
) -> bool:
    """Whether a component's foot is higher above the horizon than any road of
    ``GroundPlaneSettings.horizon_margin_deg`` can carry it: a sign, a bridge, a treetop."""
    limit_deg = settings.horizon_margin_deg
    found = None if limit_deg >= 90 else contact_point(component, camera, mounting, settings)
    if found is None:
        return False
    ray = mounting.rotation @ camera.rays(found.point[None])[0]
    rise_rad = np.arctan2(ray[2], np.hypot(ray[0], ray[1]))
    return bool(rise_rad > radians(limit_deg))


class Contact(NamedTuple):
    """Where a component meets the ground.

    point: (2,) float64 pixel (x, y), centres on whole numbers.
    softness_cells: of the lower edge there (``edge_softness``); 0 where it was not measured.
    """

    point: NDArray[np.float64]
    softness_cells: float


def contact_point(
    component: Component, camera: CameraModel, mounting: Mounting, settings: GroundPlaneSettings
) -> Contact | None:
    """Where a component meets the ground, as a pixel.

    Every column's lower border is a candidate. The contact lies at the depression below the
    horizon that ``contact_share`` of the columns (at least ``contact_columns``, at most all) reach,
    in the middle of the columns that reach it. None without any column that the lens can see.
    """
    edge = np.asarray(component.lower_edge, dtype=np.float64).reshape(-1, 2)
    candidates = edge + _CENTRE_FROM_CORNER_PX - [0.0, settings.contact_offset_px]
    rays = camera.rays(candidates) @ mounting.rotation.T
    forward = unit_xy(mounting.rotation[:2, 2])
    # Depression below the horizon along the viewing direction: grows as the ground comes nearer,
    # and is the same for all points of an edge that faces the camera.
    depression = np.arctan2(-rays[:, 2], rays[:, :2] @ forward)
    seen = np.isfinite(depression)
    softness = component.lower_edge_softness
    softness = softness[seen] if len(softness) == len(seen) else np.zeros(seen.sum())
    candidates, depression = candidates[seen], depression[seen]
    count = len(depression)
    if not count:
        return None
    rank = min(count, max(settings.contact_columns, ceil(settings.contact_share * count)))
    reached = np.partition(depression, count - rank)[count - rank]
    half_pixel_rad = 0.5 / camera.matrix[1, 1]
    chosen = np.abs(depression - reached) <= half_pixel_rad
    return Contact(_median(candidates[chosen]), float(_median(softness[chosen])))


def _median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of (k, ...) along the first axis, k > 0; several times as fast as NumPy's for a few."""
    ordered = np.sort(values, axis=0)
    return np.asarray(ordered[(len(values) - 1) // 2] + ordered[len(values) // 2]) / 2


def _cut_at_what_is_seen(
    component: Component,
    camera: CameraModel,
    margin_px: float,
    lowest_rows: NDArray[np.float64] | None,
) -> tuple[Component, bool]:
    """The component without what the own vehicle covers, and whether it goes on below that."""
    edge = component.lower_edge
    if not len(edge):
        return component, False
    if lowest_rows is None:
        return component, bool(edge[:, 1].max() >= camera.height - margin_px)
    columns = np.clip(edge[:, 0].astype(int), 0, len(lowest_rows) - 1)
    lowest = lowest_rows[columns]
    cut = np.column_stack([edge[:, 0], np.minimum(edge[:, 1], lowest)])
    return replace(component, lower_edge=cut), bool((edge[:, 1] >= lowest - margin_px).any())


def _near_edge(
    component: Component,
    contact: NDArray[np.float64],
    foot: NDArray[np.float64],
    camera: CameraModel,
    mounting: Mounting,
    most_m: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Left and right end of an obstacle's front: across the line of sight, through its foot.

    most_m: how far from the foot an end may be; in a wide view it can be without bound.
    """
    x, _, width, _ = component.region
    ends_px = np.array([[x, contact[1]], [x + width, contact[1]]])
    ends_px[:, 0] += _CENTRE_FROM_CORNER_PX
    directions = camera.rays(ends_px) @ mounting.rotation.T
    base = mounting.translation[:2]
    sight = unit_xy(foot - base)
    left_normal = left_of(sight)
    # Meet the upright plane through the foot that faces the camera.
    with np.errstate(divide="ignore", invalid="ignore"):
        aside = directions[:, :2] @ left_normal
        reach = ((foot - base) @ sight) / (directions[:, :2] @ sight)
        # A ray square to the line of sight, or beyond, meets the plane nowhere: it has no end.
        lateral = np.where(reach > 0, reach * aside, np.sign(aside) * most_m).clip(-most_m, most_m)
    lateral = np.where(np.isfinite(lateral), lateral, 0.0)
    return foot + lateral.max() * left_normal, foot + lateral.min() * left_normal


def _height_m(
    component: Component,
    contact: NDArray[np.float64],
    foot: NDArray[np.float64],
    camera: CameraModel,
    mounting: Mounting,
) -> float:
    """Height at which the ray through the component's top meets the upright plane at its foot."""
    top_px = np.array([[contact[0], component.region.y + _CENTRE_FROM_CORNER_PX]])
    direction = (camera.rays(top_px) @ mounting.rotation.T)[0]
    base = mounting.translation[:2]
    sight = unit_xy(foot - base)
    forward = direction[:2] @ sight
    if not forward > 0:
        return 0.0
    reach = ((foot - base) @ sight) / forward
    return max(0.0, float(mounting.translation[2] + reach * direction[2]))
