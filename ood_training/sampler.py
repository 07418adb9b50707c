"""Training samples: drawn anew for every step, and the same for the same seed, stage and step."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ood_perception.errors import OodError
from ood_training import augmentation, proxies
from ood_training.augmentation import Crop
from ood_training.configuration import TrainingConfiguration
from ood_training.data_configuration import SourceConfiguration
from ood_training.datasets.cutouts import Cutout
from ood_training.datasets.frames import FrameDataset
from ood_training.harmless_marks import add_harmless_marks
from ood_training.losses import IGNORE_LABEL, OOD_LABEL
from ood_training.sampler_cache import PictureCache
from ood_training.sampler_epochs import EpochPlan
from ood_training.sampler_frames import (
    LoadedFrame,
    StreetFrames,
    class_names,
    horizon_row,
    open_frames,
)
from ood_training.sampler_objects import UnknownObjects
from ood_training.styles import StyleTransfer
from ood_training.styles.registry import open_style

__all__ = ["TrainingSampler", "class_names", "horizon_row", "open_frames", "open_source"]
_MEBIBYTE = 1 << 20
Batch = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def open_source(source: SourceConfiguration, configuration: TrainingConfiguration) -> FrameDataset:
    """The frames of one source; OodError when they cannot be found."""
    return open_frames(source, configuration.data_root)


class TrainingSampler:
    """Draws batches of street crops, with pasted objects and whole proxies where a stage wants.

    The random numbers of a sample depend on nothing but the seed, the stage, the step and its
    place in the batch: a resumed run sees what an uninterrupted one would have seen, and the parts
    of a batch, whoever draws them, join to the same batch.
    """

    def __init__(self, configuration: TrainingConfiguration) -> None:
        self.configuration = configuration
        datasets = [open_source(source, configuration) for source in configuration.sources]
        self.classes = class_names(datasets)
        paste, loading = configuration.paste, configuration.loading
        self._ground_ids = self._ids(paste.ground_classes) if self._pastes() else ()
        self._cache = PictureCache(loading.cache_mebibytes * _MEBIBYTE // max(1, loading.workers))
        shares = [source.share for source in configuration.sources]
        self._frames = StreetFrames(datasets, shares, self._ground_ids, self._cache)
        background = configuration.proxies.background
        self._background = IGNORE_LABEL if background == "ignore" else self._ids((background,))[0]
        self._objects: UnknownObjects | None = None
        self._known_cutouts: list[tuple[Cutout, int]] = []
        self._style: StyleTransfer | None = None
        if any(stage.unknown_objects for stage in configuration.stages):
            self._objects = UnknownObjects(
                configuration.data_root, configuration.objects, paste, configuration.proxies,
                self._cache,
            )  # fmt: skip
            self._style = open_style(paste.style)
            known_ids = self._ids(paste.known_classes)
            if known_ids and self._ground_ids and paste.known_probability > 0:
                self._known_cutouts = self._frames.known_cutouts(known_ids)
        self._plans = self._open_plans()

    def describe(self) -> dict[str, int]:
        """How many frames and objects there are to draw from."""
        return {
            "frames": len(self._frames),
            "unknown_objects": self._objects.cutouts if self._objects else 0,
            "known_objects": len(self._known_cutouts),
            "proxy_images": len(self._objects.proxies) if self._objects else 0,
        }

    def steps_per_epoch(self, unknown_objects: bool) -> int:
        """Batches of one pass over all street frames (and its drawn proxies, mode epoch_draw)."""
        return self._plan(unknown_objects).steps

    def drawn_proxy_ids(self, stage: int, epoch: int) -> tuple[int, ...]:
        """COCO ids of the proxies of an epoch, in the order of the draw (spec section 2.3).

        epoch: counted from 0 within the stage, each of ``steps_per_epoch`` steps. Empty for stages
        without unknown objects and in the mode image_share, which draws for every sample.
        """
        unknown_objects = self.configuration.stages[stage].unknown_objects
        plan = self._plans.get(unknown_objects)
        if plan is None or self._objects is None or plan.drawn == 0:
            return ()
        drawn = plan.drawn_proxies(stage, epoch)
        return tuple(self._objects.proxies[number].image_id for number in drawn)

    def batch(
        self, stage: int, step: int, unknown_objects: bool, part: slice | None = None
    ) -> tuple[Tensor, Tensor]:
        """One batch, or a part of it.

        Args:
            stage, step: place in the run, ``step`` counted from 0 within the stage.
            unknown_objects: whether pasted objects and whole proxies take part.
            part: which samples of the global batch, all of them when None. Parts join to the
                whole batch, bit for bit.

        Returns images (B, 3, S, S) float32 RGB in [0, 1] and labels (B, S, S) int64: class ids,
        254 (unknown) and 255 (ignore). Raises OodError naming a file that cannot be used.
        """
        return as_tensors(self.arrays(stage, step, unknown_objects, part))

    def arrays(
        self, stage: int, step: int, unknown_objects: bool, part: slice | None = None
    ) -> Batch:
        """The same as images (B, S, S, 3) uint8 RGB and labels (B, S, S) uint8."""
        size = self.configuration.crop_size
        crops = [
            self._sample(stage, step, index, unknown_objects)
            for index in range(self.configuration.batch_size)[part or slice(None)]
        ]
        images = np.empty((len(crops), size, size, 3), np.uint8)
        labels = np.empty((len(crops), size, size), np.uint8)
        for number, crop in enumerate(crops):
            images[number], labels[number] = crop.image[..., ::-1], crop.labels
        return images, labels

    def _sample(self, stage: int, step: int, index: int, unknown_objects: bool) -> Crop:
        rng = np.random.default_rng([self.configuration.seed, stage, step, index])
        plan = self._plans.get(unknown_objects)
        if plan is not None:
            is_proxy, number = plan.item(stage, step, index)
            place = (0, number) if is_proxy else self._frames.place(number)
        else:
            is_proxy, place = self._draw(rng, unknown_objects)
        if is_proxy:
            return self._proxy_sample(place[1], rng)
        return self._street_sample(*place, rng, unknown_objects)

    def _draw(
        self, rng: np.random.Generator, unknown_objects: bool
    ) -> tuple[bool, tuple[int, int]]:
        """Mode image_share: whether it is a proxy; its number, or source and index of a frame."""
        count = len(self._objects.proxies) if unknown_objects and self._objects else 0
        if count > 0 and rng.random() < self.configuration.proxies.image_share:
            return True, (0, int(rng.integers(count)))
        return False, self._frames.draw(rng)

    def _proxy_sample(self, number: int, rng: np.random.Generator) -> Crop:
        assert self._objects is not None
        image, mask = self._objects.proxy(number)
        settings = self.configuration
        if settings.augmentation == "published":
            labels = np.where(mask, OOD_LABEL, self._background).astype(np.uint8)
            flipped = augmentation.random_flip(image, labels, rng)
            return augmentation.published_crop(*flipped, settings.crop_size, rng)
        crop = proxies.proxy_crop(image, mask, settings.crop_size, rng, background=self._background)
        return self._changed(crop, rng)

    def _street_sample(
        self, source: int, index: int, rng: np.random.Generator, unknown_objects: bool
    ) -> Crop:
        settings = self.configuration
        frame: LoadedFrame = self._frames.load(source, index)
        published = settings.augmentation == "published"
        if published:
            flipped = augmentation.random_flip(frame.image, frame.labels, rng)
            crop = augmentation.published_crop(*flipped, settings.crop_size, rng, frame.horizon)
        else:
            scale = settings.sources[source].scale
            crop = augmentation.random_crop(
                frame.image, frame.labels, settings.crop_size, scale, rng, frame.horizon
            )
        if unknown_objects and self._ground_ids:
            # pasting writes into the crop, which may be a view of a frame that others use too
            crop = Crop(crop.image.copy(), crop.labels.copy(), crop.horizon)
            self._paste(crop, rng)
        return crop if published else self._changed(crop, rng)

    def _changed(self, crop: Crop, rng: np.random.Generator) -> Crop:
        """Mirror image, light and blur of the recommended augmentation."""
        image, labels = augmentation.random_flip(crop.image, crop.labels, rng)
        if self.configuration.light > 0:
            image = augmentation.random_light(image, rng, self.configuration.light)
            image = augmentation.random_blur(image, rng)
        return Crop(image, labels, crop.horizon)

    def _paste(self, crop: Crop, rng: np.random.Generator) -> None:
        settings = self.configuration.paste
        rules = proxies.PasteRules(
            self._ground_ids, settings.height_px, anywhere=settings.anywhere,
            ring_px=settings.ring_px, style=self._style,
        )  # fmt: skip
        if rng.random() < settings.marks_probability:
            add_harmless_marks(crop.image, crop.labels, self._ground_ids, rng)
        if self._known_cutouts and rng.random() < settings.known_probability:
            cutout, label = self._known_cutouts[int(rng.integers(len(self._known_cutouts)))]
            proxies.paste_object(
                crop.image, crop.labels, cutout, rules, rng, horizon=crop.horizon, label=label
            )
        if self._objects and self._objects.cutouts and rng.random() < settings.probability:
            for _ in range(int(rng.integers(1, settings.most + 1))):
                cutout = self._objects.draw_cutout(rng)
                proxies.paste_object(
                    crop.image, crop.labels, cutout, rules, rng, horizon=crop.horizon
                )

    def _open_plans(self) -> dict[bool, EpochPlan]:
        """Whole epochs with and without unknown objects, where the mode goes through them."""
        plans: dict[bool, EpochPlan] = {}
        if self.configuration.proxies.mode != "epoch_draw":
            return plans
        for stage in self.configuration.stages:
            plan = plans[stage.unknown_objects] = self._plan(stage.unknown_objects)
            if stage.steps_per_epoch not in (None, plan.steps):
                raise OodError(
                    f"stage {stage.name!r}: steps_per_epoch is {stage.steps_per_epoch}, but with "
                    f"proxies.mode epoch_draw an epoch of {plan.frames} street frames and "
                    f"{plan.drawn} proxies has {plan.steps} steps of {plan.batch_size} images; "
                    f"set it to {plan.steps}"
                )
        return plans

    def _plan(self, unknown_objects: bool) -> EpochPlan:
        settings, count = self.configuration, len(self._frames)
        drawing = unknown_objects and settings.proxies.mode == "epoch_draw"
        available = len(self._objects.proxies) if self._objects is not None else 0
        # 0.29 * 100 is a little less than 29 in binary
        drawn = math.floor(settings.proxies.epoch_fraction * count + 1e-9) if drawing else 0
        return EpochPlan(settings.seed, settings.batch_size, count, available, drawn)

    def _pastes(self) -> bool:
        objects = self.configuration.objects
        given = objects.coco is not None or objects.object_crops is not None
        paste = self.configuration.paste
        return (
            given and max(paste.probability, paste.known_probability, paste.marks_probability) > 0
        )

    def _ids(self, names: tuple[str, ...]) -> tuple[int, ...]:
        for name in names:
            if name not in self.classes:
                raise OodError(f"no class {name!r}: the classes are {', '.join(self.classes)}")
        return tuple(self.classes.index(name) for name in names)


def as_tensors(batch: Batch) -> tuple[Tensor, Tensor]:
    """Images (B, S, S, 3) uint8 to (B, 3, S, S) float32 in [0, 1]; labels uint8 to int64."""
    images, labels = (torch.from_numpy(array) for array in batch)
    return images.permute(0, 3, 1, 2).float().div_(255.0), labels.long()
