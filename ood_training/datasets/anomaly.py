"""Frames on which unknown objects are to be found, whatever set they come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.datasets.frames import FrameDataset
from ood_training.label_values import IGNORE_LABEL, OOD_LABEL

KNOWN, UNKNOWN, IGNORED = 0, 1, 255


@dataclass(frozen=True)
class AnomalyDataset:
    """Frames with the truth 0 known, 1 unknown, 255 ignored; read one at a time, nothing is kept.

    Raises OodError when the frames' label map knows no unknown objects.
    """

    frames: FrameDataset

    def __post_init__(self) -> None:
        if not self.frames.label_map.has_unknown:
            raise OodError(
                f"{self.frames.name}: the label map {self.frames.label_map.name!r} has no unknown "
                "objects, so nothing can be found here; measure mIoU, or name a label map in "
                "which values go to 'unknown'"
            )

    @property
    def name(self) -> str:
        return self.frames.name

    @property
    def frame_ids(self) -> tuple[str, ...]:
        """Sorted ids, the same on every machine."""
        return self.frames.frame_ids

    def __len__(self) -> int:
        return len(self.frames)

    def load(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Image (H, W, 3) uint8 BGR and truth (H, W) uint8; OodError as ``FrameDataset.load``."""
        image, labels = self.frames.load(index)
        return image, anomaly_truth(labels)

    def load_truth(self, index: int) -> NDArray[np.uint8]:
        """Truth (H, W) uint8 alone, without reading the image."""
        return anomaly_truth(self.frames.load_labels(index))

    def sequence(self, index: int) -> str | None:
        """The recording that a frame belongs to, None where its name holds none."""
        return self.frames[index].sequence


def anomaly_truth(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Class ids, 254 and 255 to 0 known, 1 unknown, 255 ignored (section 1), same shape, uint8."""
    truth = np.full_like(labels, KNOWN)
    truth[labels == OOD_LABEL] = UNKNOWN
    truth[labels == IGNORE_LABEL] = IGNORED
    return truth
