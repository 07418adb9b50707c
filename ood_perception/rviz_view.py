"""RViz configurations for the cameras at hand, made from the shipped one for one camera."""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ood_perception.errors import OodError

_TEMPLATE_NODE = "/ood_perception"
_TEMPLATE_CAMERA = f"{_TEMPLATE_NODE}/camera/"
_AS_NAMED: Mapping[str, str] = {}


def view_of(
    template: str,
    cameras: Sequence[str],
    node: str = _TEMPLATE_NODE,
    images: Mapping[str, str] = _AS_NAMED,
) -> str:
    """The text of an RViz configuration with the displays of one camera for each of these.

    template: text of the configuration for the camera "camera" of the node /ood_perception.
    node: full name of the node. images: the topic on which a camera's images really come, where
    that is not NODE/CAMERA/image: the driver's, when the node is remapped to it, with the ending
    /compressed when only that is published. Displays of no camera (ground, transforms) stay as
    they are.
    """
    view = yaml.safe_load(template)
    manager = view["Visualization Manager"]
    shared = [display for display in manager["Displays"] if not _is_of_camera(display)]
    of_camera = [display for display in manager["Displays"] if _is_of_camera(display)]
    manager["Displays"] = shared + [
        _display(display, camera, node, images, named=len(cameras) > 1)
        for camera in cameras
        for display in of_camera
    ]
    return yaml.safe_dump(view, sort_keys=False)


def write_view(
    template: Path | str,
    cameras: Sequence[str],
    node: str = _TEMPLATE_NODE,
    images: Mapping[str, str] = _AS_NAMED,
) -> str:
    """Writes such a configuration into the folder for temporary files and returns its path.

    Raises OodError when the template cannot be read or the file not be written.
    """
    try:
        text = view_of(Path(template).read_text(encoding="utf-8"), cameras, node, images)
        handle, path = tempfile.mkstemp(prefix="ood_perception-", suffix=".rviz")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise OodError(f"cannot make an RViz view of {template}: {error.strerror}") from error
    return path


def _is_of_camera(display: dict[str, Any]) -> bool:
    return str(display.get("Topic", {}).get("Value", "")).startswith(_TEMPLATE_CAMERA)


def _display(
    display: dict[str, Any], camera: str, node: str, images: Mapping[str, str], named: bool
) -> dict[str, Any]:
    made = copy.deepcopy(display)
    ending = made["Topic"]["Value"].removeprefix(_TEMPLATE_CAMERA)
    topic = f"{node}/{camera}/{ending}"
    made["Topic"]["Value"] = images.get(camera, topic) if ending == "image" else topic
    if named:
        made["Name"] = f"{camera}: {made['Name']}"
    return made
