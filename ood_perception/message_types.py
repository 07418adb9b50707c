"""The message types of bags: those of ROS 2 and this package's own, read from its .msg files."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from ood_perception.errors import BagError

PACKAGE = "ood_detection"
OBSTACLES_TYPE = f"{PACKAGE}/msg/ObstacleComponentArray"
IMAGE_TYPE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE_TYPE = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO_TYPE = "sensor_msgs/msg/CameraInfo"

_OWN_MESSAGES = ("ObstacleComponent", "ObstacleComponentArray")


@cache
def message_typestore() -> Typestore:
    """The types of ROS 2 Jazzy (its sensor_msgs are those of Humble) and of this package.

    Raises BagError when the package's .msg files cannot be found or read.
    """
    store = get_typestore(Stores.ROS2_JAZZY)
    folder = definitions_folder()
    for name in _OWN_MESSAGES:
        definition = (folder / f"{name}.msg").read_text(encoding="utf-8")
        store.register(get_types_from_msg(definition, f"{PACKAGE}/msg/{name}"))
    return store


def definitions_folder() -> Path:
    """Where the package's .msg files lie: in the checkout, or in the share folder of an install.

    Raises BagError when they are in neither.
    """
    here = Path(__file__).resolve()
    sourced = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    prefixes = [*here.parents[1:], *(Path(entry) for entry in sourced if entry)]
    candidates = [here.parents[1] / "msg"]
    candidates += [prefix / "share" / PACKAGE / "msg" for prefix in prefixes]
    for folder in candidates:
        if all((folder / f"{name}.msg").is_file() for name in _OWN_MESSAGES):
            return folder
    raise BagError(
        f"the message definitions of {PACKAGE} are not installed: no share/{PACKAGE}/msg above "
        f"{here.parent} or in AMENT_PREFIX_PATH; install the package again or source its workspace"
    )


def make_message(typename: str, fields: dict[str, Any]) -> Any:
    """A message of the named type from nested dicts with the names of its fields.

    Every field of the type must be given; numbers of a numeric array become a NumPy array. Raises
    KeyError with the name of a field that is missing.
    """
    store = message_typestore()
    values = {
        name: _value(fields[name], descriptor) for name, descriptor in store.fielddefs[typename][1]
    }
    return store.types[typename](**values)


def _value(value: Any, descriptor: Any) -> Any:
    kind, detail = descriptor
    if kind is Nodetype.NAME:
        return make_message(detail, value) if isinstance(value, dict) else value
    if kind in (Nodetype.ARRAY, Nodetype.SEQUENCE):
        element_kind, element = detail[0]
        if element_kind is Nodetype.NAME:
            return [_value(entry, detail[0]) for entry in value]
        if element[0] != "string":
            return _numbers(value, element[0])
    return value


def _numbers(values: Any, element: str) -> Any:
    dtype = {"bool": "bool", "byte": "uint8", "char": "uint8"}.get(element, element)
    return np.ascontiguousarray(values, dtype=dtype)
