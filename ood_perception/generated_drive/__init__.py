"""Generated driving scenes with exact truth: for a demo without data, for training, for tests.

Simple bodies and textures, a true pinhole camera: looks are plausible, geometry is exact.
The same seed gives the same truth everywhere, and the same pixels for the same OpenCV release (its
releases fill polygons and interpolate a little differently).
"""

from .camera import CameraSetup
from .classes import CLASSES, IGNORE_ID, UNKNOWN_ID, ClassId, SceneClass
from .dataset import write_dataset
from .drive import Drive, random_scene
from .frame import BoundingBox, EgoPose, Frame, ObjectTruth
from .light import LIGHT_KINDS
from .object_families import FAMILIES
from .road_surface import ROAD_STYLES

__all__ = [
    "CLASSES",
    "FAMILIES",
    "IGNORE_ID",
    "LIGHT_KINDS",
    "ROAD_STYLES",
    "UNKNOWN_ID",
    "BoundingBox",
    "CameraSetup",
    "ClassId",
    "Drive",
    "EgoPose",
    "Frame",
    "ObjectTruth",
    "SceneClass",
    "random_scene",
    "write_dataset",
]
