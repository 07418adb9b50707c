"""Drawing bodies by exact pinhole projection, and finding the ground under them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .camera import CameraSetup
from .canvas import Canvas
from .clipping import cut_before
from .light import Light
from .mesh import Mesh

NEAR_M = 0.4
"""Faces are cut off where they come nearer than this to the camera's plane."""

_SUBPIXEL_BITS = 4
_FARTHEST_PX = 30_000
_SMALL_PATCH_PX = 25_000


@dataclass(frozen=True)
class DrawnMesh:
    """Pixels that a body covered when it was drawn, before anything stood in front of it.

    lowest_row: its lowest row; lowest_columns: the columns that it covers there.
    """

    lowest_row: int
    lowest_columns: NDArray[Any]


class MeshBatch:
    """Bodies of one frame, vertices in the ground frame: projected and lit together, drawn singly.

    pattern arguments are (k, k) uint8 brightness laid over a body, 128 changes nothing.
    """

    def __init__(
        self, camera: CameraSetup, light: Light, ego_yaw_rad: float, meshes: Sequence[Mesh]
    ) -> None:
        self._camera, self._meshes = camera, meshes
        if not meshes:
            return
        self._vertex_starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
        self._face_starts = np.cumsum([0, *(len(mesh.faces) for mesh in meshes)])
        self._pixels, self._depth = camera.project(np.concatenate([m.vertices for m in meshes]))
        normals = np.concatenate([mesh.normals for mesh in meshes])
        centers = np.concatenate([mesh.centers for mesh in meshes]) - (0, 0, camera.height_m)
        self._seen = np.einsum("ij,ij->i", normals, centers) < 0
        distance = np.sqrt(np.einsum("ij,ij->i", centers, centers))
        nearest = np.minimum.reduceat(distance, self._face_starts[:-1])
        self._colors = _shaded_colors(meshes, normals, nearest, light, ego_yaw_rad)
        owner = np.repeat(np.arange(len(meshes)), np.diff(self._face_starts))
        parents = np.concatenate([mesh.parents for mesh in meshes]) + self._face_starts[owner]
        # Far to near inside a body; a panel comes right after the face that it lies on.
        self._order = np.lexsort((np.arange(len(owner)), parents, -distance[parents], owner))

    def draw(
        self,
        canvas: Canvas,
        index: int,
        label: int,
        instance: int = 0,
        pattern: NDArray[Any] | None = None,
    ) -> DrawnMesh | None:
        """Draw one of the bodies. Returns None when nothing of it is in the picture."""
        outlines, colors = self._visible_faces(index)
        if not len(outlines):
            return None
        points = np.concatenate(list(outlines))
        left, top = points.min(axis=0).tolist()
        right, bottom = points.max(axis=0).tolist()
        clip = canvas.clip_box(left - 1, top - 1, right + 2, bottom + 2)
        if clip is None:
            return None
        x0, y0, x1, y1 = clip
        size = (x1 - x0, y1 - y0)
        factor = 2 if instance or size[0] * size[1] < _SMALL_PATCH_PX else 1
        patch: NDArray[Any] = np.zeros((size[1] * factor, size[0] * factor, 4), np.uint8)
        for outline, color in zip(_fixed_point(outlines, x0, y0, factor), colors, strict=True):
            cv2.fillConvexPoly(patch, outline, color, cv2.LINE_8, _SUBPIXEL_BITS)
        if factor > 1:
            patch = cv2.resize(patch, size, interpolation=cv2.INTER_AREA)
        if pattern is not None:
            _lay_pattern(patch, pattern, (left - x0, top - y0, right - x0, bottom - y0))
        covered = canvas.blend(x0, y0, patch, label, instance)
        rows = np.flatnonzero(covered.any(axis=1))
        if not len(rows):
            return None
        return DrawnMesh(y0 + int(rows[-1]), x0 + np.flatnonzero(covered[rows[-1]]))

    def _visible_faces(
        self, index: int
    ) -> tuple[NDArray[np.float64] | list[NDArray[np.float64]], list[list[float]]]:
        """Pixel outlines of the faces of a body to draw one after another, and their colours."""
        mesh = self._meshes[index]
        start = self._face_starts[index]
        order = self._order[start : self._face_starts[index + 1]]
        order = order[self._seen[order]] - start
        colors = self._colors[start + order].tolist()
        vertices = slice(self._vertex_starts[index], self._vertex_starts[index + 1])
        if self._depth[vertices].min() >= NEAR_M:
            return self._pixels[vertices][mesh.faces[order]], colors
        camera = self._camera
        points = camera.to_camera(mesh.vertices)
        outlines, kept_colors = [], []
        for face, color in zip(order, colors, strict=True):
            cut = cut_before(points[mesh.faces[face]], axis=2, least=NEAR_M)
            if len(cut) > 2:
                scale = camera.focal_px / cut[:, 2:]
                outlines.append(cut[:, :2] * scale + camera.principal_point)
                kept_colors.append(color)
        return outlines, kept_colors


