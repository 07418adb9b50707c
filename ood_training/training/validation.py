"""Measuring a network between epochs, on street frames with or without unknown objects."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.configuration import TrainingConfiguration
from ood_training.data_configuration import (
    ObjectsConfiguration,
    ProxyConfiguration,
    ValidationConfiguration,
)
from ood_training.evaluation import NetworkFigures, evaluate_network
from ood_training.models import SegmentationNetwork
from ood_training.proxies import PasteRules, paste_object
from ood_training.sampler import horizon_row, open_frames
from ood_training.sampler_cache import PictureCache
from ood_training.sampler_objects import UnknownObjects

Image = NDArray[np.uint8]


class Validation:
    """The validation of a run; frames and pasted objects are the same at every measurement."""

    def __init__(
        self,
        settings: ValidationConfiguration,
        configuration: TrainingConfiguration,
        classes: tuple[str, ...],
    ) -> None:
        """Raises OodError for missing data, other classes or a ground class that does not exist."""
        self._settings = settings
        self._frames = open_frames(settings.source, configuration.data_root).every(settings.every)
        if self._frames.label_map.classes != classes:
            raise OodError(
                f"the validation source {self._frames.name} has "
                f"{self._frames.label_map.num_classes} classes, the training {len(classes)}, or "
                "their names differ; use label maps with the same classes"
            )
        self._paste = configuration.paste
        unknown = [name for name in self._paste.ground_classes if name not in classes]
        if settings.paste_objects is not None and unknown:
            raise OodError(f"no class {unknown[0]!r}: the classes are {', '.join(classes)}")
        self._ground = tuple(
            classes.index(name) for name in self._paste.ground_classes if name in classes
        )
        self._objects: UnknownObjects | None = None
        if settings.paste_objects is not None:
            _refuse_shared_objects(settings.paste_objects, configuration.objects)
            always = self._paste.model_copy(update={"probability": 1.0, "crops_share": None})
            cache = PictureCache(configuration.loading.cache_mebibytes << 18)
            self._objects = UnknownObjects(
                configuration.data_root, settings.paste_objects, always, ProxyConfiguration(), cache
            )
            if not self._objects.cutouts:
                raise OodError("validation.paste_objects names no object")

    @property
    def count(self) -> int:
        """How many frames there are."""
        return len(self._frames)

    def due(self, epoch: int, epochs: int) -> bool:
        """Whether to measure after an epoch, counted from 1, of a stage of so many."""
        return epoch % self._settings.each_epochs == 0 or epoch == epochs

    def measure(self, network: SegmentationNetwork) -> NetworkFigures:
        """The network's figures; its mode is restored."""
        return evaluate_network(network, self.frames(), self._settings.size)

    def frames(self) -> Iterator[tuple[Image, Image]]:
        """Images (H, W, 3) uint8 BGR and labels (H, W) uint8, with pasted objects where wanted."""
        for number in range(len(self._frames)):
            image, labels = self._frames.load(number)
            if self._objects is not None:
                image, labels = image.copy(), labels.copy()
                self._paste_objects(image, labels, np.random.default_rng(_key(number)))
            yield image, labels

    def _paste_objects(self, image: Image, labels: Image, rng: np.random.Generator) -> None:
        assert self._objects is not None
        rules = PasteRules(
            self._ground, self._paste.height_px, anywhere=0.0, ring_px=self._paste.ring_px
        )
        horizon = horizon_row(labels, self._ground)
        for _ in range(int(rng.integers(1, self._paste.most + 1))):
            cutout = self._objects.draw_cutout(rng)
            paste_object(image, labels, cutout, rules, rng, horizon=horizon)


def _key(number: int) -> list[int]:
    """Of a frame's pasted objects: the same for every seed of a run, and no training sample's."""
    return [number, 0, 0, 0, 1]


def _refuse_shared_objects(held_out: ObjectsConfiguration, used: ObjectsConfiguration) -> None:
    """Raise OodError when objects that the training pastes would be validated on."""
    for kind in ("coco", "object_crops"):
        root = getattr(held_out, kind)
        if root is None or root != getattr(used, kind):
            continue
        if kind == "coco" and held_out.coco_year != used.coco_year:
            continue
        if held_out.fold is not None and used.fold is not None:
            common = math.gcd(held_out.folds, used.folds)
            if (held_out.fold - used.fold) % common:
                continue
        raise OodError(
            f"validation.paste_objects takes objects of {root} that the training uses too: name "
            "another fold in each"
        )


def figures_row(figures: NetworkFigures, classes: tuple[str, ...]) -> dict[str, Any]:
    """The figures as plain values for a row of results; what could not be measured is left out."""
    row: dict[str, Any] = {}
    if figures.mean_iou is not None:
        row["mean_iou"] = figures.mean_iou
    row["ious"] = {
        name: None if np.isnan(iou) else float(iou)
        for name, iou in zip(classes, figures.ious, strict=True)
    }
    if figures.anomaly is not None:
        row["average_precision"] = figures.anomaly.average_precision
        row["fpr95"] = figures.anomaly.fpr95
        row["auroc"] = figures.anomaly.auroc
    return row
