"""Runs a comparison: trains and measures what is missing, and gathers what is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ood_perception.bundle import load_bundle
from ood_perception.command_line import on_progress, progress_bar
from ood_training.comparison.checks import check_inputs
from ood_training.comparison.component_figures import bundle_folder, measure_components
from ood_training.comparison.configuration import ComparisonConfiguration
from ood_training.comparison.data_hash import data_hashes
from ood_training.comparison.latency import known_latency, measure_latency
from ood_training.comparison.pixel_figures import measure_pixels
from ood_training.comparison.record import RunRecord, missing_scores, model_key
from ood_training.comparison.runs import (
    Run,
    chosen_methods,
    has_these_settings,
    make_checkpoint,
    measured_path,
    runs_of,
)
from ood_training.comparison.score_pass import ScorePass, SourcePass
from ood_training.comparison.summary import comparison_summary
from ood_training.evaluation_run import open_evaluation_data
from ood_training.project_commit import project_commit
from ood_training.score_checkpoint import CheckpointScores


def run_comparison(
    comparison: ComparisonConfiguration, methods: Sequence[str] = ()
) -> dict[str, Any]:
    """Train and measure what is missing of these methods, all when empty; as ``finished``.

    Every result is written as soon as it is there; what is finished is not repeated. Raises
    OodError for an unknown method, a missing file or data set, scores that do not go with a
    network, and what training, measuring and exporting raise.
    """
    names = chosen_methods(comparison, methods)
    check_inputs(comparison, names)
    data = data_hashes(comparison)
    bundles: dict[str, Path] = {}
    for run in runs_of(comparison, names):
        _measure(comparison, run, data)
        if run.method.components:
            bundles.setdefault(run.name, bundle_folder(run))
    in_order = {name: bundles[name] for name in names if name in bundles}
    latency = measure_latency(comparison, in_order)
    return _gathered(comparison, names, latency)


def finished(comparison: ComparisonConfiguration, methods: Sequence[str] = ()) -> dict[str, Any]:
    """What is known, as ``comparison_summary`` tells it; nothing is trained or measured."""
    names = chosen_methods(comparison, methods)
    return _gathered(comparison, names, known_latency(comparison))


def _gathered(
    comparison: ComparisonConfiguration, names: Sequence[str], latency: dict[str, Any] | None
) -> dict[str, Any]:
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for run in runs_of(comparison, names):
        path = measured_path(comparison, run)
        # figures of a checkpoint that is gone stay true, those of other settings do not
        there = path.exists()
        if there and not has_these_settings(comparison, run, path):
            continue
        record = RunRecord(run, model_key(comparison, run, path) if there else None)
        if record.content["sets"]:
            found[run.name].append(record.content)
    return comparison_summary(comparison, found, latency)


def _measure(comparison: ComparisonConfiguration, run: Run, data: Mapping[str, str]) -> None:
    path = make_checkpoint(comparison, run)
    record = RunRecord(run, model_key(comparison, run, path))
    record.keep_data(data)
    _measure_pixels(comparison, run, path, record)
    if run.method.components:
        measure_components(comparison, run, path, record)


def _measure_pixels(
    comparison: ComparisonConfiguration, run: Run, path: Path, record: RunRecord
) -> None:
    missing = {
        name: found
        for name, one in comparison.evaluations.items()
        if (found := missing_scores(record, name, one, run.method.score_names)) is not None
    }
    if not missing:
        return
    scores = list(dict.fromkeys(score for names in missing.values() for score in names))
    source = _score_pass(comparison, run, path, scores)
    for name in missing:
        evaluation = comparison.evaluations[name]
        dataset = open_evaluation_data(evaluation.request, source.classes)
        with progress_bar() as bar:
            measured = measure_pixels(
                source,
                dataset,
                scores=bool(evaluation.pixel_figures),
                classes="mIoU" in evaluation.figures,
                on_progress=on_progress(bar, f"{run.title}: {name}"),
            )
        commit = project_commit()
        for figures in measured["scores"].values():
            figures["commit"] = commit
        about = {"frames": len(dataset), "name": dataset.name, "commit": commit}
        record.add_pixels(name, evaluation, {**measured, **about})
        record.write()


def _score_pass(
    comparison: ComparisonConfiguration, run: Run, path: Path, scores: Sequence[Any]
) -> ScorePass:
    method = run.method
    if method.bundle is not None:
        from ood_training.score_bundle import BundleScores

        return SourcePass(BundleScores(load_bundle(path)))
    if method.dropout is not None:
        from ood_training.score_dropout import DropoutScores

        return SourcePass(DropoutScores(path, comparison.input_size, method.samples))
    base = None if comparison.base is None else comparison.base_training()
    return CheckpointScores(path, comparison.input_size, scores, base)
