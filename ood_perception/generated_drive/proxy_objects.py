"""The `train` family of unknown objects: plain bodies in arbitrary sizes, colours and patterns.

None of them is a thing with a name: a network that learns from them has to learn "not one of the
classes", not a catalogue.
"""

from __future__ import annotations

import math

import numpy as np

from .mesh import Mesh, join
from .solids import box, cylinder, dented, ellipsoid, varied_faces
from .unknown_object import (
    Shape,
    any_color,
    check_pattern,
    noise_pattern,
    patch_pattern,
    stripe_pattern,
)


def _box(rng: np.random.Generator) -> Mesh:
    size = rng.uniform(0.3, 1.0, 3)
    return box(size.tolist(), any_color(rng), taper=(rng.uniform(0.7, 1), rng.uniform(0.7, 1)))


def _barrel(rng: np.random.Generator) -> Mesh:
    color, radius, height = any_color(rng), rng.uniform(0.2, 0.4), rng.uniform(0.4, 1.1)
    low = cylinder(radius, 0.45 * height, color)
    band = cylinder(radius * 1.05, 0.1 * height, any_color(rng)).moved(z=0.45 * height)
    top = cylinder(radius, 0.45 * height, color).moved(z=0.55 * height)
    return join([low, band, top])


def _cone(rng: np.random.Generator) -> Mesh:
    radius = rng.uniform(0.2, 0.45)
    sides = int(rng.choice([3, 4, 6, 12]))
    top = radius * rng.uniform(0, 0.6)
    return cylinder(radius, rng.uniform(0.4, 1.2), any_color(rng), top_radius=top, sides=sides)


def _blob(rng: np.random.Generator) -> Mesh:
    body = ellipsoid(rng.uniform(0.4, 1.0, 3).tolist(), any_color(rng), rings=6, sides=10)
    rough = varied_faces(dented(body, rng, rng.uniform(0.04, 0.16)), rng, rng.uniform(0, 0.15))
    return rough.pressed_flat(rng.uniform(0.1, 0.3))


def _cluster(rng: np.random.Generator) -> Mesh:
    parts = []
    for _ in range(int(rng.integers(2, 5))):
        ball = ellipsoid(rng.uniform(0.3, 0.7, 3).tolist(), any_color(rng), rings=4, sides=8)
        x, y = rng.uniform(-0.3, 0.3, 2)
        parts.append(ball.pressed_flat(0.2).moved(x, y, 0.0))
    return join(parts)


def _stack(rng: np.random.Generator) -> Mesh:
    parts, height = [], 0.0
    for _ in range(int(rng.integers(2, 4))):
        size = rng.uniform(0.2, 0.6, 3)
        layer = box(size.tolist(), any_color(rng)).turned(yaw=rng.uniform(0, math.pi))
        parts.append(layer.moved(rng.uniform(-0.08, 0.08), rng.uniform(-0.08, 0.08), height))
        height += size[2]
    return join(parts)


def _heap(rng: np.random.Generator) -> Mesh:
    color = any_color(rng)
    parts = []
    for _ in range(int(rng.integers(4, 9))):
        bar = box((rng.uniform(0.4, 1.2), 0.1, 0.1), color * rng.uniform(0.7, 1.1))
        tilt = rng.uniform(-0.4, 0.4)
        turned = bar.turned(yaw=rng.uniform(0, math.pi), pitch=tilt).grounded()
        parts.append(turned.moved(*rng.uniform(-0.2, 0.2, 2)))
    return join(parts)


def _wedge(rng: np.random.Generator) -> Mesh:
    length, width, height = rng.uniform(0.4, 1.2), rng.uniform(0.4, 1.2), rng.uniform(0.2, 0.8)
    lean = rng.uniform(-0.35, 0.35) * length
    return box((length, width, height), any_color(rng), taper=(0.08, 1.0), lean=lean)


def _slab(rng: np.random.Generator) -> Mesh:
    size = (rng.uniform(0.15, 0.35), rng.uniform(0.6, 1.4), rng.uniform(0.3, 1.0))
    return box(size, any_color(rng), lean=rng.uniform(-0.1, 0.1))


def _arch(rng: np.random.Generator) -> Mesh:
    color, width, height = any_color(rng), rng.uniform(0.5, 1.1), rng.uniform(0.3, 0.9)
    legs = [box((0.25, 0.16, height), color).moved(y=y) for y in (-width / 2, width / 2)]
    return join([*legs, box((0.28, width + 0.16, 0.18), any_color(rng)).moved(z=height)])


_SHAPES = {
    "box": _box,
    "barrel": _barrel,
    "cone": _cone,
    "blob": _blob,
    "cluster": _cluster,
    "stack": _stack,
    "heap": _heap,
    "wedge": _wedge,
    "slab": _slab,
    "arch": _arch,
}
NAMES = tuple(_SHAPES)
PATTERNS = (noise_pattern, stripe_pattern, check_pattern, patch_pattern)


def make(rng: np.random.Generator, name: str) -> Shape:
    """A body of the `train` family by its name in NAMES."""
    return Shape(name, _SHAPES[name](rng))
