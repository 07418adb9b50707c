"""Every kind of data set by its name: frames with classes, or frames with unknown objects.

A label map is a name from ``label_maps`` or the path of a YAML file (``label_map.py`` shows one).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ood_perception.errors import OodError
from ood_training.datasets.camvid import camvid_splits, find_camvid
from ood_training.datasets.cityscapes import CITYSCAPES
from ood_training.datasets.fishyscapes import find_fishyscapes, fishyscapes_splits
from ood_training.datasets.folder import find_folder
from ood_training.datasets.frame_files import FrameFiles
from ood_training.datasets.frames import FrameDataset
from ood_training.datasets.generated import find_generated
from ood_training.datasets.label_map import load_label_map
from ood_training.datasets.lost_and_found import (
    NO_KNOWN_SPLIT,
    find_lost_and_found,
    lost_and_found_splits,
)
from ood_training.datasets.smiyc import find_smiyc, smiyc_splits

DATASET_KINDS = (
    "camvid",
    "cityscapes",
    "lost_and_found",
    "fishyscapes",
    "smiyc",
    "folder",
    "generated",
)
# Kinds with splits in their trees. The others have none: there a split is a folder below the root.
SPLIT_KINDS = DATASET_KINDS[:5]

_EVALUATION_SPLIT = {"camvid": "val", "cityscapes": "val", "lost_and_found": "test"}
# Label maps that give the same frames other classes.
_OTHER_LABEL_MAPS = {"cityscapes": ("cityscapes_to_camvid",)}
_SPLITS: dict[str, Callable[[Path], tuple[str, ...]]] = {
    "camvid": camvid_splits,
    "cityscapes": CITYSCAPES.splits,
    "lost_and_found": lost_and_found_splits,
    "fishyscapes": fishyscapes_splits,
    "smiyc": smiyc_splits,
}


def open_dataset(
    kind: str,
    root: Path,
    split: str | None = None,
    label_map: str | Path | None = None,
    classes: tuple[str, ...] | None = None,
) -> FrameDataset:
    """Frames with labels: class ids, 254 unknown object, 255 ignore.

    Args:
        kind: one of ``DATASET_KINDS``.
        root: the data set's folder, as its module describes it.
        split: None takes the one for evaluation (``val`` of CamVid and Cityscapes, ``test`` of
            LostAndFound), or the only one.
        label_map: name or path; None takes the data set's own.
        classes: the classes that a network has. Without a label map, the one that gives these
            classes is chosen; labels with other classes are refused.

    Raises OodError when the kind is unknown, nothing is found, a counterpart is missing or the
    classes differ.
    """
    dataset = find_files(kind, root, split, label_map).dataset()
    if classes is None or dataset.label_map.classes == tuple(classes):
        return dataset
    for other in _OTHER_LABEL_MAPS.get(kind, ()) if label_map is None else ():
        if load_label_map(other).classes == tuple(classes):
            return find_files(kind, root, split, other).dataset()
    stored = dataset.label_map.classes
    raise OodError(
        f"{dataset.name} has {len(stored)} classes ({', '.join(stored)}), the network "
        f"{len(classes)} ({', '.join(classes)}); name a label map with the network's classes"
    )


def dataset_splits(kind: str, root: Path) -> tuple[str, ...]:
    """The splits whose folders are there; empty for a kind that has none."""
    _check(kind, root)
    return _SPLITS[kind](root) if kind in _SPLITS else ()


def find_files(
    kind: str, root: Path, split: str | None = None, label_map: str | Path | None = None
) -> FrameFiles:
    """What is there, images and labels perhaps without their counterpart; OodError for the rest."""
    _check(kind, root)
    if kind == "folder":
        return find_folder(_below(root, split), label_map)
    if kind == "generated":
        return find_generated(_below(root, split), label_map)
    chosen = _split(kind, root, split)
    if kind == "fishyscapes":
        return find_fishyscapes(root, chosen, label_map)
    if kind == "smiyc":
        return find_smiyc(root, chosen, label_map)
    if chosen is None:
        raise OodError(f"{root}: no split found; this is not the tree of {kind}")
    if kind == "lost_and_found":
        return find_lost_and_found(root, chosen, label_map)
    find = find_camvid if kind == "camvid" else CITYSCAPES.find
    return find(root, chosen, label_map)


def _check(kind: str, root: Path) -> None:
    if kind not in DATASET_KINDS:
        raise OodError(f"no kind of data set {kind!r}: known are {', '.join(DATASET_KINDS)}")
    if not root.is_dir():
        raise OodError(f"{root}: no such folder")


def _split(kind: str, root: Path, split: str | None) -> str | None:
    """The split to read, None when the tree has none."""
    found = _SPLITS[kind](root)
    if split is None:
        if _EVALUATION_SPLIT.get(kind) in found:
            return _EVALUATION_SPLIT[kind]
        if len(found) > 1:
            raise OodError(f"{root}: name a split of {kind}: {', '.join(found)}")
        return found[0] if found else None
    choices = set(found)
    if kind == "lost_and_found" and "test" in found:
        choices.add(NO_KNOWN_SPLIT)
    if (kind == "fishyscapes" and split == "Static") or split in choices:
        return split
    raise OodError(
        f"{root}: no split {split!r} of {kind}; there is {', '.join(sorted(choices)) or 'none'}"
    )


def _below(root: Path, split: str | None) -> Path:
    """The folder of a split, for kinds that keep each in a folder of its own."""
    if split is None:
        return root
    if not (root / split).is_dir():
        raise OodError(f"{root / split}: no such folder; leave out the split for {root} itself")
    return root / split
