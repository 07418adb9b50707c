"""What is known of one run, in a JSON file beside it, so that nothing finished is repeated."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ood_perception.bundle import sha256
from ood_perception.command_line import write_json
from ood_perception.errors import OodError
from ood_training.comparison.configuration import ComparisonConfiguration, EvaluationConfiguration
from ood_training.comparison.runs import Run

RECORD_NAME = "comparison.json"


class RunRecord:
    """The figures of one run; ``content`` is what is written.

    content: ``method``, ``seed``, ``model`` (what was measured, by its bytes), ``data`` (on what,
    by name and bytes), ``sets`` {name: pixel figures}, and of a method with components ``bundle``
    and ``components`` {name: figures}.
    """

    def __init__(self, run: Run, model: dict[str, Any] | None) -> None:
        """Read what is known of this model; of any where ``model`` is None."""
        self.path = run.folder / RECORD_NAME
        self.content: dict[str, Any] = {
            "method": run.name,
            "seed": run.seed,
            "model": model,
            "data": {},
            "sets": {},
            "components": {},
        }
        known = _read(self.path)
        if known and (model is None or known["model"] == model):
            self.content = {**self.content, **known, "method": run.name}

    def keep_data(self, data: Mapping[str, str]) -> None:
        """Forget what was measured on other frames than these (name -> hash of its bytes)."""
        for name, found in data.items():
            if self.content["data"].get(name) != found:
                self.content["sets"].pop(name, None)
                self.content["components"].pop(name, None)
        self.content["data"] = {**self.content["data"], **data}

    def write(self) -> None:
        """Write it whole."""
        write_json(self.path, self.content)

    def known_scores(self, name: str, evaluation: EvaluationConfiguration) -> tuple[str, ...]:
        """The scores that are measured on this data set as it is described now."""
        known = self._known(name, evaluation)
        return tuple(known["scores"]) if known else ()

    def is_measured(self, name: str, evaluation: EvaluationConfiguration) -> bool:
        """Whether the data set was measured, as it is described now, with any scores."""
        return self._known(name, evaluation) is not None

    def add_pixels(
        self, name: str, evaluation: EvaluationConfiguration, found: dict[str, Any]
    ) -> None:
        """Take in what was measured beside what is known."""
        known = self._known(name, evaluation) or {"scores": {}}
        scores = {**known["scores"], **found["scores"]}
        key = {"evaluation": pixel_key(evaluation)}
        self.content["sets"][name] = {**known, **found, "scores": scores, **key}

    def _known(self, name: str, evaluation: EvaluationConfiguration) -> dict[str, Any] | None:
        known: dict[str, Any] | None = self.content["sets"].get(name)
        return known if known and known["evaluation"] == pixel_key(evaluation) else None


def pixel_key(evaluation: EvaluationConfiguration) -> dict[str, Any]:
    """What the pixel figures of a data set depend on."""
    wanted = {"scores": bool(evaluation.pixel_figures), "classes": "mIoU" in evaluation.figures}
    return evaluation.model_dump(mode="json", exclude={"figures", "protocol"}) | wanted


def component_key(evaluation: EvaluationConfiguration) -> dict[str, Any]:
    """What the component figures of a data set depend on."""
    return evaluation.model_dump(mode="json", exclude={"figures"})


def model_key(comparison: ComparisonConfiguration, run: Run, path: Path) -> dict[str, Any]:
    """What is measured: the bytes of a checkpoint or bundle, and how it is looked at."""
    if run.method.bundle is not None:
        # the manifest holds the hashes of the graphs
        return {"bundle": file_hash(path / "manifest.json")}
    key: dict[str, Any] = {"checkpoint": file_hash(path), "input_size": [*comparison.input_size]}
    if run.method.dropout is not None:
        return key | {"samples": run.method.samples}
    if comparison.base is not None:
        base = comparison.base_training()
        dumped = base.model_dump(mode="json", include={"data_root", "sources"})
        key["statistics"] = dumped
    return key


def file_hash(path: Path) -> str:
    """SHA-256 of a file; OodError when it cannot be read."""
    try:
        return sha256(path.read_bytes())
    except OSError as error:
        raise OodError(f"{path}: cannot read: {error.strerror}") from error


def missing_scores(
    record: RunRecord, name: str, evaluation: EvaluationConfiguration, wanted: Sequence[str] | None
) -> tuple[str, ...] | None:
    """The scores that are still to measure on a data set; None when nothing is.

    wanted: None for a source with one score of its own.
    """
    if not record.is_measured(name, evaluation):
        return tuple(wanted or ()) if evaluation.pixel_figures else ()
    if not evaluation.pixel_figures or wanted is None:
        return None
    known = record.known_scores(name, evaluation)
    return tuple(score for score in wanted if score not in known) or None


def _read(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise OodError(f"{path}: no record of a comparison: remove it") from error
    if not isinstance(content, dict) or "model" not in content or "sets" not in content:
        raise OodError(f"{path}: no record of a comparison: remove it")
    return content
