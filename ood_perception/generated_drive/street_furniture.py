"""Poles of all kinds: lamps, signs, traffic lights, bollards. All of class POLE."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from .mesh import Mesh, join
from .solids import BOX_BACK, box, cylinder, panel

_STEEL = (120, 122, 124)


def lamp_post(rng: np.random.Generator, lit: bool) -> Mesh:
    """A street lamp; its arm reaches along y."""
    height = rng.uniform(5.5, 9.0)
    arm = rng.uniform(0.6, 2.2)
    color = np.array(_STEEL) * rng.uniform(0.5, 1.3)
    lamp = box((0.3, 0.6, 0.14), (330, 340, 345) if lit else color * 1.2)
    return join(
        [
            cylinder(0.1, height, color, top_radius=0.06, sides=8),
            box((0.08, arm, 0.08), color).moved(y=arm / 2, z=height - 0.1),
            lamp.moved(y=arm, z=height - 0.15),
        ]
    )


def _disc(radius: float, corners: int, color: tuple[float, float, float], start: float) -> Mesh:
    """A thin upright plate with corners that faces -x."""
    plate = cylinder(radius, 0.03, color, sides=corners).turned(yaw=start)
    return plate.turned(pitch=-math.pi / 2)


def traffic_sign(rng: np.random.Generator) -> Mesh:
    """A round, three-cornered, square or octagonal sign that faces -x."""
    height = rng.uniform(2.0, 2.6)
    red, blue, white = (45, 40, 185), (165, 85, 30), (225, 228, 230)
    kind = int(rng.integers(5))
    size = rng.uniform(0.28, 0.4)
    outer, inner, corners, start = (
        (red, white, 16, 0.0),
        (red, white, 3, 0.0),
        (blue, white, 4, math.pi / 4),
        (red, red, 8, math.pi / 8),
        ((40, 195, 235), white, 4, 0.0),
    )[kind]
    post = cylinder(0.035, height + size * 0.5, _STEEL, sides=6)
    front = _disc(size * 0.72, corners, inner, start).moved(x=-0.065, z=height)
    back = _disc(size, corners, outer, start).moved(x=-0.035, z=height)
    symbol = box((0.01, size * 0.22, size * 0.7), (40, 40, 40)).moved(
        x=-0.1, z=height - size * 0.35
    )
    return join([post, back, front, symbol])


def direction_board(rng: np.random.Generator) -> Mesh:
    """A large board on two posts."""
    width, height = rng.uniform(1.6, 3.2), rng.uniform(0.9, 1.6)
    color = ((150, 80, 25), (60, 120, 30), (215, 220, 222))[int(rng.integers(3))]
    board = box((0.06, width, height), color)
    ink = (30, 30, 30) if color[2] > 200 else (225, 228, 230)
    for row in range(int(rng.integers(1, 4))):
        low = 0.12 + 0.27 * row
        board = panel(board, BOX_BACK, 0.1, rng.uniform(0.5, 0.9), low, low + 0.13, ink)
    posts = [cylinder(0.06, 2.2, _STEEL, sides=6).moved(y=y) for y in (-width / 3, width / 3)]
    return join([*posts, board.moved(z=2.2)])


def traffic_light(rng: np.random.Generator) -> Mesh:
    """A signal on a post, one lamp on, that faces -x."""
    height = rng.uniform(2.4, 3.2)
    casing = box((0.25, 0.32, 0.95), (32, 36, 34))
    on = int(rng.integers(3))
    colors = ((90, 300, 60), (40, 190, 300), (50, 50, 300))
    for lamp in range(3):
        low = 0.07 + 0.31 * lamp
        color = colors[lamp] if lamp == on else tuple(c * 0.18 for c in colors[lamp])
        casing = panel(casing, BOX_BACK, 0.2, 0.8, low, low + 0.25, color)
    return join(
        [cylinder(0.07, height, (70, 72, 74), sides=8), casing.moved(x=-0.15, z=height - 0.6)]
    )


def bollard(rng: np.random.Generator) -> Mesh:
    """A knee-high post with a light band."""
    color = np.array([60.0, 60.0, 62.0]) * rng.uniform(0.5, 2.5)
    lower = cylinder(0.06, 0.62, color, sides=8)
    band = cylinder(0.062, 0.14, (215, 220, 225), sides=8).moved(z=0.62)
    return join([lower, band, cylinder(0.06, 0.14, color, sides=8).moved(z=0.76)])


@cache
def _stock_pole(kind: int, index: int, lit: bool) -> Mesh:
    rng = np.random.default_rng((303, kind, index))
    if kind == 0:
        return lamp_post(rng, lit)
    return (traffic_sign, direction_board, traffic_light, bollard)[kind - 1](rng)


def random_pole(rng: np.random.Generator, lit: bool) -> Mesh:
    """One of a stock of poles, each built once a process; lit: street lamps are on."""
    kind = int(rng.choice(5, p=[0.42, 0.28, 0.08, 0.1, 0.12]))
    return _stock_pole(kind, int(rng.integers(24)), lit)
