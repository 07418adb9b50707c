"""A study: variants of one training recipe over several seeds, measured on the same data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from ood_perception.errors import OodError, first_line
from ood_training.configuration import TrainingConfiguration
from ood_training.settings import Section, load_settings


class StudyEvaluation(Section):
    """One data set to measure on: the arguments of `ood evaluate`, and which figures to show.

    figures: of ``AP``, ``FPR95``, ``AUROC`` and ``mIoU``.
    every: take every n-th frame.
    """

    kind: str
    data: Path
    split: str | None = None
    protocol: str = "fishyscapes"
    figures: tuple[Literal["AP", "FPR95", "AUROC", "mIoU"], ...] = ("AP", "FPR95", "AUROC")
    every: int = Field(default=1, ge=1)


class StudyConfiguration(Section):
    """Paths are relative to the working directory.

    base: the training configuration that every variant starts from.
    before: a checkpoint that is measured beside the variants, or null.
    variants: name -> settings that differ from the base; sections are merged, lists replaced.
    evaluations: name -> data set.
    input_size: (height, width) that frames are fitted into.
    """

    base: Path
    output: Path
    before: Path | None = None
    seeds: tuple[int, ...] = Field(min_length=1)
    variants: dict[str, dict[str, Any]] = Field(min_length=1)
    evaluations: dict[str, StudyEvaluation] = Field(min_length=1)
    input_size: tuple[int, int] = (576, 1024)

    def training(self, variant: str, seed: int) -> TrainingConfiguration:
        """The training configuration of one run; OodError names a setting that is wrong."""
        try:
            base = yaml.safe_load(self.base.read_text("utf-8"))
        except yaml.YAMLError as error:
            raise OodError(f"{self.base}: not YAML: {first_line(error)}") from error
        content = merged(base, self.variants[variant])
        content |= {"name": f"{variant}-{seed}", "seed": seed, "output": self.folder(variant, seed)}
        try:
            return TrainingConfiguration.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise OodError(f"variant {variant}: setting {where}: {first['msg']}") from error

    def folder(self, variant: str, seed: int) -> Path:
        """Where one run keeps its checkpoints and figures."""
        return self.output / variant / f"seed_{seed}"


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The base with the changes in it: sections are merged, everything else is replaced."""
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        result[key] = merged(old, value) if both else value  # type: ignore[arg-type]
    return result


def load_study(path: Path) -> StudyConfiguration:
    """Read and check a study and all its variants; OodError names the first thing wrong."""
    study = load_settings(path, StudyConfiguration, "study")
    if not study.base.is_file():
        raise OodError(f"{path}: base: {study.base}: no such training configuration")
    for variant in study.variants:
        study.training(variant, study.seeds[0])
    return study
