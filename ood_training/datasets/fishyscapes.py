"""Fishyscapes validation sets, LostAndFound and Static.

The downloads hold labels only (0 known, 1 unknown, 255 ignored); the images come from the data sets
that they are made of. Accepted below ROOT, or beside it:

    fishyscapes_lostandfound/NNNN_ID_labels.png          split LostAndFound
    [lost_and_found/]leftImg8bit/{train,test}/SCENE/ID_leftImg8bit.png

    fs_val_v1|2|3/NNNN_ID_labels.png, NNNN_ID_rgb.npz    split Static_v1|2|3 (Static: the only one)
    [cityscapes/]leftImg8bit/val/CITY/ID_leftImg8bit.png

NNNN is a running number of four digits, ID the frame id of the other data set; Static adds the
array ``rgb`` of the .npz file to the Cityscapes image. ROOT may also be a prepared folder, its
images finished; LABEL and IMAGE names are NNNN_ID, or any name that both have:

    labels/NAME_labels.png  or  labels/NAME.png
    images/NAME.png  or  NAME_rgb.png  or  ID_leftImg8bit.png
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from ood_perception.errors import OodError
from ood_training.datasets.city_tree import IMAGE_END
from ood_training.datasets.frame_files import FrameFiles, by_frame_id, images_in, labels_in
from ood_training.datasets.label_map import load_label_map

_LABEL_FOLDERS = {
    "LostAndFound": "fishyscapes_lostandfound",
    "Static_v1": "fs_val_v1",
    "Static_v2": "fs_val_v2",
    "Static_v3": "fs_val_v3",
}
_LABEL_END = "_labels"
_NUMBER = re.compile(r"\d{4}_")


def fishyscapes_splits(root: Path) -> tuple[str, ...]:
    """Those whose labels are there; nothing for a prepared folder."""
    return tuple(one for one, name in _LABEL_FOLDERS.items() if (root / name).is_dir())


def find_fishyscapes(root: Path, split: str | None, label_map: str | Path | None) -> FrameFiles:
    """Labels of one split, or of a prepared folder, with their images.

    Raises OodError when the split is not there or ``Static`` could be several versions, which
    differ in their numbers (section 9.1).
    """
    if split is None:
        return _prepared(root, label_map)
    if split == "Static":
        found = [one for one in fishyscapes_splits(root) if one.startswith("Static")]
        if len(found) != 1:
            there = ", ".join(found) or "none"
            raise OodError(f"{root}: name one version of Static; there is {there}")
        split = found[0]
    if split not in fishyscapes_splits(root):
        known = ", ".join(_LABEL_FOLDERS)
        raise OodError(f"{root}: no split {split!r} of Fishyscapes here; known are {known}")
    return _official(root, split, label_map)


def _official(root: Path, split: str, label_map: str | Path | None) -> FrameFiles:
    folder = root / _LABEL_FOLDERS[split]
    labels = labels_in(folder, _LABEL_END)
    static = split.startswith("Static")
    trees = _image_trees(root, "cityscapes" if static else "lost_and_found")
    sources: dict[str, Path] = {}
    for tree in trees:
        for path in images_in(tree, IMAGE_END, "*/*/*"):
            sources.setdefault(path.stem[: -len(IMAGE_END)], path)
    wanted = {one: sources.get(_NUMBER.sub("", one, count=1)) for one in labels}
    files = FrameFiles(
        f"fishyscapes-{split}",
        folder,
        {one: path for one, path in wanted.items() if path is not None},
        labels,
        load_label_map(label_map or "fishyscapes"),
        lambda frame_id, _: folder / f"{frame_id}{_LABEL_END}.png",
        image_places=" and ".join(str(tree) for tree in trees),
    )
    if not static:
        return files
    # Without its overlay an image is plain Cityscapes: nothing unknown in it.
    overlays = {one: folder / f"{one}_rgb.npz" for one in labels}
    return replace(files, overlays=overlays)


def _image_trees(root: Path, name: str) -> list[Path]:
    return [place / "leftImg8bit" for place in (root, root / name, root.resolve().parent / name)]


def _prepared(root: Path, label_map: str | Path | None) -> FrameFiles:
    folder, label_folder = root / "images", root / "labels"
    labels = {_without(one, _LABEL_END): path for one, path in labels_in(label_folder).items()}
    images, twice = by_frame_id(images_in(folder))
    images = {_without(_without(one, IMAGE_END), "_rgb"): path for one, path in images.items()}
    found = {one: images.get(one, images.get(_NUMBER.sub("", one, count=1))) for one in labels}
    return FrameFiles(
        root.resolve().name,
        label_folder,
        {one: path for one, path in found.items() if path is not None},
        labels,
        load_label_map(label_map or "fishyscapes"),
        lambda frame_id, _: label_folder / f"{frame_id}{_LABEL_END}.png",
        image_places=str(folder),
        named_twice=twice,
    )


def _without(name: str, end: str) -> str:
    return name[: len(name) - len(end)] if name.endswith(end) else name