def _fixed_point(
    outlines: NDArray[np.float64] | list[NDArray[np.float64]], x0: int, y0: int, factor: int
) -> Iterable[NDArray[np.int32]]:
    """Outlines in the pixels of an enlarged patch at (x0, y0), as fillConvexPoly wants them."""

    def convert(pixels: NDArray[np.float64]) -> NDArray[np.int32]:
        # A pixel's centre lies at a whole number, so a pixel begins half a pixel before it.
        scaled = (pixels - (x0 - 0.5, y0 - 0.5)) * factor - 0.5
        limited = np.clip(scaled, -_FARTHEST_PX, _FARTHEST_PX)
        return np.rint(limited * (1 << _SUBPIXEL_BITS)).astype(np.int32)

    if isinstance(outlines, list):
        return [convert(outline) for outline in outlines]
    return convert(outlines)


def _shaded_colors(
    meshes: Sequence[Mesh],
    normals: NDArray[np.float64],
    nearest_m: NDArray[np.float64],
    light: Light,
    ego_yaw_rad: float,
) -> NDArray[np.float64]:
    """(m, 4) BGR and alpha of all faces in a light, through haze. Lamps shine by themselves."""
    colors = np.concatenate([mesh.colors for mesh in meshes])
    counts = [len(mesh.faces) for mesh in meshes]
    lamps = np.repeat([light.headlight_at(m) for m in nearest_m], counts)[:, None]
    haze = np.repeat([light.haze_share(m) for m in nearest_m], counts)[:, None]
    gains = light.shade(normals, ego_yaw_rad, lamps)
    lit = np.minimum(np.where(colors.max(axis=1, keepdims=True) > 255, colors, colors * gains), 255)
    hazy = np.clip(lit * (1 - haze) + haze * light.haze_color, 0, 255)
    return np.concatenate([hazy, np.full((len(hazy), 1), 255.0)], axis=1)


def _lay_pattern(
    patch: NDArray[Any], pattern: NDArray[Any], box: tuple[float, float, float, float]
) -> None:
    """Multiply a premultiplied patch by a pattern stretched over a box of pixels."""
    left, top, right, bottom = box
    scale_x = pattern.shape[1] / max(right - left, 1.0)
    scale_y = pattern.shape[0] / max(bottom - top, 1.0)
    to_pattern = np.array([[scale_x, 0, -left * scale_x], [0, scale_y, -top * scale_y]])
    stretched = cv2.warpAffine(
        pattern,
        to_pattern,
        (patch.shape[1], patch.shape[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    gain = cv2.merge([stretched, stretched, stretched])
    colors = cv2.multiply(np.ascontiguousarray(patch[:, :, :3]), gain, scale=1 / 128)
    # premultiplied colours may not exceed their alpha
    patch[:, :, :3] = np.minimum(colors, patch[:, :, 3:])


def shadow_outline(
    mesh: Mesh, light: Light, ego_yaw_rad: float, max_length_m: float = 12.0
) -> NDArray[np.float64]:
    """(k, 2) ground (x, y) of the convex outline of a body's shadow, or of its footprint.

    Without direct sun the outline is a little more than the body's own ground plan.
    """
    vertices = mesh.vertices
    if light.shadow > 0.02:
        sun = light.sun_from(ego_yaw_rad)
        reach = np.minimum(vertices[:, 2:3] / max(sun[2], 0.05), max_length_m)
        ground = vertices[:, :2] - reach * sun[:2]
    else:
        near_ground = vertices[:, 2] < 0.5
        ground = vertices[near_ground, :2] if near_ground.sum() > 2 else vertices[:, :2]
        ground = (ground - ground.mean(axis=0)) * 1.06 + ground.mean(axis=0)
    return cv2.convexHull(ground.astype(np.float32)).reshape(-1, 2).astype(np.float64)


def nearest_contact(mesh: Mesh) -> NDArray[np.float64]:
    """(2,) ground (x, y) of the point at which a body touches z = 0 nearest to the origin.

    The body's vertices are in the ground frame; at least one of them has z = 0 (within 1 cm).
    """
    touches = mesh.vertices[:, 2] < 0.01
    starts = mesh.faces.ravel()
    ends = np.roll(mesh.faces, -1, axis=1).ravel()
    edges = touches[starts] & touches[ends]
    if not edges.any():
        starts = ends = np.flatnonzero(touches)
    else:
        starts, ends = starts[edges], ends[edges]
    start = mesh.vertices[starts, :2]
    along = mesh.vertices[ends, :2] - start
    squared = np.einsum("ij,ij->i", along, along)
    share = -np.einsum("ij,ij->i", start, along) / np.where(squared > 0, squared, 1.0)
    nearest = start + np.clip(share, 0, 1)[:, None] * along
    best = int(np.argmin([math.hypot(x, y) for x, y in nearest]))
    return np.asarray(nearest[best], np.float64)
