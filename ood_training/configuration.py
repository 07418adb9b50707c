"""Training configurations: a YAML file, checked before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ood_perception.errors import OodError


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceConfiguration(_Section):
    """One data set of street frames.

    root: below ``data_root``.
    share: part of the street crops that comes from here, relative to the other sources.
    scale: least and largest resize factor of its frames before the crop is taken.
    """

    kind: Literal["camvid", "cityscapes", "generated"]
    root: str
    split: str = "train"
    share: float = Field(default=1.0, gt=0)
    scale: tuple[float, float] = (0.75, 1.75)


class ValidationConfiguration(_Section):
    """Frames on which mIoU is measured.

    every: take every n-th frame.
    size: (height, width) that a frame is fitted into, as at inference.
    each_epochs: measure after every n-th epoch, and always after a stage's last one.
    """

    source: SourceConfiguration
    every: int = Field(default=3, ge=1)
    size: tuple[int, int] = (576, 1024)
    each_epochs: int = Field(default=1, ge=1)


class ObjectsConfiguration(_Section):
    """Where unknown objects come from.

    coco, object_crops: folders below ``data_root``, or null.
    fold: only this fold of each is used; the others are held out for meta classification.
    """

    coco: str | None = None
    object_crops: str | None = None
    fold: int = 0
    folds: int = Field(default=2, ge=2)


class PasteConfiguration(_Section):
    """Objects pasted into street crops (stages with ``unknown_objects``).

    probability: part of the street crops that get objects.
    most: largest number of objects in one crop.
    known_probability: part of the crops that also get cut-outs of known classes, so that being
        pasted is no sign of being unknown.
    known_classes: their names.
    marks_probability: part of the crops that get harmless shadows and painted marks.
    """

    probability: float = Field(default=0.5, ge=0, le=1)
    most: int = Field(default=4, ge=1)
    height_px: tuple[int, int] = (10, 130)
    anywhere: float = Field(default=0.12, ge=0, le=1)
    ring_px: int = Field(default=1, ge=0)
    ground_classes: tuple[str, ...] = ("road",)
    known_probability: float = Field(default=0.0, ge=0, le=1)
    known_classes: tuple[str, ...] = ()
    marks_probability: float = Field(default=0.0, ge=0, le=1)


class ProxyConfiguration(_Section):
    """Whole proxy images (spec section 2).

    image_share: part of a batch's images.
    min_share, max_share: only images with a share of unknown pixels in (min, max].
    background: what their other pixels are: ignored, or a class name (the published code: road).
    """

    image_share: float = Field(default=0.0, ge=0, lt=1)
    min_share: float = 0.0
    max_share: float = 1.0
    background: str = "ignore"


class StageConfiguration(_Section):
    """One part of a run.

    unknown_objects: false trains known classes only (cross-entropy, 254 ignored); true uses the
        entropy-maximisation loss, pasted objects and proxies.
    freeze_batch_norm: keep batch statistics as they are.
    """

    name: str
    epochs: int = Field(ge=1)
    steps_per_epoch: int = Field(ge=1)
    encoder_learning_rate: float = Field(gt=0)
    decoder_learning_rate: float = Field(gt=0)
    warmup_steps: int = Field(default=0, ge=0)
    unknown_objects: bool = False
    freeze_batch_norm: bool = False


class LossConfiguration(_Section):
    """``ood_weight`` is the paper's lambda."""

    ood_weight: float = Field(default=0.9, ge=0, le=1)
    reduction: Literal["legacy", "per_term"] = "per_term"


class TrainingConfiguration(_Section):
    """A whole training run. Paths are relative to the working directory.

    initial_checkpoint: network weights to begin with, such as those of an earlier run's stage.
    """

    name: str
    data_root: Path
    output: Path
    seed: int = 0
    model: str
    decoder_channels: int | None = None
    imagenet_weights: bool = False
    initial_checkpoint: Path | None = None
    bfloat16: bool = False
    threads: int | None = None
    crop_size: int = Field(default=320, ge=32)
    batch_size: int = Field(default=8, ge=2)
    weight_decay: float = 0.01
    light: float = Field(default=1.0, ge=0)
    sources: tuple[SourceConfiguration, ...] = Field(min_length=1)
    validation: ValidationConfiguration | None = None
    objects: ObjectsConfiguration = ObjectsConfiguration()
    paste: PasteConfiguration = PasteConfiguration()
    proxies: ProxyConfiguration = ProxyConfiguration()
    loss: LossConfiguration = LossConfiguration()
    stages: tuple[StageConfiguration, ...] = Field(min_length=1)


def load_training_configuration(path: Path) -> TrainingConfiguration:
    """Read and check a YAML file; OodError names the first setting that is wrong."""
    if not path.is_file():
        raise OodError(f"{path}: no such training configuration")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return TrainingConfiguration.model_validate(content)
    except yaml.YAMLError as error:
        raise OodError(f"{path}: not YAML: {str(error).splitlines()[0]}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise OodError(f"{path}: setting {where or '(top)'}: {first['msg']}") from error
