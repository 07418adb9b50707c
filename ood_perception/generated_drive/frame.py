"""One generated frame and what is exactly known about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..ego_motion import EgoPose
from .camera import CameraSetup

__all__ = ["BoundingBox", "EgoPose", "Frame", "ObjectTruth"]


class BoundingBox(NamedTuple):
    """Rectangle in pixels: left and top inclusive, width, height. All 0 when nothing is seen."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class ObjectTruth:
    """What is true of one unknown object in one frame. Metres are in the ground frame.

    id: its value in ``Frame.instances``; the same in every frame of a drive.
    shape: what it is ("barrel", "tyre", ...).
    distance_m: ground distance from the point below the camera to the nearest contact point.
    nearest_contact_m: (x forward, y left) of that nearest contact point.
    position_m: (x, y) of the middle of its footprint.
    lateral_m: y of that middle; left is positive.
    width_m, height_m: extent across the line of sight, and above the ground.
    contact_px: (u, v) where the nearest contact point lies in the image (it may be outside).
    visible_px: number of pixels in ``Frame.instances``.
    box: the rectangle around these pixels.
    lower_edge_visible: its lowest pixels are in the image and nothing stands before them.
    """

    id: int
    shape: str
    distance_m: float
    nearest_contact_m: tuple[float, float]
    position_m: tuple[float, float]
    lateral_m: float
    width_m: float
    height_m: float
    contact_px: tuple[float, float]
    visible_px: int
    box: BoundingBox
    lower_edge_visible: bool


@dataclass(frozen=True)
class Frame:
    """One picture of the drive.

    image: (H, W, 3) uint8 BGR.
    labels: (H, W) uint8: class ids, 254 for unknown objects.
    instances: (H, W) int32: the id of the unknown object at a pixel, else 0.
    objects: the truth about every unknown object that shows at least one pixel.
    stamp_s: seconds since the start of the drive. index: number of the frame.
    camera: the camera that took it. ego_pose: where the ground frame is in the world,
    which is the ground frame at time 0.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    instances: NDArray[np.int32]
    objects: tuple[ObjectTruth, ...]
    stamp_s: float
    index: int
    camera: CameraSetup
    ego_pose: EgoPose
