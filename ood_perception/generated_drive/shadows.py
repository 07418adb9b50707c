"""Shadows on the ground, and everything else that fills polygons of the ground."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .building_drawing import footprint
from .camera import CameraSetup
from .clipping import cut_before
from .light import Light
from .mesh import Mesh
from .mesh_drawing import shadow_outline
from .world import Tree, World

_SUBPIXEL_BITS = 4
_NEAR_M = 0.8
_FAR_M = 80.0
_CONTACT = 110


def fill_ground(
    target: NDArray[Any],
    first_row: int,
    camera: CameraSetup,
    outline: NDArray[np.float64],
    value: int,
) -> None:
    """Fill a polygon of (k, 2) ground (x, y) in a uint8 image of the rows from first_row on."""
    outline = cut_before(outline, axis=0, least=_NEAR_M)
    if len(outline) < 3:
        return
    pixels, _ = camera.project(np.column_stack([outline, np.zeros(len(outline))]))
    pixels[:, 1] -= first_row
    if pixels[:, 0].max() < 0 or pixels[:, 0].min() > target.shape[1]:
        return
    corners = np.rint(np.clip(pixels, -30000, 30000) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillPoly(target, [corners], value, cv2.LINE_AA, _SUBPIXEL_BITS)


def ground_shadow(
    world: World,
    camera: CameraSetup,
    meshes: Sequence[Mesh],
    ego_s: float,
    first_row: int,
    shape: tuple[int, int],
) -> NDArray[Any]:
    """(h, W) uint8: 0 lit, 255 full shadow, on the rows from first_row on."""
    light = world.light
    yaw = ego_s * world.line.curvature_per_m
    shadow = np.zeros(shape, np.uint8)
    cast = int(255 * min(light.shadow * 1.7, 0.95))
    if cast > 5:
        for building in world.buildings:
            if -60 < building.s - ego_s < _FAR_M:
                base = footprint(world, building, ego_s)
                outline = _prism_shadow(base, building.height_m, light, yaw)
                fill_ground(shadow, first_row, camera, outline, cast)
        for tree in world.trees:
            if -15 < tree.s - ego_s < _FAR_M:
                outline = _crown_shadow(world, tree, ego_s, yaw)
                fill_ground(shadow, first_row, camera, outline, cast)
    for mesh in meshes:
        if mesh.vertices[0, 0] < _FAR_M:
            outline = shadow_outline(mesh, light, yaw)
            fill_ground(shadow, first_row, camera, outline, max(cast, _CONTACT))
    return cv2.blur(shadow, (5, 3))


def _prism_shadow(
    base: NDArray[np.float64], height_m: float, light: Light, yaw: float
) -> NDArray[np.float64]:
    """(k, 2) convex outline of the shadow of an upright prism on (n, 3) base points."""
    sun = light.sun_from(yaw)
    reach = min(height_m / max(sun[2], 0.05), 25.0)
    both = np.concatenate([base[:, :2], base[:, :2] - reach * sun[:2]])
    return cv2.convexHull(both.astype(np.float32)).reshape(-1, 2).astype(np.float64)


def _crown_shadow(world: World, tree: Tree, ego_s: float, yaw: float) -> NDArray[np.float64]:
    """(k, 2) ragged outline of the shadow of a tree's crown."""
    x, y, _ = world.line.to_ground(tree.s, tree.d, ego_s)
    sun = world.light.sun_from(yaw)
    reach = min(0.6 * tree.height_m / max(sun[2], 0.05), 18.0)
    angles = np.arange(22) * (2 * np.pi / 22)
    phase = tree.s % 6.28
    ripple = 0.85 + 0.2 * np.sin(5 * angles + phase) + 0.15 * np.sin(9 * angles + 2 * phase)
    ring = 0.5 * tree.width_m * ripple[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
    return np.asarray(ring + np.array([x, y]) - reach * sun[:2], np.float64)
