"""The classes of generated scenes: one table with ids, names and colours."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class ClassId(IntEnum):
    """Values of the label image. Lane markings belong to ROAD, signs and lamps to POLE."""

    ROAD = 0
    PAVEMENT = 1
    BUILDING = 2
    VEGETATION = 3
    SKY = 4
    VEHICLE = 5
    PEDESTRIAN = 6
    POLE = 7


class SceneClass(NamedTuple):
    """One row of the table; color_rgb: three values in 0..255."""

    id: int
    name: str
    color_rgb: tuple[int, int, int]


UNKNOWN_ID = 254
"""Label value of an unknown object: something that belongs to none of the classes."""

IGNORE_ID = 255
"""Label value of pixels that neither training nor evaluation looks at."""

CLASSES: tuple[SceneClass, ...] = (
    SceneClass(ClassId.ROAD, "road", (128, 64, 128)),
    SceneClass(ClassId.PAVEMENT, "pavement", (244, 35, 232)),
    SceneClass(ClassId.BUILDING, "building", (70, 70, 70)),
    SceneClass(ClassId.VEGETATION, "vegetation", (107, 142, 35)),
    SceneClass(ClassId.SKY, "sky", (70, 130, 180)),
    SceneClass(ClassId.VEHICLE, "vehicle", (0, 0, 142)),
    SceneClass(ClassId.PEDESTRIAN, "pedestrian", (220, 20, 60)),
    SceneClass(ClassId.POLE, "pole", (220, 220, 0)),
)
