"""LostAndFound in its official tree.

    leftImg8bit/{train,test}/SCENE/SCENE_SEQUENCE_FRAME_leftImg8bit.png
    gtCoarse/{train,test}/SCENE/SCENE_SEQUENCE_FRAME_gtCoarse_labelTrainIds.png
    (or ..._gtCoarse_labelIds.png)

Free road is known, obstacles are unknown, all else is ignored (section 1 of the specification).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ood_training.datasets.city_tree import CityTree
from ood_training.datasets.frame_files import FrameFiles
from ood_training.datasets.label_map import LabelMap
from ood_training.datasets.pictures import read_labels
from ood_training.label_values import IGNORE_LABEL

_TREE = CityTree("lost_and_found", "gtCoarse", "lost_and_found_label_ids")
NO_KNOWN_SPLIT = "testNoKnown"
# Test recordings whose obstacles are children or bicycles, classes that street networks know:
# SegmentMeIfYouCan measures without them.
_KNOWN_OBJECTS = (
    "01_Hanns_Klemm_Str_45_000006_",
    "01_Hanns_Klemm_Str_45_000007_",
    "10_Schlossberg_9_000004_",
    "15_Rechbergstr_Deckenpfronn_",
)


def lost_and_found_splits(root: Path) -> tuple[str, ...]:
    return _TREE.splits(root)


def find_lost_and_found(root: Path, split: str, label_map: str | Path | None) -> FrameFiles:
    """``train``, ``test`` (1203 frames) or ``testNoKnown`` (1043 of them).

    ``testNoKnown`` leaves out recordings of children and bicycles and frames without any
    annotation; to find the latter it reads every label picture of the split. The label map
    ``lost_and_found_smiyc`` counts every labelled object as an obstacle, as that benchmark does.
    """
    if split != NO_KNOWN_SPLIT:
        return _TREE.find(root, split, label_map)
    files = _TREE.find(root, "test", label_map)
    images = {
        frame_id: image
        for frame_id, image in files.images.items()
        if not frame_id.startswith(_KNOWN_OBJECTS)
        and not (frame_id in files.labels and _empty(files.labels[frame_id], files.label_map))
    }
    left_out = files.images.keys() - images.keys()
    labels = {one: path for one, path in files.labels.items() if one not in left_out}
    return replace(files, name=f"lost_and_found-{split}", images=images, labels=labels)


def _empty(path: Path, label_map: LabelMap) -> bool:
    """Whether nothing is annotated: one value everywhere, and that one is ignored."""
    labels = read_labels(path)
    lowest = int(labels.min())
    return lowest == int(labels.max()) and int(label_map.table[lowest]) == IGNORE_LABEL
