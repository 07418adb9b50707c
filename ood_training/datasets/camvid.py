"""CamVid in the edition with 11 classes: ``SPLIT/NAME.jpg`` and ``SPLITannot/NAME.png``."""

from __future__ import annotations

from pathlib import Path

from ood_training.datasets.frames import FrameDataset, pair_frames
from ood_training.datasets.label_map import load_label_map


def camvid(root: Path, split: str) -> FrameDataset:
    """The split ``train`` or ``val``; frame ids are file names without suffix.

    Raises OodError when the folder holds no frame or labels are missing.
    """
    folder = root / split
    images = [path for suffix in ("jpg", "png") for path in folder.glob(f"*.{suffix}")]
    return pair_frames(
        f"camvid-{split}",
        images,
        lambda image: root / f"{split}annot" / f"{image.stem}.png",
        load_label_map("camvid"),
        folder,
    )
