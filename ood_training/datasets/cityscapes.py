"""Cityscapes in its official tree: ``leftImg8bit/SPLIT/CITY`` and ``gtFine/SPLIT/CITY``."""

from __future__ import annotations

from pathlib import Path

from ood_training.datasets.frames import FrameDataset, pair_frames
from ood_training.datasets.label_map import load_label_map

_IMAGE_END = "_leftImg8bit.png"


def cityscapes(root: Path, split: str, label_map: str = "cityscapes_to_camvid") -> FrameDataset:
    """One split with fine label ids translated by ``label_map``.

    Frame ids are ``CITY_SEQUENCE_FRAME``. Raises OodError when the folder holds no frame or labels
    are missing.
    """
    folder = root / "leftImg8bit" / split

    def frame_id(image: Path) -> str:
        return image.name[: -len(_IMAGE_END)]

    def labels(image: Path) -> Path:
        city = root / "gtFine" / split / image.parent.name
        return city / f"{frame_id(image)}_gtFine_labelIds.png"

    return pair_frames(
        f"cityscapes-{split}",
        list(folder.glob(f"*/*{_IMAGE_END}")),
        labels,
        load_label_map(label_map),
        folder,
        frame_id,
    )
