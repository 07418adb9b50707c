"""A comparison: methods, the data sets they are measured on, and the recipe they start from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, ValidationError, model_validator

from ood_perception.errors import OodError, first_line
from ood_perception.manifest import ScoreName
from ood_training.configuration import TrainingConfiguration
from ood_training.evaluation_components import TRACKS
from ood_training.evaluation_protocols import Protocol
from ood_training.evaluation_run import EvaluationRequest
from ood_training.settings import Section, load_settings

PIXEL_FIGURES = ("AP", "FPR95", "AUROC")
_SOURCES = ("training", "checkpoint", "bundle", "dropout")


class EvaluationConfiguration(Section):
    """One data set to measure on: arguments of `ood evaluate`, and which figures to show.

    protocol: ``smiyc-anomaly`` or ``smiyc-obstacle`` for the component figures; pixel figures are
        always the exact ones.
    every: take every n-th frame.
    """

    kind: str
    data: Path
    split: str | None = None
    label_map: str | None = None
    protocol: Protocol = "fishyscapes"
    figures: tuple[Literal["AP", "FPR95", "AUROC", "mIoU"], ...] = PIXEL_FIGURES  # type: ignore[assignment]
    every: int = Field(default=1, ge=1)

    @property
    def pixel_figures(self) -> tuple[str, ...]:
        """Those of the anomaly score."""
        return tuple(name for name in self.figures if name in PIXEL_FIGURES)

    @property
    def has_components(self) -> bool:
        """Whether its protocol tells component figures."""
        return self.protocol in TRACKS

    @property
    def request(self) -> EvaluationRequest:
        """The same in the words of `ood evaluate`."""
        return EvaluationRequest(
            data=self.data,
            kind=self.kind,
            split=self.split,
            label_map=self.label_map,
            protocol=self.protocol,
            every=self.every,
        )


class MethodConfiguration(Section):
    """One method, of exactly one source.

    training: settings that differ from the base; sections are merged, everything else is replaced.
        Trained with every seed of the comparison.
    checkpoint: a file of `ood train`, measured as it is.
    bundle: a folder, with the score that it has.
    dropout: a checkpoint whose network runs ``samples`` times with its dropout active.
    scores: of a training or checkpoint, entropy when empty; the first is the primary one.
    components: also the component figures and the latency of a bundle with the primary score.
    """

    training: dict[str, Any] | None = None
    checkpoint: Path | None = None
    bundle: Path | None = None
    dropout: Path | None = None
    samples: int = Field(default=8, ge=2)
    scores: tuple[ScoreName, ...] = ()
    components: bool = False

    @property
    def source(self) -> str:
        """Which of the four it has."""
        return next(name for name in _SOURCES if getattr(self, name) is not None)

    @property
    def given(self) -> Path | None:
        """The file or folder that is measured as it is; None for a training."""
        return self.checkpoint or self.bundle or self.dropout

    @property
    def score_names(self) -> tuple[ScoreName, ...] | None:
        """The scores to compute, None for a source that has its own."""
        return (self.scores or ("entropy",)) if self.source in _SOURCES[:2] else None

    @model_validator(mode="after")
    def _has_one_source(self) -> MethodConfiguration:
        given = [name for name in _SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"give exactly one of {', '.join(_SOURCES)}, not {found}")
        if self.scores and self.score_names is None:
            raise ValueError(f"a {given[0]} has a score of its own: leave scores out")
        if len(set(self.scores)) < len(self.scores):
            raise ValueError("a score is named twice")
        if self.components and self.dropout is not None:
            raise ValueError("dropout has no bundle, so it has no components: leave them out")
        return self


def _with_folders_of_their_own(
    methods: dict[str, MethodConfiguration],
) -> dict[str, MethodConfiguration]:
    folders: dict[str, str] = {}
    for name in methods:
        folder = folder_name(name)
        if not folder.strip("._"):
            raise ValueError(f"the method {name!r} needs a name with letters or digits")
        if folder in folders:
            raise ValueError(f"the methods {folders[folder]!r} and {name!r} share a folder name")
        folders[folder] = name
    return methods


class ComparisonConfiguration(Section):
    """Paths are relative to the working directory.

    base: the training configuration that trainings start from, and whose frames every method's
        statistics and thresholds are fitted on; null where no method needs one.
    output: folder of all runs and results.
    seeds: of every training.
    input_size: (height, width) that frames are fitted into; a bundle has its own.
    meta: a meta configuration for ``components``; null makes none. The calibrated threshold joins
        its candidates, and stands alone where one of them gives nothing to learn from.
    road_classes: of the bundles for ``components``.
    """

    base: Path | None = None
    output: Path
    seeds: tuple[int, ...] = Field(default=(1,), min_length=1)
    input_size: tuple[int, int] = (576, 1024)
    meta: Path | None = None
    road_classes: tuple[str, ...] = ("road",)
    evaluations: dict[str, EvaluationConfiguration] = Field(min_length=1)
    methods: Annotated[
        dict[str, MethodConfiguration], AfterValidator(_with_folders_of_their_own)
    ] = Field(min_length=1)

    def base_training(self) -> TrainingConfiguration:
        """The base itself; OodError names a setting that is wrong."""
        return self._training("base", {})

    def training(self, method: str, seed: int) -> TrainingConfiguration:
        """The training configuration of one run; OodError names a setting that is wrong."""
        changes = self.methods[method].training or {}
        own = {"name": f"{method}-{seed}", "seed": seed, "output": self.folder(method, seed)}
        return self._training(f"method {method}", changes, own)

    def _training(
        self, what: str, changes: dict[str, Any], own: dict[str, Any] | None = None
    ) -> TrainingConfiguration:
        if self.base is None:
            raise OodError(f"{what}: name a base, the training configuration to start from")
        if not self.base.is_file():
            raise OodError(f"base: {self.base}: no such training configuration")
        try:
            base = yaml.safe_load(self.base.read_text("utf-8"))
        except yaml.YAMLError as error:
            raise OodError(f"{self.base}: not YAML: {first_line(error)}") from error
        if not isinstance(base, dict):
            raise OodError(f"{self.base}: no training configuration")
        try:
            return TrainingConfiguration.model_validate(merged(base, changes) | (own or {}))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise OodError(f"{what}: setting {where or '(top)'}: {first['msg']}") from error

    def folder(self, method: str, seed: int | None = None) -> Path:
        """Where one run keeps its checkpoints and figures."""
        own = self.output / folder_name(method)
        return own if seed is None else own / f"seed_{seed}"


def folder_name(name: str) -> str:
    """A name as a folder's: anything but letters, digits and ``.=-`` becomes ``_``."""
    return re.sub(r"[^\w.=-]+", "_", name)


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The base with the changes in it: sections are merged, everything else is replaced."""
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        result[key] = merged(old, value) if both else value  # type: ignore[arg-type]
    return result


def load_comparison(path: Path) -> ComparisonConfiguration:
    """Read a comparison and check all its methods; OodError names the first thing wrong.

    Files and data that it names are not looked at, but for the base (``check_inputs`` does).
    """
    comparison = load_settings(path, ComparisonConfiguration, "comparison")
    from ood_training.comparison.checks import check_methods

    check_methods(comparison)
    return comparison
