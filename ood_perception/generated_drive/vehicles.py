"""Cars, vans, trucks and buses of flat faces."""

from __future__ import annotations

from functools import cache

import numpy as np

from .mesh import Mesh, join
from .solids import BOX_BACK, BOX_FRONT, BOX_LEFT, BOX_RIGHT, Color, box, cylinder, panel

_PAINTS = (
    (225, 225, 225),
    (40, 40, 42),
    (150, 150, 152),
    (110, 60, 40),
    (40, 40, 150),
    (90, 90, 95),
    (165, 120, 70),
    (60, 95, 60),
    (60, 140, 190),
    (30, 80, 180),
    (190, 190, 185),
)
_GLASS = (70, 58, 48)
_TYRE = (28, 28, 30)
_TRIM = (48, 48, 50)


def _paint(rng: np.random.Generator) -> Color:
    chosen = np.array(_PAINTS[rng.integers(len(_PAINTS))], np.float64)
    return np.clip(chosen * rng.uniform(0.8, 1.15) + rng.uniform(-10, 10, 3), 12, 250)


def _wheels(length: float, width: float, radius: float) -> list[Mesh]:
    parts = []
    for x in (-0.31 * length, 0.31 * length):
        for side in (-1, 1):
            tyre = cylinder(radius, 0.22, _TYRE, sides=12).turned(roll=np.pi / 2)
            hub = cylinder(0.6 * radius, 0.25, (135, 135, 135), sides=8).turned(roll=np.pi / 2)
            at = side * (width / 2 - 0.1)
            parts += [tyre.moved(x, at + 0.11, radius), hub.moved(x, at + 0.125, radius)]
    return parts


def _lights(body: Mesh, lit: bool) -> Mesh:
    """Red lamps, bumper and plate behind, white lamps and a grille in front."""
    red = (60, 60, 300) if lit else (35, 30, 170)
    white = (300, 320, 330) if lit else (215, 220, 222)
    for left, right in ((0.03, 0.2), (0.8, 0.97)):
        body = panel(body, BOX_BACK, left, right, 0.55, 0.85, red)
        body = panel(body, BOX_FRONT, left, right, 0.5, 0.75, white)
    body = panel(body, BOX_BACK, 0.02, 0.98, 0.02, 0.26, _TRIM)
    body = panel(body, BOX_BACK, 0.36, 0.64, 0.36, 0.56, (205, 215, 220))
    body = panel(body, BOX_FRONT, 0.24, 0.76, 0.12, 0.62, _TRIM)
    return panel(body, BOX_FRONT, 0.36, 0.64, 0.08, 0.24, (205, 215, 220))


def car(rng: np.random.Generator, lit: bool) -> Mesh:
    """A saloon, hatchback, estate or off-road car; its front looks along x."""
    paint = _paint(rng)
    length, width = rng.uniform(3.8, 4.8), rng.uniform(1.7, 1.88)
    height = rng.uniform(1.4, 1.75)
    floor, belt = 0.2, 0.56 * height
    lower = box((length, width, belt - floor), paint, taper=(0.97, 0.93))
    lower = _lights(lower, lit)
    for side in (BOX_LEFT, BOX_RIGHT):
        lower = panel(lower, side, 0.47, 0.475, 0.1, 0.98, _TRIM)
        lower = panel(lower, side, 0.0, 1.0, 0.0, 0.14, _TRIM)
    cabin_length = rng.uniform(0.52, 0.74) * length
    back_end = rng.uniform(-0.46, -0.36) * length
    cabin = box(
        (cabin_length, width * 0.92, height - belt),
        paint,
        taper=(rng.uniform(0.62, 0.8), 0.8),
        lean=-0.08 * cabin_length,
    )
    cabin = panel(cabin, BOX_BACK, 0.07, 0.93, 0.1, 0.86, _GLASS)
    cabin = panel(cabin, BOX_FRONT, 0.05, 0.95, 0.05, 0.9, _GLASS)
    for side in (BOX_LEFT, BOX_RIGHT):
        cabin = panel(cabin, side, 0.06, 0.48, 0.08, 0.85, _GLASS)
        cabin = panel(cabin, side, 0.52, 0.94, 0.08, 0.85, _GLASS)
    return join(
        [
            *_wheels(length, width, 0.31),
            lower.moved(z=floor),
            cabin.moved(x=back_end + cabin_length / 2, z=belt),
        ]
    )


