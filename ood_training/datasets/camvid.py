"""CamVid in the edition with 11 classes: ``SPLIT/NAME.jpg`` and ``SPLITannot/NAME.png``.

The images may also be PNG, as in the SegNet edition.
"""

from __future__ import annotations

from pathlib import Path

from ood_training.datasets.frame_files import FrameFiles, by_frame_id, images_in, labels_in
from ood_training.datasets.frames import FrameDataset
from ood_training.datasets.label_map import load_label_map


def camvid_splits(root: Path) -> tuple[str, ...]:
    """Folders that have a folder of annotations beside them."""
    annotations = (one for one in root.glob("*annot") if one.is_dir())
    names = (one.name[: -len("annot")] for one in annotations)
    return tuple(sorted(one for one in names if (root / one).is_dir()))


def find_camvid(root: Path, split: str, label_map: str | Path | None) -> FrameFiles:
    """Images and labels of one split."""
    folder, annotations = root / split, root / f"{split}annot"
    images, twice = by_frame_id(images_in(folder))
    return FrameFiles(
        f"camvid-{split}",
        folder,
        images,
        labels_in(annotations),
        load_label_map(label_map or "camvid"),
        lambda frame_id, _: annotations / f"{frame_id}.png",
        named_twice=twice,
    )


def camvid(root: Path, split: str) -> FrameDataset:
    """The split ``train``, ``val`` or ``test``; frame ids are file names without suffix.

    Raises OodError when the folder holds no frame or labels are missing.
    """
    return find_camvid(root, split, None).dataset()
