"""A plain folder of images and masks, for anybody's own data.

images/NAME.{jpg,jpeg,png,webp}
masks/NAME.png  or  labels/NAME.png       one channel of 8 bits
label_map.yaml                            what the values mean, unless a label map is named
"""

from __future__ import annotations

from pathlib import Path

from ood_perception.errors import OodError
from ood_training.datasets.frame_files import FrameFiles, by_frame_id, images_in, labels_in
from ood_training.datasets.label_map import LabelMap, label_map_names, load_label_map

_LABEL_FOLDERS = ("masks", "labels")


def folder_label_map(root: Path) -> Path | None:
    """The label map that lies in the folder, or None."""
    path = root / "label_map.yaml"
    return path if path.is_file() else None


def find_folder(root: Path, label_map: str | Path | None) -> FrameFiles:
    """Images with the masks of the same name.

    Raises OodError when there are no masks, two folders of them, or nothing says what they mean.
    """
    found = [root / name for name in _LABEL_FOLDERS if (root / name).is_dir()]
    if len(found) != 1:
        raise OodError(
            f"{root}: expected images/ and one folder of masks, masks/ or labels/; there "
            f"{'are both' if found else 'is neither'}"
        )
    chosen = label_map or folder_label_map(root)
    if chosen is None:
        raise OodError(
            f"{root}: nothing says what the label values mean; name a label map "
            f"({', '.join(label_map_names())}, or a .yaml file) or write {root / 'label_map.yaml'}"
        )
    return paired_folder(root, found[0], load_label_map(chosen))


def paired_folder(root: Path, labels: Path, label_map: LabelMap) -> FrameFiles:
    """``images`` of a folder with the label pictures of the same names."""
    folder = root / "images"
    images, twice = by_frame_id(images_in(folder))
    return FrameFiles(
        root.resolve().name,
        folder,
        images,
        labels_in(labels),
        label_map,
        lambda frame_id, _: labels / f"{frame_id}.png",
        named_twice=twice,
    )
