"""What a data set's folders hold, before images meet their labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ood_perception.errors import OodError
from ood_training.datasets.frames import Frame, FrameDataset
from ood_training.datasets.label_map import LabelMap

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True)
class FrameFiles:
    """Images and label pictures by frame id; some may lack their counterpart.

    name: of the data set, with its split.
    folder: where the images were looked for.
    labels_of: the path at which a frame's labels belong, from its frame id and image.
    overlays: what is added to an image, by frame id.
    image_places: where the images were looked for, when the labels decide which frames there are
        (Fishyscapes); empty when the images decide.
    named_twice: images whose frame id another image already has.
    """

    name: str
    folder: Path
    images: dict[str, Path]
    labels: dict[str, Path]
    label_map: LabelMap
    labels_of: Callable[[str, Path], Path]
    overlays: dict[str, Path] = field(default_factory=dict)
    image_places: str = ""
    named_twice: tuple[Path, ...] = ()

    @property
    def frame_ids(self) -> list[str]:
        """Of every image and every label picture, sorted."""
        return sorted(self.images.keys() | self.labels.keys())

    def dataset(self) -> FrameDataset:
        """Every frame with its labels, sorted by frame id.

        Raises OodError when there is none, a counterpart is missing or an id occurs twice.
        """
        if self.named_twice:
            raise OodError(f"{self.named_twice[0]}: another image has the same frame id")
        ids = sorted(self.labels if self.image_places else self.images)
        if not ids:
            raise OodError(f"{self.folder}: no image found for the data set {self.name!r}")
        return FrameDataset(self.name, tuple(self._frame(one) for one in ids), self.label_map)

    def _frame(self, frame_id: str) -> Frame:
        image, labels = self.images.get(frame_id), self.labels.get(frame_id)
        if image is None:
            raise OodError(f"{labels}: its image is missing; looked in {self.image_places}")
        if labels is None:
            expected = self.labels_of(frame_id, image)
            raise OodError(f"{image}: its labels {expected} are missing")
        return Frame(frame_id, image, labels, self.overlays.get(frame_id))


def images_in(folder: Path, end: str = "", below: str = "*") -> list[Path]:
    """Images of a folder whose stem ends with ``end``, sorted.

    below: glob of the files under the folder, e.g. ``*/*`` for one level of folders between.
    Hidden files (``._NAME`` of some archives) are no images.
    """
    return sorted(
        path
        for path in folder.glob(below)
        if path.suffix.lower() in IMAGE_SUFFIXES
        and path.stem.endswith(end)
        and not path.name.startswith(".")
    )


def labels_in(folder: Path, end: str = "", below: str = "*") -> dict[str, Path]:
    """PNG files of a folder whose stem ends with ``end``, by the stem without that end."""
    paths = (path for path in images_in(folder, end, below) if path.suffix.lower() == ".png")
    return {path.stem[: len(path.stem) - len(end)]: path for path in paths}


def by_frame_id(paths: Iterable[Path], end: str = "") -> tuple[dict[str, Path], tuple[Path, ...]]:
    """Images by their stem without ``end``, and the images whose frame id came before."""
    found: dict[str, Path] = {}
    twice = []
    for path in paths:
        frame_id = path.stem[: len(path.stem) - len(end)]
        if frame_id in found:
            twice.append(path)
        else:
            found[frame_id] = path
    return found, tuple(twice)
