"""From the ids in a label picture to class ids, unknown object (254) and ignore (255)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.losses import IGNORE_LABEL, OOD_LABEL

_UNMAPPED = -1


@dataclass(frozen=True)
class LabelMap:
    """A table from stored ids to training labels.

    name: for messages.
    classes: names of the classes, by class id.
    table: (256,) int16; class id, 254, 255, or -1 where a stored id has no meaning.
    """

    name: str
    classes: tuple[str, ...]
    table: NDArray[np.int16]

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    def apply(self, labels: NDArray[np.uint8], where: str | Path) -> NDArray[np.uint8]:
        """Translate a label picture.

        Args:
            labels: (H, W) uint8 stored ids.
            where: what to name in a message, the file.

        Returns (H, W) uint8. Raises OodError when a stored id is not in the table.
        """
        mapped = self.table[labels]
        if mapped.min(initial=0) < 0:
            unknown = sorted(int(value) for value in np.unique(labels[mapped < 0]))
            raise OodError(
                f"{where}: label value {unknown[0]} is not in the label map {self.name!r}; "
                "correct the picture or add the value to the map"
            )
        return mapped.astype(np.uint8)


def make_label_map(name: str, classes: list[str], entries: dict[int, int]) -> LabelMap:
    """Build a checked table; raises OodError for ids out of range or targets that are no class."""
    table = np.full(256, _UNMAPPED, np.int16)
    for stored, label in entries.items():
        if not (isinstance(stored, int) and isinstance(label, int) and 0 <= stored <= 255):
            raise OodError(f"label map {name!r}: entry {stored}: {label} is not a pair of ids")
        if not 0 <= label < len(classes) and label not in (OOD_LABEL, IGNORE_LABEL):
            raise OodError(
                f"label map {name!r}: {stored} goes to {label}, but there are {len(classes)} "
                f"classes (0..{len(classes) - 1}), {OOD_LABEL} (unknown object) and "
                f"{IGNORE_LABEL} (ignore)"
            )
        table[stored] = label
    return LabelMap(name, tuple(str(one) for one in classes), table)


def load_label_map(name_or_path: str | Path) -> LabelMap:
    """Read a label map that ships with the package by its name, or any YAML file by its path.

    Raises OodError when there is none or it is not a label map.
    """
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise OodError(f"{path}: no such label map file")
        text = path.read_text(encoding="utf-8")
    else:
        folder = resources.files("ood_training.datasets.label_maps")
        shipped = folder / f"{name_or_path}.yaml"
        if not shipped.is_file():
            known = sorted(one.name[:-5] for one in folder.iterdir() if one.name.endswith(".yaml"))
            raise OodError(f"no label map {str(name_or_path)!r}: known are {', '.join(known)}")
        text = shipped.read_text(encoding="utf-8")
    try:
        content = yaml.safe_load(text)
        return make_label_map(content["name"], list(content["classes"]), dict(content["map"]))
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise OodError(
            f"{name_or_path}: not a label map (name, classes, map): {str(error).splitlines()[0]}"
        ) from error


def identity_label_map(name: str, classes: list[str]) -> LabelMap:
    """Class ids stored as they are, with 254 for unknown objects and 255 for ignored pixels."""
    entries = {index: index for index in range(len(classes))}
    entries.update({OOD_LABEL: OOD_LABEL, IGNORE_LABEL: IGNORE_LABEL})
    return make_label_map(name, classes, entries)
