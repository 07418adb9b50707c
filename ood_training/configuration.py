"""Training configurations: a YAML file, checked before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from ood_training.data_configuration import (
    ObjectsConfiguration,
    PasteConfiguration,
    ProxyConfiguration,
    SourceConfiguration,
    ValidationConfiguration,
)
from ood_training.settings import Section, load_settings


class StageConfiguration(Section):
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


class LossConfiguration(Section):
    """``ood_weight`` is the paper's lambda."""

    ood_weight: float = Field(default=0.9, ge=0, le=1)
    reduction: Literal["legacy", "per_term"] = "per_term"


class TrainingConfiguration(Section):
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
    return load_settings(path, TrainingConfiguration, "training configuration")
