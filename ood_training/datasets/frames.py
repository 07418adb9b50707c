"""Frames with their labels: what every street data set becomes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.datasets.label_map import LabelMap
from ood_training.datasets.pictures import add_overlay, read_color, read_labels

# CITY_SEQUENCE_FRAME of Cityscapes and SCENE_SEQUENCE_FRAME of LostAndFound, sequence and frame of
# six digits; Fishyscapes puts a running number of four digits before either.
_SEQUENCE = re.compile(r"(?:\d{4}_)?(.+_\d{6})_\d{6}")


def sequence_of(frame_id: str) -> str | None:
    """The recording that a frame belongs to by its name, None where the name holds none.

    Frames of one sequence show the same objects, so folds keep them together (section 8.3).
    """
    match = _SEQUENCE.fullmatch(frame_id)
    return match.group(1) if match else None


@dataclass(frozen=True)
class Frame:
    """One labelled picture.

    frame_id: its name, the same on every machine.
    overlay: what is added to the image before it is used (Fishyscapes Static), or None.
    """

    frame_id: str
    image: Path
    labels: Path
    overlay: Path | None = None

    @property
    def sequence(self) -> str | None:
        """The recording that the frame belongs to, as ``sequence_of``."""
        return sequence_of(self.frame_id)

    def read_image(self) -> NDArray[np.uint8]:
        """The picture, (H, W, 3) uint8 BGR; OodError when it cannot be read."""
        image = read_color(self.image)
        return image if self.overlay is None else add_overlay(image, self.overlay)


@dataclass(frozen=True)
class FrameDataset(Sequence[Frame]):
    """Frames sorted by id that share one label map."""

    name: str
    frames: tuple[Frame, ...]
    label_map: LabelMap

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Frame:  # type: ignore[override]
        return self.frames[index]

    @property
    def frame_ids(self) -> tuple[str, ...]:
        return tuple(frame.frame_id for frame in self.frames)

    def load(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Image (H, W, 3) uint8 BGR and labels (H, W) uint8 of one frame.

        Labels are class ids, 254 (unknown object) or 255 (ignore). Raises OodError when a file
        cannot be read, the sizes differ or a label value has no meaning.
        """
        frame = self.frames[index]
        image, labels = frame.read_image(), self.load_labels(index)
        if image.shape[:2] != labels.shape:
            raise OodError(
                f"{frame.labels}: labels of {labels.shape[1]}x{labels.shape[0]} do not fit the "
                f"image of {image.shape[1]}x{image.shape[0]}"
            )
        return image, labels

    def load_labels(self, index: int) -> NDArray[np.uint8]:
        """Labels (H, W) uint8 of one frame, without reading its image; as ``load`` gives them."""
        path = self.frames[index].labels
        return self.label_map.apply(read_labels(path), path)

    def every(self, step: int) -> FrameDataset:
        """Every ``step``-th frame, the first one included."""
        return replace(self, frames=self.frames[::step])
