"""Fits a bundle's meta classifier on held-out objects, with the vehicle's own detector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ood_perception.bundle import Bundle, MetaClassifierSpec, load_bundle, write_bundle
from ood_perception.components import metric_names
from ood_perception.detector import Detector, NetworkOutput
from ood_perception.errors import OodError
from ood_perception.letterbox import Letterbox
from ood_training.configuration import ObjectsConfiguration, SourceConfiguration
from ood_training.datasets.coco import coco_cutouts, coco_proxies
from ood_training.datasets.cutouts import Cutout
from ood_training.datasets.frames import FrameDataset
from ood_training.datasets.object_crops import object_crops
from ood_training.losses import OOD_LABEL
from ood_training.meta_classifier import (
    cross_validate,
    fit_meta_classifier,
    meta_classifier_to_onnx,
    score_meta_classifier,
)
from ood_training.proxies import PasteRules, paste_object
from ood_training.sampler import horizon_row, open_frames

Image = NDArray[np.uint8]


class MetaConfiguration(BaseModel):
    """What the meta classifier is fitted on. Paths are relative to the working directory.

    source: labelled frames that the network was not trained on.
    objects: the fold of objects that the network was not trained on; none of them are pasted
        when it is empty, for frames that hold unknown objects of their own (254).
    repeats: how often each frame is used, each time with other objects.
    thresholds: candidates; the one with the best F1 of hit objects and false components is
        chosen. With one candidate nothing is chosen; without, the bundle's threshold stays.
    least_overlap: a component with less than this share of its cells on unknown objects is a
        false positive; 0 means that one cell is enough (the published definition).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data_root: Path
    source: SourceConfiguration
    objects: ObjectsConfiguration = ObjectsConfiguration()
    ground_classes: tuple[str, ...] = ("road",)
    height_px: tuple[int, int] = (8, 120)
    most_objects: int = Field(default=5, ge=1)
    repeats: int = Field(default=1, ge=1)
    seed: int = 0
    thresholds: tuple[float, ...] = ()
    least_overlap: float = Field(default=0.0, ge=0, lt=1)


@dataclass(frozen=True)
class ComponentTable:
    """Components of many frames: (n, M) metrics, (n,) false positive or not, (n,) frame index.

    objects, objects_hit: numbers of unknown objects in the frames, and of those with at least one
    cell in a component.
    """

    metrics: NDArray[np.float64]
    false_positive: NDArray[np.bool_]
    frame: NDArray[np.intp]
    objects: int
    objects_hit: int

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN) with objects as TP and FN and false components as FP."""
        false_components = int(self.false_positive.sum())
        return 2 * self.objects_hit / max(1, self.objects + self.objects_hit + false_components)


def load_meta_configuration(path: Path) -> MetaConfiguration:
    """Read and check a YAML file; OodError names the first setting that is wrong."""
    if not path.is_file():
        raise OodError(f"{path}: no such meta configuration")
    try:
        return MetaConfiguration.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise OodError(f"{path}: not YAML: {str(error).splitlines()[0]}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise OodError(f"{path}: setting {where or '(top)'}: {first['msg']}") from error


def train_meta_classifier(
    bundle_folder: Path,
    settings: MetaConfiguration,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Fit the meta classifier of a bundle and write it into the bundle.

    The components and metrics come from ``Detector``, the code that runs in the vehicle. Returns
    the counts, the threshold and the scores of a cross-validation grouped by frame. Raises
    OodError for missing data or when there are not components of both kinds.
    """
    bundle = load_bundle(bundle_folder)
    thresholds = settings.thresholds or (bundle.manifest.score.threshold,)
    tables = collect_components(bundle, settings, thresholds, on_progress)
    threshold, table = max(zip(thresholds, tables, strict=True), key=lambda pair: pair[1].f1)
    probability = cross_validate(table.metrics, table.false_positive, table.frame)
    model = fit_meta_classifier(table.metrics, table.false_positive)
    write_bundle(
        bundle_folder,
        bundle.manifest.model_copy(
            update={
                "score": bundle.manifest.score.model_copy(update={"threshold": threshold}),
                "meta_classifier": MetaClassifierSpec(
                    file="meta_classifier.onnx",
                    kind="logistic_regression",
                    metric_names=metric_names(bundle.num_classes),
                ),
            }
        ),
        bundle.network_onnx,
        meta_classifier_to_onnx(model),
    )
    return {
        "bundle": str(bundle_folder),
        "threshold": threshold,
        "components": len(table.false_positive),
        "objects": table.objects,
        "objects_hit": table.objects_hit,
        "f1_by_threshold": {
            str(t): round(one.f1, 4) for t, one in zip(thresholds, tables, strict=True)
        },
        "cross_validation": score_meta_classifier(probability, table.false_positive),
    }


