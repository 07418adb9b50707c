"""Laying out what is on the road itself: traffic, repairs, cracks, puddles, crossings."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .classes import ClassId
from .vehicles import random_car, random_vehicle
from .world import Body, GroundDetail, World

_ONCOMING_EVERY_M = {"urban": 45.0, "suburban": 90.0, "country": 130.0, "highway": 60.0}


def lay_out_traffic(
    rng: np.random.Generator, world: World, start_m: float, end_m: float, still: bool
) -> None:
    """Parked cars and oncoming traffic; still: nothing moves, for a single picture.

    The ego vehicle's own lane stays free here: who leads and what lies there is decided elsewhere.
    """
    profile = world.profile
    lit = world.light.kind in ("dusk", "night")
    if profile.edge_m > 2:
        at = profile.half_width_m - 1.05
        for side in (-1, 1):
            share = rng.uniform(0.1, 0.8)
            s = start_m
            while s < end_m:
                if rng.random() < share:
                    yaw = (0.0 if side < 0 else math.pi) + rng.normal(0, 0.02)
                    vehicle = random_car(rng, False)
                    world.bodies.append(Body(vehicle, s, side * at, yaw, ClassId.VEHICLE))
                s += rng.uniform(5.6, 7.5)
    spacing = _ONCOMING_EVERY_M[profile.style] * rng.uniform(0.5, 2.0)
    speed = 0.0 if still else -rng.uniform(7, 13)
    # Oncoming vehicles come from beyond the end of the road while the ego vehicle drives.
    last = end_m if still else 3 * end_m
    s = start_m + rng.uniform(15, 15 + spacing)
    while s < last:
        lane = int(rng.integers(profile.lanes // 2))
        d = (lane + 0.5) * profile.lane_width_m + rng.normal(0, 0.15)
        vehicle = random_vehicle(rng, lit)
        world.bodies.append(Body(vehicle, s, d, math.pi, ClassId.VEHICLE, speed_mps=speed))
        s += max(spacing * rng.uniform(0.5, 1.6), 16.0)


def add_leading_vehicle(rng: np.random.Generator, world: World, s: float, speed_mps: float) -> None:
    """A vehicle in the ego vehicle's lane, at s at time 0."""
    lit = world.light.kind in ("dusk", "night")
    d = world.profile.ego_lateral_m + rng.normal(0, 0.15)
    leader = Body(random_vehicle(rng, lit), s, d, 0.0, ClassId.VEHICLE, speed_mps=speed_mps)
    world.bodies.append(leader)


def lay_out_details(rng: np.random.Generator, world: World, start_m: float, end_m: float) -> None:
    """Repaired patches, cracks, tar seams, manholes, skid marks, puddles and crossings."""
    half = world.profile.half_width_m
    wear = rng.uniform(0.2, 1.6)
    makers = (_patch, _crack, _manhole, _skid_mark, _stain)
    shares = np.array([0.3, 0.3, 0.12, 0.1, 0.18])
    for _ in range(int((end_m - start_m) / 7 * wear)):
        s, d = rng.uniform(start_m, end_m), rng.uniform(-half, half)
        maker = makers[int(rng.choice(len(makers), p=shares))]
        world.details.extend(_on_road(detail, half) for detail in maker(rng, s, d))
    if rng.random() < 0.25:
        for _ in range(int((end_m - start_m) / 14)):
            s, d = rng.uniform(start_m, end_m), rng.uniform(-half, half)
            world.details.append(_on_road(_puddle(rng, s, d), half))
    crossings = {"urban": 0.55, "suburban": 0.3}.get(world.profile.style, 0.0)
    s = start_m + rng.uniform(15, 80)
    while s < end_m:
        if rng.random() < crossings:
            world.details.extend(_crossing(rng, s, half))
        s += rng.uniform(50, 120)


def _on_road(detail: GroundDetail, half: float) -> GroundDetail:
    outline = detail.outline.copy()
    outline[:, 1] = np.clip(outline[:, 1], -half, half)
    return GroundDetail(outline, detail.percent, detail.wet)


def _irregular(
    rng: np.random.Generator, s: float, d: float, length: float, width: float, rough: float
) -> NDArray[np.float64]:
    angles = np.arange(14) * (2 * math.pi / 14)
    reach = np.clip(rng.normal(1, rough, 14), 0.4, 1.6)
    return np.stack([s + length * reach * np.cos(angles), d + width * reach * np.sin(angles)], 1)


def _rectangle(s: float, d: float, length: float, width: float) -> NDArray[np.float64]:
    return np.array([s, d]) + np.array([[0, -0.5], [0, 0.5], [1, 0.5], [1, -0.5]]) * (length, width)


def _patch(rng: np.random.Generator, s: float, d: float) -> list[GroundDetail]:
    percent = int(rng.choice([rng.uniform(62, 90), rng.uniform(108, 128)]))
    length, width = rng.uniform(0.8, 9.0), rng.uniform(0.5, 2.2)
    outline = _rectangle(s, d, length, width)
    outline += rng.normal(0, 0.08, outline.shape)
    seam = (outline - outline.mean(axis=0)) * (1 + 0.12 / np.array([length, width])) + outline.mean(
        0
    )
    return [GroundDetail(seam, 72), GroundDetail(outline, percent)]


def _crack(rng: np.random.Generator, s: float, d: float) -> list[GroundDetail]:
    steps = int(rng.integers(6, 16))
    heading = rng.choice([0.0, math.pi / 2]) + rng.normal(0, 0.3)
    turns = heading + rng.normal(0, 0.6, steps)
    path = np.array([s, d]) + 0.35 * np.cumsum(np.stack([np.cos(turns), np.sin(turns)], 1), axis=0)
    width = rng.uniform(0.015, 0.06)
    across = np.array([-math.sin(heading), math.cos(heading)]) * width
    return [
        GroundDetail(np.concatenate([path + across, path[::-1] - across]), int(rng.uniform(45, 72)))
    ]


def _manhole(rng: np.random.Generator, s: float, d: float) -> list[GroundDetail]:
    rim = _irregular(rng, s, d, 0.36, 0.36, 0.0)
    lid = _irregular(rng, s, d, 0.3, 0.3, 0.0)
    return [GroundDetail(rim, 62), GroundDetail(lid, int(rng.uniform(75, 115)))]


def _skid_mark(rng: np.random.Generator, s: float, d: float) -> list[GroundDetail]:
    length, percent = rng.uniform(4, 14), int(rng.uniform(66, 88))
    tracks = [_rectangle(s, d + offset, length, 0.18) for offset in (-0.75, 0.75)]
    return [GroundDetail(track, percent) for track in tracks]


def _stain(rng: np.random.Generator, s: float, d: float) -> list[GroundDetail]:
    size = rng.uniform(0.15, 1.1)
    outline = _irregular(rng, s, d, size * 1.4, size, 0.2)
    return [GroundDetail(outline, int(rng.uniform(68, 116)))]


def _puddle(rng: np.random.Generator, s: float, d: float) -> GroundDetail:
    outline = _irregular(rng, s, d, rng.uniform(0.5, 2.5), rng.uniform(0.3, 1.0), 0.22)
    return GroundDetail(outline, 70, wet=True)


def _crossing(rng: np.random.Generator, s: float, half: float) -> list[GroundDetail]:
    percent, width = int(rng.uniform(165, 230)), rng.uniform(0.4, 0.55)
    stripes = np.arange(-half + 0.5, half - 0.3, 2 * width)
    return [GroundDetail(_rectangle(s, d, 3.5, width), percent) for d in stripes]
