"""Cityscapes in its official tree, with fine annotations.

leftImg8bit/SPLIT/CITY/CITY_SEQUENCE_FRAME_leftImg8bit.png
gtFine/SPLIT/CITY/CITY_SEQUENCE_FRAME_gtFine_labelIds.png      (or ..._labelTrainIds.png)
"""

from __future__ import annotations

from pathlib import Path

from ood_training.datasets.city_tree import CityTree
from ood_training.datasets.frames import FrameDataset

CITYSCAPES = CityTree("cityscapes", "gtFine", "cityscapes_label_ids")


def cityscapes(
    root: Path, split: str, label_map: str | Path | None = "cityscapes_to_camvid"
) -> FrameDataset:
    """One split, its labels translated by ``label_map`` (None: the 19 training classes).

    Frame ids are ``CITY_SEQUENCE_FRAME``. Raises OodError when the folder holds no frame or labels
    are missing.
    """
    return CITYSCAPES.find(root, split, label_map).dataset()
