"""Drawing houses and hedges: walls, shop windows, roofs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .camera import CameraSetup
from .canvas import Canvas
from .classes import ClassId
from .mesh import cross
from .textured_quad import SQUARE, Texture, draw_quad
from .wall_textures import STOREY_M, facade, hedge, roof, shopfront
from .world import Building, World

_ROOF_SLOPE = 0.56
_NIGHT_GLOW = 0.55
_SHOPS_M = 90.0


def footprint(world: World, building: Building, ego_s: float) -> NDArray[np.float64]:
    """(4, 3) ground corners: near and far end of the road side, far and near end of the back."""
    near, far = building.s, building.s + building.length_m
    back = building.d + np.copysign(building.depth_m, building.d)
    places = np.array([[near, building.d], [far, building.d], [far, back], [near, back]])
    return np.column_stack([world.line.outline_to_ground(places, ego_s), np.zeros(4)])


def draw_building(
    canvas: Canvas, camera: CameraSetup, world: World, building: Building, ego_s: float
) -> None:
    """Draw what the camera sees of a house: the wall to the road, the near gable, the roof."""
    near, far, _, near_back = footprint(world, building, ego_s)
    if far[0] < 0.5:
        return
    painter = _WallPainter(canvas, camera, world, building, ego_s)
    storeys = np.array([0.0, 0.0, building.height_m])
    side, gable = far - near, near_back - near
    if building.is_hedge:
        texture = hedge(building.facade)
        painter.draw(near, gable, storeys, texture)
        painter.draw(near, side, storeys, texture)
        return
    night = world.light.kind == "night"
    wall = facade(building.facade, night)
    outline = SQUARE
    if building.roof is not None:
        rise = np.array([0.0, 0.0, _ROOF_SLOPE * building.depth_m / 2])
        painter.draw(near + storeys, side, gable / 2 + rise, roof(building.roof))
        ridge = 1 + rise[2] / building.height_m
        outline = np.array([[0, 0], [1, 0], [1, 1], [0.5, ridge], [0, 1]])
    walls = [side] if building.gable_hidden else [gable, side]
    for along in walls:
        painter.draw(near, along, storeys, wall, outline if along is gable else SQUARE)
        if building.shop is not None and near[0] < _SHOPS_M:
            ground_floor = np.array([0.0, 0.0, 1.1 * STOREY_M])
            painter.draw(near, along, ground_floor, shopfront(building.shop, night))


class _WallPainter:
    def __init__(
        self, canvas: Canvas, camera: CameraSetup, world: World, building: Building, ego_s: float
    ) -> None:
        self._canvas, self._camera, self._light = canvas, camera, world.light
        self._building = building
        self._yaw = ego_s * world.line.curvature_per_m

    def draw(
        self,
        corner: NDArray[np.float64],
        along: NDArray[np.float64],
        up: NDArray[np.float64],
        texture: Texture,
        outline: NDArray[np.float64] = SQUARE,
    ) -> None:
        light, building = self._light, self._building
        normal = cross(along, up)
        normal = normal / (np.linalg.norm(normal) + 1e-9)
        middle = corner + along / 2
        distance = float(np.hypot(middle[0], middle[1]))
        if normal @ (np.array([0.0, 0.0, self._camera.height_m]) - middle) < 0:
            normal = -normal
        gain = light.shade(normal[None], self._yaw, light.headlight_at(distance))[0]
        if light.kind == "night" and not building.is_hedge:
            gain = gain + _NIGHT_GLOW
        draw_quad(
            self._canvas,
            self._camera,
            corner,
            along,
            up,
            texture,
            gain * building.gain,
            light.haze_share(distance),
            light.haze_color,
            ClassId.VEGETATION if building.is_hedge else ClassId.BUILDING,
            outline,
        )
