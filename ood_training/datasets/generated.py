"""A folder of generated scenes: ``images/NAME.png``, ``labels/NAME.png``, ``classes.yaml``."""

from __future__ import annotations

from pathlib import Path

import yaml

from ood_perception.errors import OodError, first_line
from ood_training.datasets.folder import paired_folder
from ood_training.datasets.frame_files import FrameFiles
from ood_training.datasets.frames import FrameDataset
from ood_training.datasets.label_map import identity_label_map, load_label_map


def generated_classes(root: Path) -> tuple[str, ...]:
    """Class names of a generated folder, by id.

    The file holds, under ``classes`` or at its top, names or entries with ``id`` and ``name``.

    Raises OodError when the file is missing or is no list of names.
    """
    path = root / "classes.yaml"
    if not path.is_file():
        raise OodError(f"{path}: no such file; a generated folder lists its classes there")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise OodError(f"{path}: not YAML: {first_line(error)}") from error
    names = content.get("classes") if isinstance(content, dict) else content
    if isinstance(names, list) and all(isinstance(entry, dict) for entry in names):
        by_id = {entry.get("id"): entry.get("name") for entry in names}
        names = [by_id.get(index) for index in range(len(names))]
    if not isinstance(names, list) or len(names) < 2 or None in names:
        raise OodError(f"{path}: expected at least two classes with a name and an id from 0 on")
    return tuple(str(name) for name in names)


def find_generated(root: Path, label_map: str | Path | None) -> FrameFiles:
    """Images and labels; without a label map, labels hold class ids, 254 and 255 as they are."""
    chosen = (
        identity_label_map(root.resolve().name, list(generated_classes(root)))
        if label_map is None
        else load_label_map(label_map)
    )
    return paired_folder(root, root / "labels", chosen)


def generated(root: Path) -> FrameDataset:
    """Every frame of the folder; labels hold class ids, 254 (unknown object) and 255 (ignore).

    Raises OodError when a file is missing.
    """
    return find_generated(root, None).dataset()
