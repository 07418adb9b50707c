"""Street frames to draw from: several data sets with one list of classes, read when needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.data_configuration import SourceConfiguration
from ood_training.datasets.cutouts import Cutout, cut_out
from ood_training.datasets.frames import FrameDataset
from ood_training.datasets.registry import open_dataset
from ood_training.sampler_cache import PictureCache

Image = NDArray[np.uint8]
_TRAINING_SPLIT_KINDS = ("camvid", "cityscapes", "lost_and_found")
# Known objects are cut out of no more frames than these, spread evenly: full Cityscapes frames
# would take minutes and gigabytes, and some hundreds of cars are enough to paste.
_MOST_FRAMES_WITH_KNOWN_OBJECTS = 150


@dataclass(frozen=True)
class LoadedFrame:
    """A street frame: image (H, W, 3) uint8 BGR, labels (H, W) uint8, row of its horizon."""

    image: Image
    labels: Image
    horizon: float


def open_frames(source: SourceConfiguration, data_root: Path) -> FrameDataset:
    """The frames of one source below ``data_root``; OodError when they cannot be found."""
    split = source.split
    if split is None and source.kind in _TRAINING_SPLIT_KINDS:
        split = "train"
    return open_dataset(source.kind, data_root / source.root, split, source.label_map)


def class_names(datasets: Sequence[FrameDataset]) -> tuple[str, ...]:
    """The one list of classes that all data sets share; OodError when they differ."""
    first = datasets[0]
    for other in datasets[1:]:
        if other.label_map.classes != first.label_map.classes:
            raise OodError(
                f"{other.name} has {other.label_map.num_classes} classes "
                f"({', '.join(other.label_map.classes)}), {first.name} has "
                f"{first.label_map.num_classes} ({', '.join(first.label_map.classes)}); "
                "use label maps with the same classes"
            )
    return first.label_map.classes


def horizon_row(labels: Image, ground_ids: tuple[int, ...]) -> float:
    """A row near the horizon: a little above the highest ground pixels of a frame."""
    rows = np.flatnonzero(np.isin(labels, ground_ids).sum(axis=1) >= 3)
    return float(rows[0]) - 0.02 * labels.shape[0] if rows.size else labels.shape[0] * 0.45


class StreetFrames:
    """The frames of every source, numbered through, and the probability of each source."""

    def __init__(
        self,
        datasets: Sequence[FrameDataset],
        shares: Sequence[float],
        ground_ids: tuple[int, ...],
        cache: PictureCache,
    ) -> None:
        self._datasets = tuple(datasets)
        self._probabilities = np.array(shares) / np.sum(shares)
        self._ground_ids = ground_ids
        self._cache = cache
        self._first = np.cumsum([0] + [len(dataset) for dataset in datasets])

    def __len__(self) -> int:
        return int(self._first[-1])

    def place(self, number: int) -> tuple[int, int]:
        """Source of a frame and its index in there."""
        source = int(np.searchsorted(self._first, number, side="right")) - 1
        return source, number - int(self._first[source])

    def draw(self, rng: np.random.Generator) -> tuple[int, int]:
        """A source by its share, and one of its frames, each with equal probability."""
        source = int(rng.choice(len(self._datasets), p=self._probabilities))
        return source, int(rng.integers(len(self._datasets[source])))

    def load(self, source: int, index: int) -> LoadedFrame:
        """A frame from memory or disk; OodError names a file that cannot be used."""
        return self._cache.get(("frame", source, index), lambda: self._read(source, index))

    def _read(self, source: int, index: int) -> LoadedFrame:
        image, labels = self._datasets[source].load(index)
        # only pasting asks for the horizon
        horizon = horizon_row(labels, self._ground_ids) if self._ground_ids else 0.0
        return LoadedFrame(image, labels, horizon)

    def known_cutouts(self, class_ids: tuple[int, ...]) -> list[tuple[Cutout, int]]:
        """Objects of known classes with their class, from every third frame or fewer."""
        step = max(3, -(-len(self) // _MOST_FRAMES_WITH_KNOWN_OBJECTS))
        found: list[tuple[Cutout, int]] = []
        for number, place in enumerate(range(0, len(self), step)):
            frame = self.load(*self.place(place))
            found += _known_cutouts(number, frame, class_ids)
        return found


def _known_cutouts(
    number: int, frame: LoadedFrame, class_ids: tuple[int, ...], min_area_px: int = 400
) -> list[tuple[Cutout, int]]:
    """Connected regions of known classes that do not touch the frame's border, with their class."""
    found = []
    for class_id in class_ids:
        _, regions, statistics, _ = cv2.connectedComponentsWithStats(
            (frame.labels == class_id).astype(np.uint8), connectivity=8
        )
        for region, (x, y, width, height, area) in enumerate(statistics):
            inside = x > 0 and y > 0 and x + width < regions.shape[1]
            inside = inside and y + height < regions.shape[0]
            if region > 0 and inside and area >= min_area_px and area > 0.35 * width * height:
                name = f"known/{number}/{class_id}/{region}"
                found.append((cut_out(name, frame.image, regions == region), class_id))
    return found
