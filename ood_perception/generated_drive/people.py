"""Pedestrians, standing or walking."""

from __future__ import annotations

from functools import cache

import numpy as np

from .mesh import Mesh, join
from .solids import box, cylinder, ellipsoid

_SKINS = ((140, 170, 215), (110, 140, 190), (70, 100, 150), (45, 65, 100))


def random_pedestrian(rng: np.random.Generator) -> Mesh:
    """One of a stock of 96 people, each built once a process."""
    return _stock_pedestrian(int(rng.integers(96)))


@cache
def _stock_pedestrian(index: int) -> Mesh:
    return pedestrian(np.random.default_rng((302, index)))


def pedestrian(rng: np.random.Generator) -> Mesh:
    """A grown-up or a child in random clothes, who looks along x."""
    height = rng.uniform(1.5, 1.9) if rng.random() < 0.85 else rng.uniform(1.0, 1.4)
    skin = np.array(_SKINS[rng.integers(len(_SKINS))], np.float64)
    top = rng.uniform(20, 215, 3) * rng.uniform(0.4, 1.0)
    trousers = np.array([1.15, 1.0, 0.9]) * rng.uniform(25, 110)
    hair = np.array([0.8, 0.95, 1.1]) * rng.uniform(15, 120)
    stride = rng.uniform(0.0, 0.42)
    parts = []
    for side in (-1, 1):
        leg = cylinder(0.07, 0.84, trousers, top_radius=0.1, sides=7).moved(z=-0.84)
        foot = box((0.26, 0.1, 0.08), (35, 35, 40)).moved(x=0.05, z=-0.84)
        parts.append(join([leg, foot]).turned(pitch=side * stride).moved(y=0.1 * side, z=0.84))
        arm = cylinder(0.05, 0.62, top, sides=6).moved(z=-0.62)
        hand = ellipsoid((0.1, 0.09, 0.12), skin, rings=3, sides=6).moved(z=-0.66)
        swing = -side * stride * rng.uniform(0.5, 1.1)
        parts.append(join([arm, hand]).turned(pitch=swing).moved(y=0.25 * side, z=1.42))
    coat = rng.random() < 0.35
    low = 0.62 if coat else 0.82
    torso = cylinder(0.2 if coat else 0.16, 1.46 - low, top, top_radius=0.2, sides=10)
    parts.append(torso.scaled((0.62, 1.0, 1.0)).moved(z=low))
    parts.append(cylinder(0.06, 0.12, skin, sides=7).moved(z=1.44))
    parts.append(ellipsoid((0.21, 0.18, 0.26), skin, rings=5, sides=8).moved(z=1.64))
    parts.append(ellipsoid((0.23, 0.2, 0.18), hair, rings=4, sides=8).moved(x=-0.02, z=1.71))
    if rng.random() < 0.3:
        pack = box((0.18, 0.3, 0.42), rng.uniform(20, 200, 3), taper=(0.8, 0.9))
        parts.append(pack.moved(x=-0.22, z=1.0))
    return join(parts).grounded().scaled(np.full(3, height / 1.8))
