"""One picture of a world: backdrop, ground, houses, then everything else from far to near."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .backdrop import Backdrop
from .building_drawing import draw_building
from .camera import CameraSetup
from .canvas import Canvas
from .ground import GroundGrid, paint_ground
from .mesh import Mesh
from .mesh_drawing import DrawnMesh, MeshBatch
from .shadows import fill_ground, ground_shadow
from .trees import draw_tree
from .world import Body, Tree, World

VIEW_M = 220.0
"""Nothing farther ahead than this is drawn, except the ground and the backdrop."""

_BEHIND_M = 12.0
_DETAILS_M = 70.0


@dataclass(frozen=True)
class PlacedObject:
    """An unknown object in one frame: its mesh in the ground frame and what was drawn of it."""

    body: Body
    mesh: Mesh
    drawn: DrawnMesh | None


class SceneDrawer:
    """Draws pictures of one world with one camera; keeps what is the same in all of them.

    turns: the vehicle moves, so that its heading may change.
    """

    def __init__(
        self, rng: np.random.Generator, world: World, camera: CameraSetup, *, turns: bool
    ) -> None:
        self._world = world
        self._camera = camera
        self._grid = GroundGrid(camera, world.line, world.surface)
        turns = turns and world.line.curvature_per_m != 0
        self._backdrop = Backdrop(rng, camera, world.light, world.profile, turns)

    def draw(self, ego_s: float, time_s: float) -> tuple[Canvas, list[PlacedObject]]:
        """The world from the ego vehicle's place at a time, and its unknown objects."""
        world, camera = self._world, self._camera
        canvas = Canvas(camera.height, camera.width)
        yaw = ego_s * world.line.curvature_per_m
        self._backdrop.draw(canvas, camera, yaw)
        bodies = [
            body
            for body in world.bodies
            if -_BEHIND_M < body.s + body.speed_mps * time_s - ego_s < VIEW_M
        ]
        meshes = [body.at(time_s, world.line, ego_s) for body in bodies]
        self._draw_ground(canvas, meshes, ego_s)
        for building in sorted(world.buildings, key=lambda item: -item.s):
            if -40 < building.s - ego_s < VIEW_M:
                draw_building(canvas, camera, world, building, ego_s)

        batch = MeshBatch(camera, world.light, yaw, meshes)
        objects: list[PlacedObject] = []
        for thing in self._far_to_near(bodies, meshes, ego_s):
            if isinstance(thing, Tree):
                self._draw_tree(canvas, thing, ego_s)
                continue
            body = bodies[thing]
            drawn = batch.draw(canvas, thing, body.label, body.instance, body.pattern)
            if body.instance:
                objects.append(PlacedObject(body, meshes[thing], drawn))
        return canvas, sorted(objects, key=lambda item: item.body.instance)

    def _far_to_near(
        self, bodies: list[Body], meshes: list[Mesh], ego_s: float
    ) -> list[Tree | int]:
        """Trees, and the numbers of the bodies, in the order of drawing."""
        ordered: list[tuple[float, Tree | int]] = []
        for number in range(len(bodies)):
            middle = meshes[number].centers[:, :2].mean(axis=0)
            ordered.append((float(np.hypot(*middle)), number))
        for tree in self._world.trees:
            if 0 < tree.s - ego_s < VIEW_M:
                x, y, _ = self._world.line.to_ground(tree.s, tree.d, ego_s)
                ordered.append((float(np.hypot(x, y)), tree))
        return [thing for _, thing in sorted(ordered, key=lambda item: -item[0])]

    def _draw_tree(self, canvas: Canvas, tree: Tree, ego_s: float) -> None:
        light = self._world.light
        x, y, _ = self._world.line.to_ground(tree.s, tree.d, ego_s)
        distance = float(np.hypot(x, y))
        gain = tree.gain * (light.sky_gain + 0.7 * light.sun_gain)
        draw_tree(
            canvas,
            self._camera,
            np.array([x, y, 0.0]),
            tree.height_m,
            tree.width_m,
            tree.index,
            gain + 0.5 * light.headlight_at(distance),
            light.haze_share(distance),
            light.haze_color,
        )

    def _draw_ground(self, canvas: Canvas, meshes: list[Mesh], ego_s: float) -> None:
        grid, world, camera = self._grid, self._world, self._camera
        height, width = grid.s.shape
        shadow = ground_shadow(world, camera, meshes, ego_s, grid.first_row, (height, width))
        details, wet = self._details(ego_s, (height, width))
        colors = paint_ground(grid, world.surface, world.light, ego_s, details, shadow)
        if wet is not None:
            mirrored = cv2.flip(canvas.image[: grid.first_row], 0)
            mirrored = cv2.resize(mirrored, (width, height))
            amount = (wet * np.float32(0.75 / 255))[:, :, None]
            colors = (colors * (1 - amount) + mirrored * amount).astype(np.uint8)
        cv2.copyTo(colors, grid.mask, canvas.image[grid.first_row :])
        np.copyto(canvas.labels[grid.first_row :], grid.labels, where=grid.is_ground)

    def _details(
        self, ego_s: float, shape: tuple[int, int]
    ) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """(h, W) uint8 brightness in percent of what is painted on the ground, and how wet."""
        percent = np.full(shape, 100, np.uint8)
        wet = np.zeros(shape, np.uint8)
        first_row, line = self._grid.first_row, self._world.line
        for detail in self._world.details:
            if detail.last_s < ego_s or detail.first_s > ego_s + _DETAILS_M:
                continue
            outline = line.outline_to_ground(detail.outline, ego_s)
            if detail.wet:
                fill_ground(wet, first_row, self._camera, outline, 255)
            fill_ground(percent, first_row, self._camera, outline, detail.percent)
        return cv2.blur(percent, (3, 3)), cv2.blur(wet, (5, 5)) if wet.any() else None