def van(rng: np.random.Generator, lit: bool) -> Mesh:
    """A delivery van."""
    paint = _paint(rng)
    length, width, height = rng.uniform(4.8, 6.0), 1.98, rng.uniform(2.1, 2.6)
    body = _lights(box((length, width, 0.85), paint), lit)
    upper = box(
        (0.98 * length, width, height - 1.1), paint, taper=(0.94, 0.94), lean=-0.05 * length
    )
    upper = panel(upper, BOX_BACK, 0.08, 0.48, 0.35, 0.85, _GLASS)
    upper = panel(upper, BOX_BACK, 0.52, 0.92, 0.35, 0.85, _GLASS)
    upper = panel(upper, BOX_FRONT, 0.06, 0.94, 0.1, 0.7, _GLASS)
    upper = panel(upper, BOX_LEFT, 0.05, 0.24, 0.15, 0.7, _GLASS)
    upper = panel(upper, BOX_RIGHT, 0.76, 0.95, 0.15, 0.7, _GLASS)
    return join([*_wheels(length, width, 0.36), body.moved(z=0.25), upper.moved(z=1.1)])


def truck(rng: np.random.Generator, lit: bool) -> Mesh:
    """A truck with a closed load space."""
    cargo_paint, paint = _paint(rng), _paint(rng)
    length, width, height = rng.uniform(6.5, 9.5), 2.45, rng.uniform(3.2, 3.8)
    cargo = box((length - 2.3, width, height - 1.0), cargo_paint)
    cargo = panel(cargo, BOX_BACK, 0.03, 0.97, 0.03, 0.97, np.asarray(cargo_paint) * 0.85)
    cargo = panel(cargo, BOX_BACK, 0.49, 0.51, 0.03, 0.97, _TRIM)
    cabin = box((2.0, width * 0.98, 2.2), paint, taper=(0.9, 0.95), lean=-0.05)
    cabin = panel(cabin, BOX_FRONT, 0.05, 0.95, 0.45, 0.92, _GLASS)
    cabin = panel(cabin, BOX_LEFT, 0.1, 0.6, 0.5, 0.9, _GLASS)
    cabin = panel(cabin, BOX_RIGHT, 0.4, 0.9, 0.5, 0.9, _GLASS)
    base = _lights(box((length, width, 0.6), _TRIM), lit)
    return join(
        [
            *_wheels(length, width, 0.48),
            base.moved(z=0.45),
            cargo.moved(x=-1.15, z=1.05),
            cabin.moved(x=length / 2 - 1.05, z=0.75),
        ]
    )


def bus(rng: np.random.Generator, lit: bool) -> Mesh:
    """A city bus."""
    paint = _paint(rng)
    length, width = rng.uniform(9.0, 12.0), 2.5
    body = box((length, width, 2.7), paint, taper=(0.99, 0.97))
    body = panel(body, BOX_BACK, 0.1, 0.9, 0.55, 0.88, _GLASS)
    body = panel(body, BOX_FRONT, 0.05, 0.95, 0.3, 0.9, _GLASS)
    for side in (BOX_LEFT, BOX_RIGHT):
        body = panel(body, side, 0.03, 0.97, 0.45, 0.85, _GLASS)
    for left, right in ((0.04, 0.14), (0.86, 0.96)):
        body = panel(body, BOX_BACK, left, right, 0.1, 0.3, (60, 60, 300) if lit else (35, 30, 170))
        body = panel(
            body, BOX_FRONT, left, right, 0.1, 0.2, (300, 320, 330) if lit else (215, 220, 222)
        )
    return join([*_wheels(length, width, 0.48), body.moved(z=0.3)])


@cache
def _stock_vehicle(kind: str, index: int, lit: bool) -> Mesh:
    # Building a body costs more than drawing it: every process builds each one once.
    makers = {"car": car, "van": van, "truck": truck, "bus": bus}
    return makers[kind](np.random.default_rng((301, index)), lit)


def random_car(rng: np.random.Generator, lit: bool) -> Mesh:
    """A car of a stock of 64. lit: its lamps are on."""
    return _stock_vehicle("car", int(rng.integers(64)), lit)


def random_vehicle(rng: np.random.Generator, lit: bool) -> Mesh:
    """Mostly cars, sometimes something larger. lit: its lamps are on."""
    kind = str(rng.choice(["car", "van", "truck", "bus"], p=[0.76, 0.13, 0.07, 0.04]))
    return _stock_vehicle(kind, int(rng.integers(64 if kind == "car" else 24)), lit)
