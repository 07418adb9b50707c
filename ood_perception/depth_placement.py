"""Where an obstacle stands by measured distances in the camera's view, instead of a flat ground.

The distances come as a depth image of the same camera (registered to it, of any size with the same
aspect) or as points of another sensor in the camera's optical frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ood_perception.camera import CameraModel, Mounting
from ood_perception.detection import Component
from ood_perception.errors import OodError
from ood_perception.filled_outline import FilledOutline
from ood_perception.ground_plane import GroundPlaneSettings, Placement, RangeSource
from ood_perception.ground_projection import left_of, unit_xy


class DepthError(OodError):
    """Measured distances that cannot belong to the image."""


@dataclass(frozen=True)
class DepthSettings:
    """min_points: fewer measured points on an obstacle do not place it.
    ground_clearance_m: points lower than this above the ground are the ground's.
    near_share: the place is the distance that this share of the points lies nearer than; stray
        points before the obstacle do not decide.
    depth_stddev_m, depth_stddev_share: standard deviation of one measured distance, constant and
        as a share of it; both add as independent errors.
    min_covered_share: of an outline (``FilledOutline``); where less of it was measured, the
        obstacle itself gave no distance (black, wet, a hole of stereo) and what was measured is
        seen past it.
    max_fall_share: how much lower than the plane the ground may lie where an obstacle stands, as a
        share of its distance. What is farther than that explains stands behind the obstacle.
    """

    min_points: int = 4
    ground_clearance_m: float = 0.05
    near_share: float = 0.1
    depth_stddev_m: float = 0.05
    depth_stddev_share: float = 0.01
    min_covered_share: float = 0.25
    max_fall_share: float = 0.03


@dataclass(frozen=True, eq=False)
class DepthView:
    """Measured points in the camera's view.

    points: (n, 3) float64 metres in the optical frame (x right, y down, z forward).
    pixels: (n, 2) float64, where each lies in the image.
    stamp_ns: when they were measured.
    sample_area_px: square pixels of the image that each stands for, where they are those of a grid
        without its holes; None for points that lie anyhow.
    """

    points: NDArray[np.float64]
    pixels: NDArray[np.float64]
    stamp_ns: int
    settings: DepthSettings = DepthSettings()
    sample_area_px: float | None = None


DepthAt = Callable[[CameraModel, Mounting], DepthView]
"""Gives the view of one image, whose camera and mounting it is told; may raise DepthError."""


def view_of_points(
    points: NDArray[np.floating],
    camera: CameraModel,
    stamp_ns: int,
    settings: DepthSettings | None = None,
) -> DepthView:
    """Points of any sensor as the camera would see them.

    points: (n, 3) metres in the camera's optical frame; not finite ones and those outside the
    image are left out. Raises DepthError for another shape.
    """
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3:
        raise DepthError(f"depth points: shape {points.shape}; give (n, 3) in the optical frame")
    points = points[np.isfinite(points).all(axis=1) & (points[:, 2] > 0)]
    pixels = camera.project(points)
    # A strong distortion folds what lies far outside back into the image.
    rays = points / np.maximum(points[:, 2:], 1e-9)
    inside = (pixels >= -0.5).all(axis=1) & (
        pixels < [camera.width - 0.5, camera.height - 0.5]
    ).all(axis=1)
    points, pixels, rays = points[inside], pixels[inside], rays[inside]
    honest = np.abs(camera.rays(pixels) - rays).max(axis=1, initial=0) < 1e-2
    return DepthView(points[honest], pixels[honest], stamp_ns, settings or DepthSettings())


def view_of_depth_image(
    depth_m: NDArray[np.floating],
    camera: CameraModel,
    stamp_ns: int,
    settings: DepthSettings | None = None,
    step_px: int = 1,
) -> DepthView:
    """A depth image that is registered to the camera's image.

    depth_m: (h, w) metres along the optical axis, as in ROS (REP 118); zero, negative and not
    finite values are holes. It may be smaller or larger than the image, with the same aspect.
    camera: of the image. step_px: only every so many-th row and column is used.
    Raises DepthError for another shape or aspect.
    """
    depth = np.asarray(depth_m)
    if depth.ndim != 2 or 0 in depth.shape:
        raise DepthError(f"depth image: shape {depth.shape}; give (height, width) in metres")
    height, width = depth.shape
    scale = np.array([camera.width / width, camera.height / height])
    if abs(scale[0] / scale[1] - 1) > 0.02:
        raise DepthError(
            f"depth image of {width}x{height} has another aspect than the camera's "
            f"{camera.width}x{camera.height}; register it to the camera image"
        )
    rows, columns = np.mgrid[0:height:step_px, 0:width:step_px]
    values = depth[rows, columns].ravel().astype(np.float64)
    good = np.isfinite(values) & (values > 0)
    pixels = (np.column_stack([columns.ravel(), rows.ravel()])[good] + 0.5) * scale - 0.5
    rays = camera.rays(pixels)
    seen = np.isfinite(rays).all(axis=1)
    points = rays[seen] * values[good][seen, None]
    area_px = float(np.prod(scale)) * step_px**2
    return DepthView(points, pixels[seen], stamp_ns, settings or DepthSettings(), area_px)


def place_by_depth(
    component: Component,
    camera: CameraModel,
    mounting: Mounting,
    settings: GroundPlaneSettings,
    depth: DepthView,
    by_plane: Placement | None,
) -> Placement | None:
    """The place of one obstacle by the measured points on it, or None where they do not tell it.

    Points on it are those inside its outline that stand out of the ground. Its nearest point is
    projected straight down on z = 0. None where there are too few or they cover too little of it
    (``DepthSettings``), where they lie far behind the place where its foot meets the plane, and
    beyond ``GroundPlaneSettings.max_range_m``. by_plane: what ``place`` says of the component.
    """
    rules = depth.settings
    points = _points_on(component, depth, camera, mounting)
    if points is None:
        return None
    base = mounting.translation[:2]
    distances = np.linalg.norm(points[:, :2] - base, axis=1)
    near = float(np.quantile(distances, rules.near_share))
    if by_plane is not None and near > _farthest_m(by_plane, mounting, rules.max_fall_share):
        return None
    # What is much farther is seen past the obstacle's edge.
    front = points[np.abs(distances - near) <= max(0.5, 0.05 * near)]
    sight = unit_xy(front[:, :2].mean(axis=0) - base)
    left_normal = left_of(sight)
    lateral = (front[:, :2] - base) @ left_normal
    left, right = (
        base + near * sight + end * left_normal for end in (lateral.max(), lateral.min())
    )
    foot = (left + right) / 2
    distance = float(np.hypot(*foot))
    if not distance <= settings.max_range_m:
        return None
    noise = float(np.hypot(rules.depth_stddev_m, rules.depth_stddev_share * near))
    lateral_noise = float(np.hypot(rules.depth_stddev_m, near / camera.matrix[0, 0]))
    away = sight * settings.footprint_depth_m
    return Placement(
        position=np.array([foot[0], foot[1], 0.0]),
        distance_m=distance,
        distance_stddev_m=noise,
        lateral_stddev_m=lateral_noise,
        width_m=float(lateral.max() - lateral.min()),
        height_m=float(front[:, 2].max()),
        footprint=np.array([left, right, right + away, left + away]),
        truncated=by_plane is not None and by_plane.truncated,
        distance_noise_m=noise,
        lateral_noise_m=lateral_noise,
        source=RangeSource.DEPTH,
    )


def _points_on(
    component: Component, depth: DepthView, camera: CameraModel, mounting: Mounting
) -> NDArray[np.float64] | None:
    """(k, 3) the measured points on a component, ground frame; None where they are too few."""
    rules = depth.settings
    outline = FilledOutline(component, camera.width, camera.height)
    chosen = outline.holds(depth.pixels)
    if len(chosen) < rules.min_points:
        return None
    points = depth.points[chosen] @ mounting.rotation.T + mounting.translation
    stands = points[:, 2] > rules.ground_clearance_m
    count = int(np.count_nonzero(stands))
    if count < rules.min_points:
        return None
    if depth.sample_area_px is None:
        share = outline.share_of_columns(depth.pixels[chosen[stands]])
    else:
        share = outline.share_of_area(count, len(points) - count, depth.sample_area_px)
    return points[stands] if share >= rules.min_covered_share else None


def _farthest_m(by_plane: Placement, mounting: Mounting, fall_share: float) -> float:
    """How far from the camera an obstacle may be that the plane places there, along the ground.

    The ray through its foot sinks by the camera's height up to the plane's place and goes on
    sinking: at the distance d it is fall_share * d below the plane.
    """
    base = mounting.translation[:2]
    plane_m = float(np.linalg.norm(by_plane.position[:2] - base)) + 2 * by_plane.distance_stddev_m
    inverse = 1 / plane_m - fall_share / float(mounting.translation[2])
    return 1 / inverse if inverse > 0 else float("inf")
