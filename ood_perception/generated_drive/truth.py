"""The exact truth about the unknown objects of a frame."""

from __future__ import annotations

import math

import cv2
import numpy as np

from ood_perception.ground_projection import left_of

from .camera import CameraSetup
from .canvas import Canvas
from .frame import BoundingBox, ObjectTruth
from .mesh_drawing import nearest_contact
from .scene_drawing import PlacedObject


def object_truths(
    canvas: Canvas, camera: CameraSetup, objects: list[PlacedObject]
) -> tuple[ObjectTruth, ...]:
    """One entry for every object that shows at least one pixel, by rising id."""
    truths = []
    for placed in objects:
        if placed.drawn is None:
            continue
        mask = canvas.instances == placed.body.instance
        box = BoundingBox(*cv2.boundingRect(mask.astype(np.uint8)))
        visible_px = int(np.count_nonzero(mask))
        if visible_px == 0:
            continue
        contact = nearest_contact(placed.mesh)
        pixels, _ = camera.project(np.array([[*contact, 0.0]]))
        footprint = placed.mesh.vertices[:, :2]
        middle = (footprint.min(axis=0) + footprint.max(axis=0)) / 2
        drawn = placed.drawn
        shown = mask[drawn.lowest_row, drawn.lowest_columns].mean()
        inside = drawn.lowest_row < camera.height - 1 and box.x > 0
        inside = inside and box.x + box.width < camera.width
        truths.append(
            ObjectTruth(
                id=placed.body.instance,
                shape=placed.body.shape,
                distance_m=math.hypot(*contact),
                nearest_contact_m=(float(contact[0]), float(contact[1])),
                position_m=(float(middle[0]), float(middle[1])),
                lateral_m=float(middle[1]),
                width_m=_width_across(placed, middle),
                height_m=float(placed.mesh.vertices[:, 2].max()),
                contact_px=(float(pixels[0, 0]), float(pixels[0, 1])),
                visible_px=visible_px,
                box=box,
                lower_edge_visible=bool(inside and shown > 0.5),
            )
        )
    return tuple(truths)


def _width_across(placed: PlacedObject, middle: np.ndarray) -> float:
    """Extent across the line of sight from the camera's foot point to the middle."""
    sight = middle / (np.linalg.norm(middle) + 1e-9)
    across = placed.mesh.vertices[:, :2] @ left_of(sight)
    return float(np.ptp(across))
