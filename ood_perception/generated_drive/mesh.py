"""Bodies of flat, coloured faces: what vehicles, people and objects are made of.

A body's own frame: x to its front, y to its left, z up, in metres; it stands on z = 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Mesh:
    """vertices: (n, 3). faces: (m, k) int indices, convex, counter-clockwise from outside; short
    ones repeat their last index. colors: (m, 3) BGR, above 255 for lamps. parents: (m,) int,
    the face in whose plane a face lies as a panel (a window), or the face itself.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    colors: NDArray[np.float64]
    parents: NDArray[np.int64]

    @cached_property
    def normals(self) -> NDArray[np.float64]:
        """(m, 3) outward unit normals of the faces."""
        first, second, third = (self.vertices[self.faces[:, corner]] for corner in range(3))
        normals = cross(second - first, third - first)
        return normals / (np.sqrt((normals**2).sum(axis=1, keepdims=True)) + 1e-12)

    @cached_property
    def centers(self) -> NDArray[np.float64]:
        """(m, 3) means of the corners of the faces."""
        return np.asarray(self.vertices[self.faces].mean(axis=1), np.float64)

    def placed(self, x: float, y: float, yaw: float) -> Mesh:
        """The body turned about z and then shifted; what is known of its faces goes with it."""
        cos, sin = math.cos(yaw), math.sin(yaw)
        turn = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
        shift = (x, y, 0.0)
        mesh = Mesh(self.vertices @ turn + shift, self.faces, self.colors, self.parents)
        mesh.__dict__["normals"] = self.normals @ turn
        mesh.__dict__["centers"] = self.centers @ turn + shift
        return mesh

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Mesh:
        """The body shifted by metres."""
        return replace(self, vertices=self.vertices + np.array([x, y, z]))

    def turned(self, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> Mesh:
        """The body turned about x (roll), then y (pitch), then z (yaw), in radians."""
        cr, sr = math.cos(roll), math.sin(roll)
        cp, sp = math.cos(pitch), math.sin(pitch)
        cy, sy = math.cos(yaw), math.sin(yaw)
        about_x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
        about_y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
        about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
        return replace(self, vertices=self.vertices @ (about_z @ about_y @ about_x).T)

    def scaled(self, factors: ArrayLike) -> Mesh:
        """The body stretched by positive factors along x, y and z."""
        return replace(self, vertices=self.vertices * np.asarray(factors, np.float64))

    def grounded(self) -> Mesh:
        """The body shifted so that its lowest point touches z = 0."""
        return self.moved(z=-float(self.vertices[:, 2].min()))

    def pressed_flat(self, share: float = 0.08) -> Mesh:
        """The body cut off at a share of its height, so that it rests on a flat base."""
        vertices = self.grounded().vertices.copy()
        cut = share * vertices[:, 2].max()
        vertices[:, 2] = np.maximum(vertices[:, 2] - cut, 0.0)
        return replace(self, vertices=vertices)

    def size(self) -> NDArray[np.float64]:
        """(3,) extent along x, y and z."""
        return np.asarray(np.ptp(self.vertices, axis=0), np.float64)


def cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cross products of (..., 3) vectors; on few vectors much faster than np.cross."""
    return np.stack(
        [
            a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1],
            a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2],
            a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0],
        ],
        axis=-1,
    )


def join(parts: Iterable[Mesh]) -> Mesh:
    """One body of several."""
    parts = list(parts)
    corners = max(part.faces.shape[1] for part in parts)
    faces, parents = [], []
    vertex_count = face_count = 0
    for part in parts:
        padding = ((0, 0), (0, corners - part.faces.shape[1]))
        faces.append(np.pad(part.faces, padding, mode="edge") + vertex_count)
        parents.append(part.parents + face_count)
        vertex_count += len(part.vertices)
        face_count += len(part.faces)
    return Mesh(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate(faces),
        np.concatenate([part.colors for part in parts]),
        np.concatenate(parents),
    )
