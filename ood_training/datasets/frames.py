"""Frames with their labels: what every street data set becomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.datasets.label_map import LabelMap
from ood_training.datasets.pictures import read_color, read_labels


@dataclass(frozen=True)
class Frame:
    """One labelled picture; ``frame_id`` is its name, the same on every machine."""

    frame_id: str
    image: Path
    labels: Path


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

    def load(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Image (H, W, 3) uint8 BGR and labels (H, W) uint8 of one frame.

        Labels are class ids, 254 (unknown object) or 255 (ignore). Raises OodError when a file
        cannot be read, the sizes differ or a label value has no meaning.
        """
        frame = self.frames[index]
        image = read_color(frame.image)
        stored = read_labels(frame.labels)
        if image.shape[:2] != stored.shape:
            raise OodError(
                f"{frame.labels}: labels of {stored.shape[1]}x{stored.shape[0]} do not fit the "
                f"image of {image.shape[1]}x{image.shape[0]}"
            )
        return image, self.label_map.apply(stored, frame.labels)

    def every(self, step: int) -> FrameDataset:
        """Every ``step``-th frame, the first one included."""
        return replace(self, frames=self.frames[::step])


def pair_frames(
    name: str,
    images: Sequence[Path],
    label_of: Callable[[Path], Path],
    label_map: LabelMap,
    where: Path,
    frame_id_of: Callable[[Path], str] = lambda path: path.stem,
) -> FrameDataset:
    """Pair images with their labels, sorted by frame id.

    Raises OodError when there is no image or an image has no labels.
    """
    if not images:
        raise OodError(f"{where}: no image found for the data set {name!r}")
    frames = sorted(
        (Frame(frame_id_of(image), image, label_of(image)) for image in images),
        key=lambda frame: frame.frame_id,
    )
    for frame in frames:
        if not frame.labels.is_file():
            raise OodError(f"{frame.image}: its labels {frame.labels} are missing")
    return FrameDataset(name, tuple(frames), label_map)
