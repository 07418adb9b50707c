"""Anomaly sets in SegmentMeIfYouCan's layout; they are for measuring, never for choosing.

    images/NAME.{jpg,png,webp}
    labels_masks/NAME_labels_semantic.png      0 known, 1 anomaly, 255 outside the evaluation

The benchmark's own downloads hold labels for the frames named ``validation...`` alone: these are
the split ``validation``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ood_training.datasets.frame_files import FrameFiles, by_frame_id, images_in, labels_in
from ood_training.datasets.frames import FrameDataset
from ood_training.datasets.label_map import load_label_map

VALIDATION = "validation"
_LABEL_END = "_labels_semantic"


def smiyc_splits(root: Path) -> tuple[str, ...]:
    """``validation`` for a tree in which other frames have no labels, else nothing."""
    files = find_smiyc(root, None, None)
    validation = any(one.startswith(VALIDATION) for one in files.images)
    unlabelled = any(one not in files.labels for one in files.images)
    return (VALIDATION,) if validation and unlabelled else ()


def find_smiyc(root: Path, split: str | None, label_map: str | Path | None) -> FrameFiles:
    """Every frame, or those whose name begins with the split's."""
    folder, masks = root / "images", root / "labels_masks"
    images, twice = by_frame_id(images_in(folder))
    files = FrameFiles(
        root.resolve().name,
        folder,
        images,
        labels_in(masks, _LABEL_END),
        load_label_map(label_map or "smiyc"),
        lambda frame_id, _: masks / f"{frame_id}{_LABEL_END}.png",
        named_twice=twice,
    )
    if split is None:
        return files
    return replace(
        files,
        name=f"{files.name}-{split}",
        images={one: path for one, path in images.items() if one.startswith(split)},
        labels={one: path for one, path in files.labels.items() if one.startswith(split)},
    )


def smiyc(root: Path) -> FrameDataset:
    """Every frame; labels: 0 known, 254 anomaly, 255 outside the evaluation.

    Raises OodError when the folder holds no frame or labels are missing.
    """
    return find_smiyc(root, None, None).dataset()
