"""The `test` family of unknown objects: things that are lost on roads, or that walk onto them.

No shape of the `train` family is used here, and other patterns cover them.
"""

from __future__ import annotations

import math

import numpy as np

from .mesh import Mesh, join
from .solids import BOX_BACK, box, cylinder, dented, ellipsoid, panel, torus, varied_faces
from .unknown_object import Shape, any_color, crumple_pattern, grain_pattern

_WOOD = np.array([85.0, 125.0, 165.0])


def _tyre(rng: np.random.Generator) -> Mesh:
    dark = np.full(3, rng.uniform(22, 55))
    radius, width = rng.uniform(0.24, 0.38), rng.uniform(0.16, 0.26)
    tyre = varied_faces(torus(radius, width, dark, sides=16), rng, 0.06)
    if rng.random() < 0.5:
        return tyre.pressed_flat(0.1)
    return tyre.turned(pitch=math.pi / 2 - rng.uniform(0, 0.2)).pressed_flat(0.03)


def _animal(rng: np.random.Generator) -> Mesh:
    fur = np.array([0.62, 0.8, 1.0]) * rng.uniform(35, 190)
    length, leg = rng.uniform(0.6, 1.1), rng.uniform(0.25, 0.5)
    thick = rng.uniform(0.28, 0.42) * length
    body = ellipsoid((length, thick, thick * 1.1), fur, rings=6, sides=9)
    parts = [body.moved(z=leg + thick * 0.4)]
    for x in (-0.32, 0.32):
        for y in (-0.3, 0.3):
            pose = rng.uniform(-0.2, 0.2)
            limb = cylinder(0.05 * length + 0.01, leg + 0.1, fur * 0.85, sides=6)
            parts.append(limb.turned(pitch=pose).grounded().moved(x * length, y * thick, 0))
    neck = cylinder(0.07 * length + 0.02, 0.4 * length, fur, sides=7).turned(pitch=0.7)
    parts.append(neck.moved(0.38 * length, 0, leg + thick * 0.6))
    head = ellipsoid((0.32 * length, 0.17 * length, 0.2 * length), fur * 1.05, rings=4, sides=7)
    parts.append(head.moved(0.7 * length, 0, leg + thick * 0.6 + 0.34 * length))
    for y in (-0.06, 0.06):
        ear = cylinder(0.05 * length, 0.16 * length, fur * 0.7, top_radius=0.0, sides=4)
        parts.append(ear.moved(0.63 * length, y * length, leg + thick * 0.6 + 0.4 * length))
    tail = box((0.35 * length, 0.05, 0.05), fur * 0.8).turned(pitch=0.6)
    parts.append(tail.moved(-0.58 * length, 0, leg + thick * 0.5))
    return join(parts).grounded()


def _chair(rng: np.random.Generator) -> Mesh:
    color = any_color(rng) if rng.random() < 0.5 else _WOOD * rng.uniform(0.5, 1.2)
    seat = box((0.45, 0.45, 0.05), color).moved(z=0.43)
    back = box((0.05, 0.45, 0.48), color).moved(x=-0.2, z=0.46)
    legs = [
        box((0.05, 0.05, 0.43), color * 0.85).moved(x, y) for x in (-0.2, 0.2) for y in (-0.2, 0.2)
    ]
    chair = join([*legs, seat, back])
    if rng.random() < 0.5:
        return chair
    return chair.turned(pitch=float(rng.choice([-1.0, 1.0])) * math.pi / 2).grounded()


def _table(rng: np.random.Generator) -> Mesh:
    color = _WOOD * rng.uniform(0.5, 1.3)
    length, width, height = rng.uniform(0.6, 1.1), rng.uniform(0.6, 1.4), rng.uniform(0.5, 0.8)
    top = box((length, width, 0.06), color).moved(z=height)
    legs = [
        box((0.07, 0.07, height), color * 0.8).moved(x * (length - 0.1), y * (width - 0.1))
        for x in (-0.5, 0.5)
        for y in (-0.5, 0.5)
    ]
    return join([*legs, top])


def _sofa(rng: np.random.Generator) -> Mesh:
    color = any_color(rng)
    width = rng.uniform(0.9, 1.5)
    return join(
        [
            box((0.8, width, 0.4), color),
            box((0.22, width, 0.45), color * 0.92, lean=-0.06).moved(x=-0.3, z=0.4),
            box((0.8, 0.16, 0.58), color * 0.95).moved(y=width / 2),
            box((0.8, 0.16, 0.58), color * 0.95).moved(y=-width / 2),
        ]
    )