def collect_components(
    bundle: Bundle,
    settings: MetaConfiguration,
    thresholds: tuple[float, ...],
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[ComponentTable]:
    """One table for each threshold; the network runs once a frame."""
    detector = Detector(bundle)
    dataset = open_frames(settings.source, settings.data_root)
    parts: list[list[_FrameComponents]] = [[] for _ in thresholds]
    frames: list[int] = []
    total = len(dataset) * settings.repeats
    for done, (number, image, labels) in enumerate(labelled_frames(dataset, settings)):
        output = detector.run_network(image)
        truth = grid_objects(labels, output)
        frames.append(number)
        for threshold, part in zip(thresholds, parts, strict=True):
            part.append(_measure(detector, output, truth, threshold, settings.least_overlap))
        on_progress(done + 1, total)
    return [_join(part, frames) for part in parts]


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


def grid_labels(labels: Image, letterbox: Letterbox, shape: tuple[int, ...]) -> Image:
    """The labels of a full image at the cells of the valid grid, (h, w) uint8."""
    rows, columns = (np.arange(size + 1) for size in shape)
    y, x = letterbox.image_y(rows), letterbox.image_x(columns)
    row = np.minimum(((y[:-1] + y[1:]) / 2).astype(int), labels.shape[0] - 1)
    column = np.minimum(((x[:-1] + x[1:]) / 2).astype(int), labels.shape[1] - 1)
    return np.asarray(labels[np.ix_(row, column)])


def grid_objects(labels: Image, output: NetworkOutput) -> NDArray[np.int32]:
    """Unknown objects on the valid grid: (h, w) int32, 0 none, 1.. the 8-connected objects."""
    on_grid = grid_labels(labels, output.letterbox, output.score.shape)
    unknown = (on_grid == OOD_LABEL).astype(np.uint8)
    return np.asarray(cv2.connectedComponents(unknown, connectivity=8)[1], np.int32)


@dataclass(frozen=True)
class _FrameComponents:
    metrics: NDArray[np.float64]
    false_positive: NDArray[np.bool_]
    objects: int
    objects_hit: int


def _measure(
    detector: Detector,
    output: NetworkOutput,
    truth: NDArray[np.int32],
    threshold: float,
    least_overlap: float,
) -> _FrameComponents:
    measured = detector.measure(output, output.score >= threshold)
    pixels = measured.pixels
    at_component = truth[pixels.rows, pixels.columns]
    hits = np.bincount(pixels.component, weights=at_component > 0, minlength=pixels.count)
    areas = np.bincount(pixels.component, minlength=pixels.count)
    found = np.unique(at_component[at_component > 0])
    false_positive = (hits == 0) | (hits < least_overlap * areas)
    return _FrameComponents(measured.metrics.values, false_positive, int(truth.max()), len(found))


def _join(parts: list[_FrameComponents], frames: list[int]) -> ComponentTable:
    if not parts:
        raise OodError("no frame to collect components from")
    return ComponentTable(
        metrics=np.concatenate([part.metrics for part in parts]),
        false_positive=np.concatenate([part.false_positive for part in parts]),
        frame=np.repeat(frames, [len(part.false_positive) for part in parts]),
        objects=sum(part.objects for part in parts),
        objects_hit=sum(part.objects_hit for part in parts),
    )


def _held_out_objects(settings: MetaConfiguration) -> list[Cutout]:
    objects, root = settings.objects, settings.data_root
    cutouts: list[Cutout] = []
    if objects.coco is not None:
        cutouts += coco_cutouts(coco_proxies(root / objects.coco, fold=objects.fold))
    if objects.object_crops is not None:
        cutouts += object_crops(root / objects.object_crops, objects.fold)
    return cutouts
