"""Simple bodies to build others from: boxes, cylinders, ellipsoids, rings, panels on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .mesh import Mesh, cross

Color = Sequence[float] | NDArray[Any]


def solid(vertices: ArrayLike, faces: Sequence[Sequence[int]], color: Color) -> Mesh:
    """A convex body; its faces are turned outwards."""
    points = np.asarray(vertices, np.float64)
    corners = max(len(face) for face in faces)
    padded = np.array([[*face, *[face[-1]] * (corners - len(face))] for face in faces])
    inside = points.mean(axis=0)
    first, second, third = (points[padded[:, k]] for k in range(3))
    normals = cross(second - first, third - first)
    inwards = np.einsum("ij,ij->i", normals, first - inside) < 0
    for row, face in enumerate(faces):
        if inwards[row]:
            turned = list(face)[::-1]
            padded[row] = [*turned, *[turned[-1]] * (corners - len(face))]
    colors = np.broadcast_to(np.asarray(color, np.float64), (len(faces), 3)).copy()
    return Mesh(points, padded, colors, np.arange(len(faces)))


_BOX_FACES = ((0, 1, 2, 3), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7))
BOX_FRONT, BOX_BACK, BOX_LEFT, BOX_RIGHT = 3, 5, 4, 2


def box(
    size: Sequence[float],
    color: Color,
    *,
    taper: tuple[float, float] = (1.0, 1.0),
    lean: float = 0.0,
) -> Mesh:
    """A box of (length x, width y, height z) with its base centred on the origin.

    taper: the top's length and width as shares of the base's. lean: shift of the top along x.
    """
    x, y, z = size[0] / 2, size[1] / 2, size[2]
    outline = np.array([[-x, -y, 0], [x, -y, 0], [x, y, 0], [-x, y, 0]])
    top = outline * (*taper, 1) + (lean, 0, z)
    return solid(np.concatenate([outline, top]), _BOX_FACES, color)


def panel(
    body: Mesh, face: int, left: float, right: float, bottom: float, top: float, color: Color
) -> Mesh:
    """The body with a flat panel on one of its four-cornered upright faces.

    left, right, bottom, top: shares (0..1) of the face, seen from outside.
    """
    corners = body.vertices[body.faces[face]]
    order = np.argsort(corners[:, 2], kind="stable")
    center = corners.mean(axis=0)
    normal = cross(corners[1] - corners[0], corners[2] - corners[0])
    sideways = cross(np.array([0.0, 0.0, 1.0]), normal)
    low = sorted(order[:2], key=lambda k: float((corners[k] - center) @ sideways))
    high = sorted(order[2:], key=lambda k: float((corners[k] - center) @ sideways))
    grid = corners[[low[0], low[1], high[0], high[1]]]

    def at(across: float, up: float) -> NDArray[np.float64]:
        lower = grid[0] * (1 - across) + grid[1] * across
        upper = grid[2] * (1 - across) + grid[3] * across
        return np.asarray(lower * (1 - up) + upper * up, np.float64)

    points = np.stack([at(left, bottom), at(right, bottom), at(right, top), at(left, top)])
    index = len(body.vertices) + np.arange(4)[None]
    faces = np.pad(index, ((0, 0), (0, body.faces.shape[1] - 4)), mode="edge")
    return Mesh(
        np.concatenate([body.vertices, points]),
        np.concatenate([body.faces, faces]),
        np.concatenate([body.colors, np.asarray(color, np.float64)[None]]),
        np.concatenate([body.parents, [body.parents[face]]]),
    )


def cylinder(
    radius: float, height: float, color: Color, *, top_radius: float | None = None, sides: int = 12
) -> Mesh:
    """An upright cylinder, or the stump of a cone where top_radius differs."""
    angles = np.arange(sides) * (2 * math.pi / sides)
    ring = np.stack([np.cos(angles), np.sin(angles), np.zeros(sides)], axis=1)
    upper = radius if top_radius is None else max(top_radius, 1e-3)
    vertices = np.concatenate([ring * radius, ring * upper + (0, 0, height)])
    faces: list[Sequence[int]] = [
        (k, (k + 1) % sides, sides + (k + 1) % sides, sides + k) for k in range(sides)
    ]
    faces += [tuple(range(sides)), tuple(range(sides, 2 * sides))]
    return solid(vertices, faces, color)


def ellipsoid(size: Sequence[float], color: Color, *, rings: int = 5, sides: int = 9) -> Mesh:
    """An ellipsoid of (length, width, height), centred on the origin."""
    vertices = []
    for ring in range(1, rings + 1):
        polar = math.pi * ring / (rings + 1)
        for side in range(sides):
            angle = 2 * math.pi * (side + 0.5 * (ring % 2)) / sides
            vertices.append(
                (
                    math.sin(polar) * math.cos(angle),
                    math.sin(polar) * math.sin(angle),
                    -math.cos(polar),
                )
            )
    faces: list[Sequence[int]] = [
        tuple(range(sides)),
        tuple(range((rings - 1) * sides, rings * sides)),
    ]
    for ring in range(rings - 1):
        for side in range(sides):
            here, beside = ring * sides + side, ring * sides + (side + 1) % sides
            faces.append((here, beside, beside + sides, here + sides))
    return solid(np.asarray(vertices) * np.asarray(size, np.float64) / 2, faces, color)


def torus(radius: float, thickness: float, color: Color, *, sides: int = 14) -> Mesh:
    """A ring lying flat: radius to the middle of its tube, centred on the origin."""
    around = np.arange(sides) * (2 * math.pi / sides)
    tube = np.arange(6) * (2 * math.pi / 6)
    reach = radius + thickness / 2 * np.cos(tube)[None, :]
    vertices = np.stack(
        [
            reach * np.cos(around)[:, None],
            reach * np.sin(around)[:, None],
            np.broadcast_to(thickness / 2 * np.sin(tube), (sides, 6)),
        ],
        axis=-1,
    ).reshape(-1, 3)
    faces = [
        (a * 6 + t, (a + 1) % sides * 6 + t, (a + 1) % sides * 6 + (t + 1) % 6, a * 6 + (t + 1) % 6)
        for a in range(sides)
        for t in range(6)
    ]
    colors = np.broadcast_to(np.asarray(color, np.float64), (len(faces), 3)).copy()
    return Mesh(vertices, np.array(faces), colors, np.arange(len(faces)))


def varied_faces(mesh: Mesh, rng: np.random.Generator, amount: float) -> Mesh:
    """The body with the brightness of each face varied by a relative standard deviation."""
    factors = rng.normal(1.0, amount, (len(mesh.faces), 1))
    return replace(mesh, colors=mesh.colors * np.clip(factors, 0.3, 1.8))


def dented(mesh: Mesh, rng: np.random.Generator, amount: float) -> Mesh:
    """The body with every vertex moved by a random share of its distance from the middle."""
    center = mesh.vertices.mean(axis=0)
    factors = rng.normal(1.0, amount, (len(mesh.vertices), 1))
    return replace(mesh, vertices=center + (mesh.vertices - center) * np.clip(factors, 0.4, 1.7))
