"""Training samples: drawn anew for every step, and the same for the same seed, stage and step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ood_perception.errors import OodError
from ood_training import augmentation, proxies
from ood_training.augmentation import Crop
from ood_training.configuration import TrainingConfiguration
from ood_training.data_configuration import SourceConfiguration
from ood_training.datasets.camvid import camvid
from ood_training.datasets.cityscapes import cityscapes
from ood_training.datasets.coco import ProxyImage, coco_cutouts, coco_proxies
from ood_training.datasets.cutouts import Cutout, cut_out
from ood_training.datasets.frames import FrameDataset
from ood_training.datasets.generated import generated
from ood_training.datasets.object_crops import object_crops
from ood_training.losses import IGNORE_LABEL

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class _LoadedFrame:
    image: Image
    labels: Image
    horizon: float


def open_source(source: SourceConfiguration, configuration: TrainingConfiguration) -> FrameDataset:
    """The frames of one source; OodError when they cannot be found."""
    return open_frames(source, configuration.data_root)


def open_frames(source: SourceConfiguration, data_root: Path) -> FrameDataset:
    """The frames of one source below ``data_root``; OodError when they cannot be found."""
    root = data_root / source.root
    if source.kind == "camvid":
        return camvid(root, source.split)
    if source.kind == "cityscapes":
        return cityscapes(root, source.split)
    return generated(root)


def class_names(datasets: list[FrameDataset]) -> tuple[str, ...]:
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


class TrainingSampler:
    """Holds every frame and object in memory and draws batches.

    The random numbers of a batch depend on nothing but the seed, the stage and the step, so a
    resumed run sees what an uninterrupted one would have seen.
    """

    def __init__(self, configuration: TrainingConfiguration) -> None:
        self.configuration = configuration
        datasets = [open_source(source, configuration) for source in configuration.sources]
        self.classes = class_names(datasets)
        unknown_objects = any(stage.unknown_objects for stage in configuration.stages)
        self._ground_ids = (
            self._ids(configuration.paste.ground_classes) if self._has_objects() else ()
        )
        self._frames = [
            [self._load(dataset, index) for index in range(len(dataset))] for dataset in datasets
        ]
        shares = np.array([source.share for source in configuration.sources])
        self._source_probabilities = shares / shares.sum()
        self._cutouts: list[Cutout] = []
        self._known_cutouts: list[tuple[Cutout, int]] = []
        self._proxies: list[tuple[ProxyImage, Image]] = []
        if unknown_objects:
            self._load_objects()

    def describe(self) -> dict[str, int]:
        """How many frames and objects there are to draw from."""
        return {
            "frames": sum(len(frames) for frames in self._frames),
            "unknown_objects": len(self._cutouts),
            "known_objects": len(self._known_cutouts),
            "proxy_images": len(self._proxies),
        }

    def batch(self, stage: int, step: int, unknown_objects: bool) -> tuple[Tensor, Tensor]:
        """Images (B, 3, S, S) float32 RGB in [0, 1] and labels (B, S, S) int64."""
        crops = []
        for index in range(self.configuration.batch_size):
            rng = np.random.default_rng([self.configuration.seed, stage, step, index])
            crops.append(self._crop(rng, unknown_objects))
        images = np.stack([crop.image[..., ::-1] for crop in crops])
        labels = np.stack([crop.labels for crop in crops])
        tensor = torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255.0)
        return tensor, torch.from_numpy(labels).long()

    def _crop(self, rng: np.random.Generator, unknown_objects: bool) -> Crop:
        settings = self.configuration
        if unknown_objects and self._proxies and rng.random() < settings.proxies.image_share:
            proxy, image = self._proxies[int(rng.integers(len(self._proxies)))]
            background = settings.proxies.background
            label = IGNORE_LABEL if background == "ignore" else self._ids((background,))[0]
            crop = proxies.proxy_crop(image, proxy.mask, settings.crop_size, rng, background=label)
        else:
            source = int(rng.choice(len(self._frames), p=self._source_probabilities))
            frame = self._frames[source][int(rng.integers(len(self._frames[source])))]
            crop = augmentation.random_crop(
                frame.image,
                frame.labels,
                settings.crop_size,
                settings.sources[source].scale,
                rng,
                frame.horizon,
            )
            if unknown_objects and self._ground_ids:
                self._paste(crop, rng)
        image, labels = augmentation.random_flip(crop.image, crop.labels, rng)
        if settings.light > 0:
            image = augmentation.random_light(image, rng, settings.light)
            image = augmentation.random_blur(image, rng)
        return Crop(image, labels, crop.horizon)

    def _paste(self, crop: Crop, rng: np.random.Generator) -> None:
        settings = self.configuration.paste
        rules = proxies.PasteRules(
            self._ground_ids, settings.height_px, anywhere=settings.anywhere,
            ring_px=settings.ring_px,
        )  # fmt: skip
        if rng.random() < settings.marks_probability:
            proxies.add_harmless_marks(crop.image, crop.labels, self._ground_ids, rng)
        if self._known_cutouts and rng.random() < settings.known_probability:
            cutout, label = self._known_cutouts[int(rng.integers(len(self._known_cutouts)))]
            proxies.paste_object(
                crop.image, crop.labels, cutout, rules, rng, horizon=crop.horizon, label=label
            )
        if self._cutouts and rng.random() < settings.probability:
            for _ in range(int(rng.integers(1, settings.most + 1))):
                cutout = self._cutouts[int(rng.integers(len(self._cutouts)))]
                proxies.paste_object(
                    crop.image, crop.labels, cutout, rules, rng, horizon=crop.horizon
                )

    def _has_objects(self) -> bool:
        objects = self.configuration.objects
        return objects.coco is not None or objects.object_crops is not None

    def _ids(self, names: tuple[str, ...]) -> tuple[int, ...]:
        for name in names:
            if name not in self.classes:
                raise OodError(f"no class {name!r}: the classes are {', '.join(self.classes)}")
        return tuple(self.classes.index(name) for name in names)

    def _load(self, dataset: FrameDataset, index: int) -> _LoadedFrame:
        image, labels = dataset.load(index)
        return _LoadedFrame(image, labels, horizon_row(labels, self._ground_ids))

    def _load_objects(self) -> None:
        settings = self.configuration
        root, objects = settings.data_root, settings.objects
        if objects.coco is not None:
            images = coco_proxies(root / objects.coco, fold=objects.fold)
            self._cutouts += coco_cutouts(images)
            limits = settings.proxies
            if limits.image_share > 0:
                self._proxies = [
                    (proxy, proxy.load())
                    for proxy in images
                    if limits.min_share < proxy.share <= limits.max_share
                ]
                if not self._proxies:
                    raise OodError(
                        f"no proxy image has a share of unknown pixels in "
                        f"({limits.min_share}, {limits.max_share}]; widen proxies.max_share"
                    )
        if objects.object_crops is not None:
            self._cutouts += object_crops(root / objects.object_crops, objects.fold)
        known_ids = self._ids(settings.paste.known_classes)
        if known_ids and self._ground_ids:
            self._known_cutouts = known_class_cutouts(
                [frame for frames in self._frames for frame in frames][::3], known_ids
            )


def known_class_cutouts(
    frames: list[_LoadedFrame], class_ids: tuple[int, ...], min_area_px: int = 400
) -> list[tuple[Cutout, int]]:
    """Connected regions of known classes that do not touch the frame's border, with their class."""
    found = []
    for number, frame in enumerate(frames):
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
