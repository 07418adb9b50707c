"""Laying out what stands beside the road: houses, hedges, trees, poles, people."""

from __future__ import annotations

import math

import numpy as np

from .classes import ClassId
from .people import random_pedestrian
from .street_furniture import random_pole
from .trees import TREES, reaches_ground
from .wall_textures import FACADES, SHOPFRONTS, STOREY_M
from .world import Body, Building, Tree, World

_BUILT = {"urban": 0.95, "suburban": 0.7, "country": 0.08, "highway": 0.05}
_TREE_EVERY_M = {"urban": 18.0, "suburban": 9.0, "country": 6.0, "highway": 8.0}
_POLE_EVERY_M = {"urban": 13.0, "suburban": 22.0, "country": 40.0, "highway": 35.0}
_CROWN_OVER_ROAD_M = 1.0
_PERSON_EVERY_M = {"urban": 11.0, "suburban": 28.0, "country": 160.0, "highway": 1e4}


def lay_out_roadside(rng: np.random.Generator, world: World, start_m: float, end_m: float) -> None:
    """Fill both sides of the road between two values of s."""
    for side in (-1, 1):
        _houses(rng, world, side, start_m, end_m)
        _trees(rng, world, side, start_m, end_m)
        _poles(rng, world, side, start_m, end_m)
        _people(rng, world, side, start_m, end_m)


def _outer(world: World) -> float:
    return world.profile.half_width_m + world.profile.pavement_m


def _houses(
    rng: np.random.Generator, world: World, side: int, start_m: float, end_m: float
) -> None:
    style = world.profile.style
    urban = style == "urban"
    setback = rng.uniform(0.2, 2.0) if urban else rng.uniform(5.0, 12.0)
    built = min(_BUILT[style] * rng.uniform(0.8, 1.1), 1.0)
    s = start_m
    hidden_m = 0.0
    while s < end_m:
        length = rng.uniform(9, 24) if urban else rng.uniform(8, 14)
        if rng.random() < built:
            storeys = int(rng.integers(2, 7)) if urban else int(rng.integers(1, 3))
            shop = int(rng.integers(SHOPFRONTS)) if urban and rng.random() < 0.6 else None
            height = storeys * STOREY_M + (0.6 if urban else 0.3)
            has_roof = rng.random() >= (0.6 if urban else 0.0)
            world.buildings.append(
                Building(
                    s=s,
                    length_m=length,
                    d=side * (_outer(world) + setback + rng.uniform(0, 0.5)),
                    depth_m=rng.uniform(8, 14),
                    height_m=height,
                    gain=rng.uniform(0.75, 1.15) + rng.uniform(-0.08, 0.08, 3),
                    facade=int(rng.integers(FACADES)),
                    shop=shop,
                    roof=int(rng.integers(8)) if has_roof else None,
                    gable_hidden=not has_roof and height <= hidden_m,
                )
            )
            hidden_m = height
        else:
            hidden_m = 0.0
        if style == "suburban" and rng.random() < 0.5:
            hedge_at = side * (_outer(world) + rng.uniform(0.3, 0.8))
            gain = rng.uniform(0.8, 1.2) + rng.uniform(-0.05, 0.05, 3)
            height, index = rng.uniform(0.7, 1.6), int(rng.integers(4))
            hedge = Building(s, length * 0.9, hedge_at, 0.8, height, gain, index, is_hedge=True)
            world.buildings.append(hedge)
        if urban and rng.random() < 0.75:
            s += length
        else:
            s += length + rng.uniform(2, 7)
            hidden_m = 0.0


def _trees(rng: np.random.Generator, world: World, side: int, start_m: float, end_m: float) -> None:
    profile = world.profile
    spacing = _TREE_EVERY_M[profile.style] * rng.uniform(0.7, 2.2)
    gain = rng.uniform(0.8, 1.15) + rng.uniform(-0.06, 0.06, 3)
    avenue = profile.pavement_m > 2.5 and rng.random() < 0.6
    s = start_m + rng.uniform(0, spacing)
    while s < end_m:
        if profile.style == "urban" and not avenue:
            return
        if avenue and rng.random() < 0.7:
            d = profile.half_width_m + 0.8
        else:
            d = _outer(world) + rng.uniform(1.5, 12.0)
        index = int(rng.integers(TREES))
        bush = index % 6 == 4
        if bush and avenue:
            index += 1
            bush = False
        height = rng.uniform(0.8, 2.4) if bush else rng.uniform(4.5, 11.0)
        width = height * (rng.uniform(0.9, 1.4) if bush else rng.uniform(0.55, 0.8))
        # What has leaves down to the ground would stand on the road, and no road would be free.
        over_road_m = 0.0 if reaches_ground(index) else _CROWN_OVER_ROAD_M
        width = min(width, 2 * (d - profile.half_width_m + over_road_m))
        world.trees.append(Tree(s, side * d, height, width, index, gain * rng.uniform(0.85, 1.1)))
        s += spacing * rng.uniform(0.4, 1.6)


def _poles(rng: np.random.Generator, world: World, side: int, start_m: float, end_m: float) -> None:
    profile = world.profile
    spacing = _POLE_EVERY_M[profile.style] * rng.uniform(0.7, 1.6)
    lit = world.light.kind in ("dusk", "night")
    s = start_m + rng.uniform(0, spacing)
    while s < end_m:
        d = profile.half_width_m + (0.4 if profile.pavement_m else rng.uniform(0.8, 1.8))
        # Lamps reach over the road (their arm lies along y), signs face the traffic.
        yaw = math.pi if side > 0 and rng.random() < 0.5 else 0.0
        pole = random_pole(rng, lit)
        world.bodies.append(Body(pole, s, side * d, yaw, ClassId.POLE))
        s += spacing * rng.uniform(0.4, 1.6)


def _people(
    rng: np.random.Generator, world: World, side: int, start_m: float, end_m: float
) -> None:
    profile = world.profile
    spacing = _PERSON_EVERY_M[profile.style] * rng.uniform(0.6, 2.0)
    s = start_m + rng.uniform(0, spacing)
    while s < end_m:
        walkway = max(profile.pavement_m, 1.5)
        d = side * (profile.half_width_m + rng.uniform(0.3, 0.95) * walkway)
        forward = rng.random() < 0.5
        yaw = (0.0 if forward else math.pi) + rng.normal(0, 0.2)
        speed = rng.uniform(0.8, 1.6) * (1 if forward else -1)
        person = Body(random_pedestrian(rng), s, d, yaw, ClassId.PEDESTRIAN, speed_mps=speed)
        world.bodies.append(person)
        s += spacing * rng.uniform(0.3, 1.7)
