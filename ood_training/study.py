"""Run a study: train every variant with every seed, measure each, write one table.

python -m ood_training.study config/studies/street.yaml [--table FILE] [--json FILE]

A run that was interrupted goes on where it stopped; what is finished is not repeated.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from ood_perception.bundle import sha256
from ood_perception.command_line import on_progress, one_line_errors, progress_bar, write_json
from ood_perception.commands.options import JsonOption
from ood_perception.errors import OodError
from ood_training.study_configuration import StudyConfiguration, load_study
from ood_training.study_table import study_table
from ood_training.whole_files import written_whole

FIGURES_NAME = "figures.json"
BEFORE = "before"


def run_study(
    study: StudyConfiguration, variants: Sequence[str] = ()
) -> dict[str, list[dict[str, Any]]]:
    """Train and measure what is missing, seed after seed, and return all figures.

    variants: only these, all of them when empty. Raises OodError for a name that is none.
    Returns variant -> one entry a seed: ``{"seed", "commit", "figures": {set: {figure: value}}}``.
    """
    unknown = [name for name in variants if name not in study.variants]
    if unknown:
        raise OodError(f"no variant {unknown[0]!r}: known are {', '.join(study.variants)}")
    results: dict[str, list[dict[str, Any]]] = {}
    if study.before is not None:
        results[BEFORE] = [_measured(study, study.before, study.output / BEFORE, None)]
    for seed in study.seeds:
        for variant in variants or study.variants:
            checkpoint = _trained(study, variant, seed)
            folder = study.folder(variant, seed)
            entry = _measured(study, checkpoint, folder, seed)
            results.setdefault(variant, []).append(entry)
    return results


def finished(study: StudyConfiguration) -> dict[str, list[dict[str, Any]]]:
    """The figures of the runs that are finished; nothing is trained."""
    results: dict[str, list[dict[str, Any]]] = {}
    places = [(BEFORE, study.output / BEFORE)]
    places += [(name, study.folder(name, seed)) for name in study.variants for seed in study.seeds]
    for name, folder in places:
        path = folder / FIGURES_NAME
        if path.is_file():
            results.setdefault(name, []).append(json.loads(path.read_text("utf-8")))
    return results


def _trained(study: StudyConfiguration, variant: str, seed: int) -> Path:
    from ood_training.training import train

    settings = study.training(variant, seed)
    checkpoint = settings.output / f"{settings.stages[-1].name}.safetensors"
    from ood_training.checkpoint import read_checkpoint
    from ood_training.training.fingerprint import run_fingerprint

    if not checkpoint.is_file():
        train(settings)
    elif read_checkpoint(checkpoint)[1].configuration != run_fingerprint(settings):
        raise OodError(
            f"{checkpoint} was trained with other settings than the study has now: give the study "
            "another output folder, or remove this one"
        )
    return checkpoint


def _measured(
    study: StudyConfiguration, checkpoint: Path, folder: Path, seed: int | None
) -> dict[str, Any]:
    from ood_training.project_commit import project_commit

    path = folder / FIGURES_NAME
    measured = {
        "checkpoint": sha256(checkpoint.read_bytes()),
        "input_size": list(study.input_size),
        "evaluations": {k: v.model_dump(mode="json") for k, v in study.evaluations.items()},
    }
    if path.is_file():
        known: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if known["measured"] == measured:
            return known
    figures = {name: _figures(study, name, checkpoint) for name in study.evaluations}
    entry = {"seed": seed, "commit": project_commit(), "figures": figures, "measured": measured}
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(entry, indent=2) + "\n", encoding="utf-8")
    return entry


def _figures(study: StudyConfiguration, name: str, checkpoint: Path) -> dict[str, float]:
    from ood_training.evaluation_run import EvaluationRequest, run_evaluation

    wanted = study.evaluations[name]
    request = EvaluationRequest(
        data=wanted.data,
        kind=wanted.kind,
        split=wanted.split,
        bundle=checkpoint,
        protocol=wanted.protocol,
        input_size=study.input_size,
        every=wanted.every,
    )
    with progress_bar() as bar:
        result = run_evaluation(request, on_progress(bar, f"{checkpoint.parent.name} {name}"))
    return {figure: result[figure] for figure in wanted.figures}


def main(
    configuration: Annotated[Path, typer.Argument(help="The study (YAML).")],
    variant: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="Run only this variant; may be given several times."),
    ] = None,
    table: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Write the table as Markdown to this file."),
    ] = None,
    only_show: Annotated[
        bool, typer.Option("--only-show", help="Show what is finished; train nothing.")
    ] = False,
    json_file: JsonOption = None,
) -> None:
    """Train every variant with every seed, measure each, and show mean and deviation."""
    with one_line_errors():
        study = load_study(configuration)
        results = finished(study) if only_show else run_study(study, variant or ())
        text = study_table(results)
        print(text)
        write_json(json_file, results)
        if table is not None:
            with written_whole(table) as temporary:
                temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