def _bag(rng: np.random.Generator) -> Mesh:
    color = any_color(rng) if rng.random() < 0.6 else np.full(3, rng.uniform(18, 60))
    sack = ellipsoid(rng.uniform(0.45, 0.8, 3).tolist(), color, rings=7, sides=12)
    creased = varied_faces(dented(sack, rng, 0.07), rng, 0.2).pressed_flat(0.22)
    top = float(creased.vertices[:, 2].max())
    knot = cylinder(0.07, 0.16, color * 0.8, top_radius=0.13, sides=7).moved(z=top - 0.04)
    return join([creased, knot])


def _pallet(rng: np.random.Generator) -> Mesh:
    wood = _WOOD * rng.uniform(0.6, 1.2)
    parts = [box((1.0, 0.12, 0.1), wood * 0.8).moved(y=y) for y in (-0.45, 0.0, 0.45)]
    for x in np.linspace(-0.45, 0.45, 6):
        parts.append(
            box((0.12, 1.05, 0.04), wood * rng.uniform(0.85, 1.1)).moved(x=float(x), z=0.1)
        )
    layer = join(parts)
    return join([layer.moved(z=0.14 * k) for k in range(int(rng.integers(2, 6)))])


def _planks(rng: np.random.Generator) -> Mesh:
    parts = []
    for layer in range(int(rng.integers(2, 5))):
        for x in (-0.2, 0.02, 0.22):
            plank = box((0.2, rng.uniform(1.0, 1.5), 0.08), _WOOD * rng.uniform(0.5, 1.25))
            parts.append(plank.turned(yaw=rng.uniform(-0.15, 0.15)).moved(x=x, z=0.08 * layer))
    return join(parts)


def _suitcase(rng: np.random.Generator) -> Mesh:
    color = any_color(rng)
    height = rng.uniform(0.5, 0.8)
    case = box((0.28, height * 0.68, height), color, taper=(0.94, 0.94))
    for left in (0.2, 0.45, 0.7):
        case = panel(case, BOX_BACK, left, left + 0.06, 0.05, 0.95, color * 0.75)
    handle = [box((0.03, 0.03, 0.3), (60, 60, 60)).moved(y=y, z=height) for y in (-0.1, 0.1)]
    grip = box((0.04, 0.24, 0.03), (40, 40, 40)).moved(z=height + 0.3)
    standing = join([case, *handle, grip])
    if rng.random() < 0.6:
        return standing
    return standing.turned(roll=math.pi / 2).grounded()


def _wheelbarrow(rng: np.random.Generator) -> Mesh:
    color = any_color(rng)
    tub = box((0.5, 0.4, 0.32), color, taper=(1.5, 1.5)).moved(z=0.33)
    wheel = cylinder(0.19, 0.09, (30, 30, 32)).turned(roll=math.pi / 2).moved(0.5, 0.045, 0.19)
    shafts = [box((1.3, 0.05, 0.05), (70, 90, 110)).moved(-0.15, y, 0.3) for y in (-0.22, 0.22)]
    feet = [box((0.05, 0.05, 0.32), (60, 60, 60)).moved(-0.25, y) for y in (-0.22, 0.22)]
    return join([wheel, *feet, *shafts, tub])


def _rock(rng: np.random.Generator) -> Mesh:
    grey = rng.uniform(85, 165) + np.array([-6.0, 0.0, 5.0])
    stones = []
    for _ in range(int(rng.integers(1, 4))):
        stone = ellipsoid(rng.uniform(0.35, 0.85, 3).tolist(), grey, rings=4, sides=7)
        chipped = varied_faces(dented(stone, rng, 0.15), rng, 0.12).pressed_flat(0.25)
        stones.append(chipped.moved(*rng.uniform(-0.35, 0.35, 2)))
    return join(stones)


_SHAPES = {
    "tyre": _tyre,
    "animal": _animal,
    "chair": _chair,
    "table": _table,
    "sofa": _sofa,
    "bag": _bag,
    "pallet": _pallet,
    "planks": _planks,
    "suitcase": _suitcase,
    "wheelbarrow": _wheelbarrow,
    "rock": _rock,
}
NAMES = tuple(_SHAPES)
PATTERNS = (grain_pattern, crumple_pattern)


def make(rng: np.random.Generator, name: str) -> Shape:
    """A body of the `test` family by its name in NAMES."""
    return Shape(name, _SHAPES[name](rng))
