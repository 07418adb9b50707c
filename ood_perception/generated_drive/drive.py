"""Drives and single scenes: a world along a road, seen from a moving vehicle."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..errors import OodError
from .camera import CameraSetup
from .frame import EgoPose, Frame
from .ground import RoadLine
from .light import LIGHT_KINDS, sample_light
from .object_families import check_family
from .photography import Photography, expose, sample_photography
from .placement import check_count, places_along_drive, places_in_scene, unknown_body
from .road_surface import ROAD_STYLES, build_surface, sample_profile
from .roadside import lay_out_roadside
from .roadway import add_leading_vehicle, lay_out_details, lay_out_traffic
from .scene_drawing import VIEW_M, SceneDrawer
from .truth import object_truths
from .world import World

_STYLE_SHARES = (0.4, 0.3, 0.18, 0.12)


class Drive:
    """A drive along a generated road at constant speed. Frame k is taken at k / frame_rate_hz.

    seed: the same seed and arguments give the same frames. camera: default CameraSetup.default().
    speed_mps, frame_rate_hz, duration_s: the ego motion; ``len(drive)`` frames.
    family: "train" or "test", which unknown objects lie on the road.
    obstacle_count: how many unknown objects, None for one every 28 to 55 m, 0 for a free road.
    obstacle_distance_m: puts the first one in the middle of the ego vehicle's lane so that its
        nearest contact point has this ground distance in frame 0; alone, if obstacle_count is
        None. style: one of ROAD_STYLES; light: one of LIGHT_KINDS; None for a random one.
    curvature_per_m: of the road, positive to the left; None for a random one.
    Raises OodError for arguments out of range.
    """

    def __init__(
        self,
        seed: int,
        *,
        camera: CameraSetup | None = None,
        speed_mps: float = 10.0,
        frame_rate_hz: float = 10.0,
        duration_s: float = 10.0,
        family: str = "test",
        obstacle_count: int | None = None,
        obstacle_distance_m: float | None = None,
        style: str | None = None,
        light: str | None = None,
        curvature_per_m: float | None = None,
    ) -> None:
        check_family(family)
        if speed_mps < 0 or frame_rate_hz <= 0 or duration_s <= 0:
            raise OodError("generated drive: speed, frame rate and duration must be above 0")
        if obstacle_distance_m is not None and obstacle_distance_m < 3:
            raise OodError("generated drive: obstacle_distance_m must be at least 3")
        check_count(obstacle_count)
        self.camera = camera or CameraSetup.default()
        self.speed_mps, self.frame_rate_hz = speed_mps, frame_rate_hz
        self._count = max(round(duration_s * frame_rate_hz), 1)
        self._seed = seed
        rng = np.random.default_rng((seed, 1))
        self._world = _empty_world(rng, style, light, curvature_per_m)
        length_m = speed_mps * duration_s
        end_m = length_m + VIEW_M
        _furnish(rng, self._world, -45.0, end_m, still=False)
        if obstacle_count is None:
            obstacle_count = None if obstacle_distance_m is None else 1
        places = places_along_drive(rng, self._world, obstacle_count, length_m, obstacle_distance_m)
        for index, (s, d) in enumerate(places):
            exact = obstacle_distance_m if index == 0 else None
            body = unknown_body(rng, self._world, family, index + 1, s, d, exact)
            self._world.bodies.append(body)
        last_m = max([s for s, _ in places], default=0.0)
        if rng.random() < 0.6:
            ahead_m = last_m + rng.uniform(15, 40) if places else rng.uniform(20, 50)
            add_leading_vehicle(rng, self._world, ahead_m, speed_mps * rng.uniform(1.0, 1.1))
        self._photography = sample_photography(rng, self._world.light.kind == "night")
        self._drawer = SceneDrawer(rng, self._world, self.camera, turns=True)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Frame]:
        return (self.frame(index) for index in range(len(self)))

    def frame(self, index: int) -> Frame:
        """Frame 0 <= index < len(self). Raises IndexError outside."""
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of a drive of {len(self)} frames")
        stamp_s = index / self.frame_rate_hz
        return _photograph(
            self._drawer,
            self._world,
            self.camera,
            sample_noise=np.random.default_rng((self._seed, 2, index)),
            photography=self._photography,
            ego_s=self.speed_mps * stamp_s,
            stamp_s=stamp_s,
            index=index,
        )


def random_scene(
    seed: int,
    *,
    camera: CameraSetup | None = None,
    family: str = "train",
    obstacle_count: int | None = None,
    light: str | None = None,
    vary_camera: bool = True,
) -> Frame:
    """A single varied scene: every seed is another road, light, traffic and set of objects.

    obstacle_count: None for zero to five (one scene in six has none). light: one of LIGHT_KINDS,
    None for a random one. vary_camera: height, pitch and roll differ a little from the given
    camera's; ``Frame.camera`` tells the true ones.
    """
    check_family(family)
    check_count(obstacle_count)
    rng = np.random.default_rng((seed, 3))
    camera = camera or CameraSetup.default()
    if vary_camera:
        camera = _varied(rng, camera)
    world = _empty_world(rng, None, light, None)
    _furnish(rng, world, -25.0, 120.0, still=True)
    if obstacle_count is None:
        obstacle_count = int(rng.choice(6, p=[0.17, 0.27, 0.22, 0.16, 0.1, 0.08]))
    if rng.random() < 0.4:
        add_leading_vehicle(rng, world, rng.uniform(14, 60), 0.0)
    for index, (s, d) in enumerate(places_in_scene(rng, world, obstacle_count)):
        world.bodies.append(unknown_body(rng, world, family, index + 1, s, d))
    photography = sample_photography(rng, world.light.kind == "night")
    drawer = SceneDrawer(rng, world, camera, turns=False)
    return _photograph(
        drawer,
        world,
        camera,
        sample_noise=rng,
        photography=photography,
        ego_s=0.0,
        stamp_s=0.0,
        index=0,
    )


def _empty_world(
    rng: np.random.Generator, style: str | None, light: str | None, curvature_per_m: float | None
) -> World:
    """A bare road in a light."""
    if style is not None and style not in ROAD_STYLES:
        raise OodError(f"no road style {style!r}: choose one of {', '.join(ROAD_STYLES)}")
    if light is not None and light not in LIGHT_KINDS:
        raise OodError(f"no light {light!r}: choose one of {', '.join(LIGHT_KINDS)}")
    if curvature_per_m is not None and abs(curvature_per_m) > 0.01:
        raise OodError("generated road: curvature_per_m must be within -0.01 and 0.01")
    style = style or str(rng.choice(ROAD_STYLES, p=_STYLE_SHARES))
    profile = sample_profile(rng, style)
    surface = build_surface(rng, profile)
    bend = float(np.clip(rng.normal(0, 0.0016), -0.004, 0.004)) if rng.random() < 0.6 else 0.0
    bend = bend if curvature_per_m is None else curvature_per_m
    return World(profile, surface, RoadLine(bend, profile.ego_lateral_m), sample_light(rng, light))


def _furnish(
    rng: np.random.Generator, world: World, start_m: float, end_m: float, *, still: bool
) -> None:
    lay_out_roadside(rng, world, start_m, end_m)
    lay_out_traffic(rng, world, start_m, end_m, still)
    lay_out_details(rng, world, start_m, min(end_m, 400.0) if still else end_m)


def _varied(rng: np.random.Generator, camera: CameraSetup) -> CameraSetup:
    return replace(
        camera,
        height_m=camera.height_m * rng.uniform(0.9, 1.15),
        pitch_rad=camera.pitch_rad + rng.normal(0, math.radians(0.8)),
        roll_rad=camera.roll_rad + rng.normal(0, math.radians(0.5)),
    )


def _photograph(
    drawer: SceneDrawer,
    world: World,
    camera: CameraSetup,
    *,
    sample_noise: np.random.Generator,
    photography: Photography,
    ego_s: float,
    stamp_s: float,
    index: int,
) -> Frame:
    canvas, objects = drawer.draw(ego_s, stamp_s)
    truths = object_truths(canvas, camera, objects)
    image = expose(canvas.image, photography, stamp_s, sample_noise)
    yaw = ego_s * world.line.curvature_per_m
    # The ego vehicle's own path is an arc beside the road's middle line.
    x, y, _ = world.line.to_ground(ego_s, world.line.ego_lateral_m, 0.0)
    pose = EgoPose(x, y, yaw)
    return Frame(image, canvas.labels, canvas.instances, truths, stamp_s, index, camera, pose)
