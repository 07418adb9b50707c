"""Components of labelled frames with their metrics, from the vehicle's own detector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.bundle import Bundle
from ood_perception.detector import Detector, NetworkOutput
from ood_perception.errors import OodError
from ood_training.datasets.coco import coco_cutouts, coco_proxies
from ood_training.datasets.cutouts import Cutout
from ood_training.datasets.frames import FrameDataset
from ood_training.datasets.object_crops import object_crops
from ood_training.grid_labels import grid_labels
from ood_training.label_values import OOD_LABEL
from ood_training.meta_configuration import MetaConfiguration
from ood_training.proxies import PasteRules, paste_object
from ood_training.sampler import horizon_row, open_frames

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class ComponentTable:
    """The n components and the unknown objects of one frame, or of many.

    metrics: (n, M) float64. false_positive: (n,) bool. frame: (n,) number of the frame.
    objects: number of unknown objects.
    pair_component, pair_object: (m,) index of a component and of an object that share a cell.
    """

    metrics: NDArray[np.float64]
    false_positive: NDArray[np.bool_]
    frame: NDArray[np.intp]
    objects: int
    pair_component: NDArray[np.intp]
    pair_object: NDArray[np.intp]

    def objects_hit(self, kept: NDArray[np.bool_] | None = None) -> int:
        """How many objects share a cell with a component, or with a kept one ((n,) bool)."""
        chosen = slice(None) if kept is None else kept[self.pair_component]
        return len(np.unique(self.pair_object[chosen]))

    def f1(self, kept: NDArray[np.bool_]) -> float:
        """2 TP / (2 TP + FP + FN): objects hit and missed, and kept false components."""
        hit = self.objects_hit(kept)
        false_components = int((self.false_positive & kept).sum())
        return 2 * hit / max(1, self.objects + hit + false_components)

    def lowest_by_object(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """For each object that is hit, the lowest of its components' values ((n,) float64)."""
        hit, index = np.unique(self.pair_object, return_inverse=True)
        lowest = np.full(len(hit), np.inf)
        np.minimum.at(lowest, index, values[self.pair_component])
        return lowest


def collect_components(
    bundle: Bundle,
    settings: MetaConfiguration,
    thresholds: tuple[float, ...],
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[ComponentTable]:
    """One table for each threshold; the network runs once a frame."""
    detector = Detector(bundle)
    dataset = open_frames(settings.source, settings.data_root)
    parts: list[list[ComponentTable]] = [[] for _ in thresholds]
    total = len(dataset) * settings.repeats
    for done, (number, image, labels) in enumerate(labelled_frames(dataset, settings)):
        output = detector.run_network(image)
        truth = grid_objects(labels, output)
        for threshold, part in zip(thresholds, parts, strict=True):
            part.append(_measure(detector, output, truth, threshold, settings, number))
        on_progress(done + 1, total)
    return [_join(part) for part in parts]


def labelled_frames(
    dataset: FrameDataset, settings: MetaConfiguration
) -> Iterator[tuple[int, Image, Image]]:
    """Frame number, image and labels (254 on unknown objects), the same for the same seed."""
    cutouts = _held_out_objects(settings)
    names = dataset.label_map.classes
    missing = [name for name in settings.ground_classes if name not in names]
    if missing:
        raise OodError(f"no class {missing[0]!r}: the classes are {', '.join(names)}")
    ground = tuple(names.index(name) for name in settings.ground_classes)
    rules = PasteRules(ground, settings.height_px, anywhere=0.0, ring_px=0)
    for number in range(len(dataset)):
        frame_image, frame_labels = dataset.load(number)
        for repeat in range(settings.repeats):
            image, labels = frame_image.copy(), frame_labels.copy()
            rng = np.random.default_rng([settings.seed, number, repeat])
            horizon = horizon_row(labels, ground)
            for _ in range(int(rng.integers(1, settings.most_objects + 1)) if cutouts else 0):
                cutout = cutouts[int(rng.integers(len(cutouts)))]
                paste_object(image, labels, cutout, rules, rng, horizon=horizon)
            yield number, image, labels


def grid_objects(labels: Image, output: NetworkOutput) -> NDArray[np.int32]:
    """Unknown objects on the valid grid: (h, w) int32, 0 none, 1.. the 8-connected objects."""
    on_grid = grid_labels(labels, output.letterbox, output.score.shape)
    unknown = (on_grid == OOD_LABEL).astype(np.uint8)
    return np.asarray(cv2.connectedComponents(unknown, connectivity=8)[1], np.int32)


def _measure(
    detector: Detector,
    output: NetworkOutput,
    truth: NDArray[np.int32],
    threshold: float,
    settings: MetaConfiguration,
    frame: int,
) -> ComponentTable:
    measured = detector.measure(output, output.score >= threshold)
    pixels = measured.pixels
    at_component = truth[pixels.rows, pixels.columns]
    hits = np.bincount(pixels.component, weights=at_component > 0, minlength=pixels.count)
    areas = np.bincount(pixels.component, minlength=pixels.count)
    false_positive = (hits == 0) | (hits < settings.least_overlap * areas)
    on_object = at_component > 0
    pairs = np.stack([pixels.component[on_object], at_component[on_object] - 1], axis=1)
    pairs = np.unique(pairs[~false_positive[pairs[:, 0]]], axis=0).astype(np.intp)
    return ComponentTable(
        metrics=measured.metrics.values,
        false_positive=false_positive,
        frame=np.full(pixels.count, frame, np.intp),
        objects=int(truth.max()),
        pair_component=pairs[:, 0],
        pair_object=pairs[:, 1],
    )


def _join(parts: list[ComponentTable]) -> ComponentTable:
    if not parts:
        raise OodError("no frame to collect components from")
    first_component = np.cumsum([0] + [len(part.false_positive) for part in parts])
    first_object = np.cumsum([0] + [part.objects for part in parts])
    return ComponentTable(
        metrics=np.concatenate([part.metrics for part in parts]),
        false_positive=np.concatenate([part.false_positive for part in parts]),
        frame=np.concatenate([part.frame for part in parts]),
        objects=int(first_object[-1]),
        pair_component=np.concatenate(
            [part.pair_component + first_component[i] for i, part in enumerate(parts)]
        ),
        pair_object=np.concatenate(
            [part.pair_object + first_object[i] for i, part in enumerate(parts)]
        ),
    )


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
