"""Labelled frames that tables of components are made of: a data set's own, or with pasted objects.

Data sets with unknown objects are few and small. Objects of data sets that the network was not
trained on, pasted on the ground of street frames, give as many more as are wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.datasets.coco import coco_cutouts, coco_proxies
from ood_training.datasets.cutouts import Cutout
from ood_training.datasets.frames import FrameDataset
from ood_training.datasets.object_crops import object_crops
from ood_training.datasets.sequences import frame_sequence
from ood_training.meta.configuration import MetaConfiguration
from ood_training.proxies import PasteRules, paste_object
from ood_training.sampler import horizon_row, open_frames

Image = NDArray[np.uint8]


class LabelledFrame(NamedTuple):
    """image: (H, W, 3) uint8 BGR. labels: (H, W) uint8, 254 unknown object, 255 ignored.

    frame_id: of the frame in its data set, the same for every copy with other pasted objects.
    sequence: its recording, or the frame itself.
    """

    frame_id: str
    sequence: str
    image: Image
    labels: Image


@dataclass(frozen=True)
class LabelledFrames:
    """Frames that are read one at a time, the same whenever they are read.

    source: in words, for the record. count: how many ``read()`` gives.
    """

    source: str
    count: int
    read: Callable[[], Iterator[LabelledFrame]]


def dataset_frames(kind: str, dataset: FrameDataset) -> LabelledFrames:
    """A data set as it is. kind: one of ``datasets.registry.DATASET_KINDS``."""

    def read() -> Iterator[LabelledFrame]:
        for number, frame in enumerate(dataset.frames):
            image, labels = dataset.load(number)
            sequence = frame_sequence(kind, frame.frame_id)
            yield LabelledFrame(frame.frame_id, sequence, image, labels)

    return LabelledFrames(dataset.name, len(dataset), read)


def configured_frames(settings: MetaConfiguration) -> LabelledFrames:
    """The frames of a configuration with its objects pasted, the same for the same seed.

    Raises OodError for missing data and for a ground class that the labels do not have.
    """
    dataset = open_frames(settings.source, settings.data_root)
    plain = dataset_frames(settings.source.kind, dataset)
    cutouts = _held_out_objects(settings)
    if not cutouts:
        return plain
    ground = _ground_ids(settings, dataset)
    rules = PasteRules(ground, settings.height_px, anywhere=0.0, ring_px=0)

    def read() -> Iterator[LabelledFrame]:
        for number, frame in enumerate(plain.read()):
            horizon = horizon_row(frame.labels, ground)
            for repeat in range(settings.repeats):
                image, labels = frame.image.copy(), frame.labels.copy()
                rng = np.random.default_rng([settings.seed, number, repeat])
                for _ in range(int(rng.integers(1, settings.most_objects + 1))):
                    cutout = cutouts[int(rng.integers(len(cutouts)))]
                    paste_object(image, labels, cutout, rules, rng, horizon=horizon)
                yield frame._replace(image=image, labels=labels)

    return LabelledFrames(
        f"{dataset.name} with pasted objects (seed {settings.seed})",
        len(dataset) * settings.repeats,
        read,
    )


def _ground_ids(settings: MetaConfiguration, dataset: FrameDataset) -> tuple[int, ...]:
    names = dataset.label_map.classes
    missing = [name for name in settings.ground_classes if name not in names]
    if missing:
        raise OodError(f"no class {missing[0]!r}: the classes are {', '.join(names)}")
    return tuple(names.index(name) for name in settings.ground_classes)


def _held_out_objects(settings: MetaConfiguration) -> list[Cutout]:
    objects, root = settings.objects, settings.data_root
    cutouts: list[Cutout] = []
    if objects.coco is not None:
        cutouts += coco_cutouts(
            coco_proxies(
                root / objects.coco, objects.coco_year, fold=objects.fold, folds=objects.folds
            )
        )
    if objects.object_crops is not None:
        cutouts += object_crops(root / objects.object_crops, objects.fold, objects.folds)
    return cutouts
