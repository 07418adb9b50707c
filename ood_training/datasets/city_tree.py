"""The tree that Cityscapes and LostAndFound share.

    leftImg8bit/SPLIT/PLACE/ID_leftImg8bit.png
    ANNOTATION/SPLIT/PLACE/ID_ANNOTATION_labelTrainIds.png     and  ..._labelIds.png

ANNOTATION is gtFine or gtCoarse. A label map's key ``stored`` says which of the two label pictures
it reads (labelIds when it says nothing).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ood_perception.errors import OodError
from ood_training.datasets.frame_files import FrameFiles, by_frame_id, images_in, labels_in
from ood_training.datasets.label_map import LabelMap, load_label_map

IMAGE_END = "_leftImg8bit"
_STORED = ("labelIds", "labelTrainIds")


@dataclass(frozen=True)
class CityTree:
    """One such data set.

    kind: its name, and that of its label map of training ids.
    annotation: gtFine or gtCoarse.
    label_id_map: the label map with the same classes that reads labelIds.
    """

    kind: str
    annotation: str
    label_id_map: str

    def splits(self, root: Path) -> tuple[str, ...]:
        """Folders below leftImg8bit, sorted."""
        return tuple(sorted(one.name for one in (root / "leftImg8bit").glob("*") if one.is_dir()))

    def find(self, root: Path, split: str, label_map: str | Path | None) -> FrameFiles:
        """Images and labels of one split.

        label_map: a name or path; None or the data set's own name takes the pictures of training
            ids, or of label ids where a tree holds none of the former. Both give the same labels.
        """
        folder, annotations = root / "leftImg8bit" / split, root / self.annotation / split
        chosen = self._label_map(annotations, label_map)
        end = f"_{self.annotation}_{chosen.stored or 'labelIds'}"
        images, twice = by_frame_id(images_in(folder, IMAGE_END, "*/*"), IMAGE_END)
        return FrameFiles(
            f"{self.kind}-{split}",
            folder,
            images,
            labels_in(annotations, end, "*/*"),
            chosen,
            lambda frame_id, image: annotations / image.parent.name / f"{frame_id}{end}.png",
            named_twice=twice,
        )

    def _label_map(self, annotations: Path, name: str | Path | None) -> LabelMap:
        if name is None or name == self.kind:
            train_ids = annotations.glob(f"*/*_{self.annotation}_labelTrainIds.png")
            name = self.kind if any(train_ids) else self.label_id_map
        label_map = load_label_map(name)
        if label_map.stored and label_map.stored not in _STORED:
            raise OodError(
                f"label map {label_map.name!r}: 'stored' is {label_map.stored!r}, but "
                f"{self.kind} stores {' and '.join(_STORED)}"
            )
        return label_map
