"""From the values in a label picture to class ids, unknown object (254) and ignore (255).

A label map is a YAML file, one of those in ``label_maps`` or anybody's own:

    name: my_streets
    classes: [road, pavement, car]     # class ids are places in this list, from 0
    stored: labelIds                   # only for trees that hold several label pictures a frame
    map: {0: ignore, 1: road, 2: pavement, 3: car, 9: unknown}

Every value that occurs in a picture has an entry: a class (name or id), ``ignore`` (255) or
``unknown`` (254). A value without one is an error that names the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from ood_perception.errors import OodError, first_line
from ood_training.label_values import IGNORE_LABEL, OOD_LABEL

_UNMAPPED = -1
_RESERVED = {"ignore": IGNORE_LABEL, "unknown": OOD_LABEL}


@dataclass(frozen=True)
class LabelMap:
    """A table from stored values to training labels.

    name: for messages.
    classes: names of the classes, by class id.
    table: (256,) int16; class id, 254, 255, or -1 where a stored value has no meaning.
    stored: which label picture of a frame it reads (``labelIds``, ``labelTrainIds``), or empty.
    """

    name: str
    classes: tuple[str, ...]
    table: NDArray[np.int16]
    stored: str = ""

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    @property
    def has_unknown(self) -> bool:
        """Whether any stored value stands for an unknown object."""
        return bool((self.table == OOD_LABEL).any())

    def apply(self, labels: NDArray[np.uint8], where: str | Path) -> NDArray[np.uint8]:
        """Translate a label picture.

        Args:
            labels: (H, W) uint8 stored values.
            where: what to name in a message, the file.

        Returns (H, W) uint8. Raises OodError when a stored value is not in the table.
        """
        mapped = self.table[labels]
        if mapped.min(initial=0) < 0:
            unknown = sorted(int(value) for value in np.unique(labels[mapped < 0]))
            raise OodError(
                f"{where}: label value {unknown[0]} is not in the label map {self.name!r}; "
                "correct the picture or add the value to the map"
            )
        return mapped.astype(np.uint8)


def make_label_map(
    name: str, classes: list[str], entries: Mapping[int, int | str], stored: str = ""
) -> LabelMap:
    """Build a checked table; OodError for values out of range or targets that are no class."""
    names = [str(one) for one in classes]
    if not names or len(set(names)) < len(names) or set(names) & set(_RESERVED):
        raise OodError(
            f"label map {name!r}: classes must be different names, none of them 'ignore' or "
            "'unknown'"
        )
    table = np.full(256, _UNMAPPED, np.int16)
    for value, target in entries.items():
        if type(value) is not int or not 0 <= value <= 255:
            raise OodError(f"label map {name!r}: {value!r} is no label value from 0 to 255")
        table[value] = _label(name, names, value, target)
    return LabelMap(name, tuple(names), table, stored)


def _label(name: str, classes: list[str], value: int, target: int | str) -> int:
    if target in _RESERVED:
        return _RESERVED[str(target)]
    if target in classes:
        return classes.index(str(target))
    if type(target) is int and (0 <= target < len(classes) or target in _RESERVED.values()):
        return target
    raise OodError(
        f"label map {name!r}: {value} goes to {target}, but there are {len(classes)} classes "
        f"(0..{len(classes) - 1}: {', '.join(classes)}), unknown ({OOD_LABEL}) and "
        f"ignore ({IGNORE_LABEL})"
    )


def label_map_names() -> tuple[str, ...]:
    """The label maps that ship with the package, sorted."""
    folder = resources.files("ood_training.datasets.label_maps")
    return tuple(sorted(one.name[:-5] for one in folder.iterdir() if one.name.endswith(".yaml")))


def load_label_map(name_or_path: str | Path) -> LabelMap:
    """Read a label map that ships with the package by its name, or any YAML file by its path.

    A path is one that ends in ``.yaml`` or ``.yml``, relative to the working folder. Raises
    OodError when there is none or it is not a label map.
    """
    text = _read(name_or_path)
    try:
        content = yaml.safe_load(text)
        return make_label_map(
            str(content["name"]),
            list(content["classes"]),
            dict(content["map"]),
            str(content.get("stored", "")),
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise OodError(
            f"{name_or_path}: not a label map (name, classes, map): {first_line(error)}"
        ) from error


def _read(name_or_path: str | Path) -> str:
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        if str(name_or_path) not in label_map_names():
            raise OodError(
                f"no label map {str(name_or_path)!r}: known are {', '.join(label_map_names())}; "
                "your own is named by its path (.yaml)"
            )
        shipped = resources.files("ood_training.datasets.label_maps") / f"{name_or_path}.yaml"
        return shipped.read_text(encoding="utf-8")
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise OodError(f"{path}: no such label map file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise OodError(f"{path}: cannot be read as a label map: {error}") from error


def identity_label_map(name: str, classes: list[str]) -> LabelMap:
    """Class ids stored as they are, with 254 for unknown objects and 255 for ignored pixels."""
    entries = {index: index for index in range(len(classes))}
    entries.update({OOD_LABEL: OOD_LABEL, IGNORE_LABEL: IGNORE_LABEL})
    return make_label_map(name, classes, entries)
