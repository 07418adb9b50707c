"""Putting unknown objects on the road, clear of the traffic and of each other."""

from __future__ import annotations

import math

import numpy as np

from ..errors import OodError
from .classes import UNKNOWN_ID, ClassId
from .mesh_drawing import nearest_contact
from .object_families import random_object
from .world import Body, World

_EVERY_M = (28.0, 55.0)
_CLEAR_M = 1.1


def check_count(count: int | None) -> None:
    """Raises OodError for a negative number of objects."""
    if count is not None and count < 0:
        raise OodError(f"obstacle_count is {count}: use 0 for a free road, None for any number")


def places_along_drive(
    rng: np.random.Generator,
    world: World,
    count: int | None,
    length_m: float,
    first_s: float | None,
) -> list[tuple[float, float]]:
    """Road coordinates for objects of a drive, the first one at first_s where that is given.

    count: None for one every 28 to 55 m. They lie in the ego vehicle's lane or close to it.
    """
    places = []
    if first_s is not None and count != 0:
        places.append((first_s, world.profile.ego_lateral_m))
    s = (first_s or 8.0) + rng.uniform(*_EVERY_M)
    while len(places) < count if count is not None else s < length_m + 60:
        spread = rng.normal(0, 0.35 * world.profile.lane_width_m)
        lowest = -world.profile.half_width_m + 0.4
        d = float(np.clip(world.profile.ego_lateral_m + spread, lowest, -0.6))
        if _is_clear(world, places, s, d):
            places.append((s, d))
        s += rng.uniform(*_EVERY_M)
    return places


def places_in_scene(
    rng: np.random.Generator, world: World, count: int
) -> list[tuple[float, float]]:
    """Road coordinates for objects of a single scene, anywhere on the road, 4 to 70 m ahead."""
    places: list[tuple[float, float]] = []
    half = world.profile.half_width_m - 0.3
    for _ in range(count):
        for _attempt in range(12):
            # As many near as far: the logarithm of the distance is even.
            s = float(np.exp(rng.uniform(math.log(4.5), math.log(70))))
            reach = 0.5 * s
            lowest = max(-half, world.profile.ego_lateral_m - reach)
            highest = min(half, world.profile.ego_lateral_m + reach)
            d = float(rng.uniform(lowest, highest))
            if _is_clear(world, places, s, d):
                places.append((s, d))
                break
    return places


def _is_clear(world: World, places: list[tuple[float, float]], s: float, d: float) -> bool:
    if any(abs(s - other[0]) < 1.8 and abs(d - other[1]) < 1.8 for other in places):
        return False
    for body in world.bodies:
        if body.label != ClassId.VEHICLE or body.speed_mps:
            continue
        half_length, half_width = body.mesh.size()[:2] / 2
        if abs(s - body.s) < half_length + _CLEAR_M and abs(d - body.d) < half_width + _CLEAR_M:
            return False
    return True


def unknown_body(
    rng: np.random.Generator,
    world: World,
    family: str,
    instance: int,
    s: float,
    d: float,
    distance_m: float | None = None,
) -> Body:
    """An object of a family on the road. distance_m: its nearest contact lies exactly so far away
    from the ego vehicle at s = 0; s is then only the first guess.
    """
    made = random_object(rng, family)
    for _ in range(20):
        body = Body(
            made.mesh, s, d, 0.0, UNKNOWN_ID, instance, shape=made.shape, pattern=made.pattern
        )
        if distance_m is None:
            break
        error = distance_m - math.hypot(*nearest_contact(body.at(0.0, world.line, 0.0)))
        if abs(error) < 1e-6:
            break
        s += error
    return body
