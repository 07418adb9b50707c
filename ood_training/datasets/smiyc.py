"""Anomaly sets in SegmentMeIfYouCan's layout; they are for measuring, never for choosing."""

from __future__ import annotations

from pathlib import Path

from ood_training.datasets.frames import FrameDataset, pair_frames
from ood_training.datasets.label_map import load_label_map


def smiyc(root: Path) -> FrameDataset:
    """``images/NAME.*`` with ``labels_masks/NAME_labels_semantic.png``.

    Labels: 0 known, 254 anomaly, 255 outside the evaluation. Raises OodError when the folder
    holds no frame or labels are missing.
    """
    folder = root / "images"
    images = [p for suffix in ("jpg", "png", "webp") for p in folder.glob(f"*.{suffix}")]
    return pair_frames(
        root.name,
        images,
        lambda image: root / "labels_masks" / f"{image.stem}_labels_semantic.png",
        load_label_map("smiyc"),
        folder,
    )
