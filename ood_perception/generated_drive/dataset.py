"""Generated scenes as a folder of images and labels."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray
from rich.progress import track

from ..errors import OodError
from .camera import CameraSetup
from .classes import CLASSES, IGNORE_ID, UNKNOWN_ID
from .drive import random_scene
from .frame import Frame
from .object_families import check_family


def scene_seed(seed: int, index: int) -> int:
    """The seed of scene number ``index`` of a data set of this seed; sets hardly ever overlap."""
    return (seed * 1000003 + index) % 2**63


def write_dataset(
    folder: str | Path,
    count: int,
    seed: int,
    *,
    family: str = "train",
    camera: CameraSetup | None = None,
    view_deg: tuple[float, float] | None = None,
    light: str | None = None,
    obstacle_count: int | None = None,
) -> Path:
    """Write single scenes into a new folder and return its path.

    It holds images/NAME.png (BGR colours), labels/NAME.png (class ids, 254 unknown object, 255
    ignore), classes.yaml, truth.json (per frame its camera and its objects) and camera.json (the
    nominal camera, and ``view_deg`` and ``light`` where given; the true camera of a frame is in
    truth.json). The folder appears only when it is whole.

    camera: of all scenes; the default's when None. view_deg: least and greatest angle of view in
    degrees instead, of which each scene draws its lens, evenly by the logarithm. light: one of
    LIGHT_KINDS for all scenes; each draws its own when None.
    obstacle_count: unknown objects a scene, None for a random number, 0 for none.
    Raises OodError when the folder exists and is not empty, or count is below 1.
    """
    folder = Path(folder)
    check_family(family)
    if count < 1:
        raise OodError(f"generated data set of {count} scenes: ask for at least 1")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OodError(f"{folder} exists and is not an empty folder: name a new one")
    folder.parent.mkdir(parents=True, exist_ok=True)
    if camera is not None and view_deg is not None:
        raise OodError("generated data set: give a camera or a range of lenses, not both")
    camera = camera or CameraSetup.default()
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        (unfinished / "images").mkdir()
        (unfinished / "labels").mkdir()
        truth: dict[str, Any] = {}
        for index in track(range(count), description="Drawing scenes"):
            number = scene_seed(seed, index)
            own = camera if view_deg is None else CameraSetup.of_scene(number, view_deg)
            frame = random_scene(
                number, camera=own, family=family, obstacle_count=obstacle_count, light=light
            )
            name = f"{index:06d}"
            _write_png(unfinished / "images" / f"{name}.png", frame.image)
            _write_png(unfinished / "labels" / f"{name}.png", frame.labels)
            truth[name] = {"seed": number, **frame_truth(frame)}
        _write_text(unfinished / "truth.json", json.dumps(truth, indent=1))
        given = {"view_deg": view_deg, "light": light}
        record = camera_record(camera) | {k: v for k, v in given.items() if v is not None}
        _write_text(unfinished / "camera.json", json.dumps(record, indent=1))
        _write_text(unfinished / "classes.yaml", yaml.safe_dump(class_record(), sort_keys=False))
        unfinished.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        os.replace(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def frame_truth(frame: Frame) -> dict[str, Any]:
    """The truth of a frame as plain values: stamp, camera, pose of the vehicle, objects."""
    return {
        "stamp_s": frame.stamp_s,
        "camera": camera_record(frame.camera),
        "ego_pose": frame.ego_pose._asdict(),
        "objects": [{**asdict(item), "box": item.box._asdict()} for item in frame.objects],
    }


def camera_record(camera: CameraSetup) -> dict[str, Any]:
    """The fields of a camera as plain values, and its matrix."""
    record = asdict(camera)
    record["principal_point"] = list(camera.principal_point)
    record["matrix"] = camera.matrix().tolist()
    record["pitch_deg"] = math.degrees(camera.pitch_rad)
    return record


def class_record() -> dict[str, Any]:
    """The table of classes as plain values."""
    return {
        "classes": [
            {"id": int(row.id), "name": row.name, "color_rgb": list(row.color_rgb)}
            for row in CLASSES
        ],
        "unknown_id": UNKNOWN_ID,
        "ignore_id": IGNORE_ID,
    }


def _write_png(path: Path, image: NDArray[np.uint8]) -> None:
    if not cv2.imwrite(str(path), image):
        raise OodError(f"cannot write {path}: is the disk full?")


def _write_text(path: Path, text: str) -> None:
    path.write_text(text + "\n", encoding="utf-8")
