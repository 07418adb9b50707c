"""Component figures of a method: its bundle with a meta classifier, and the bundle's own masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ood_perception.bundle import load_bundle
from ood_perception.command_line import on_progress, progress_bar
from ood_perception.errors import NothingToLearnError
from ood_training.comparison.configuration import ComparisonConfiguration, EvaluationConfiguration
from ood_training.comparison.record import RunRecord, component_key, file_hash
from ood_training.comparison.runs import Run
from ood_training.evaluation_components import TRACKS, OwnMaskComponents
from ood_training.evaluation_run import open_evaluation_data
from ood_training.export import ExportSettings, export_bundle, load_trained_network
from ood_training.grid_network import GridNetwork
from ood_training.meta.configuration import MetaConfiguration, load_meta_configuration
from ood_training.meta.training import train_meta_classifier
from ood_training.project_commit import project_commit
from ood_training.score_bundle import BundleScores
from ood_training.score_calibration import calibrate_score
from ood_training.score_request import mixed_frames, training_frames

BUNDLE_NAME = "bundle"


def measure_components(
    comparison: ComparisonConfiguration, run: Run, path: Path, record: RunRecord
) -> None:
    """Fill ``bundle`` and ``components`` of a record with what is missing, and write it.

    A checkpoint becomes a bundle of the primary score, calibrated on the base, with the meta
    classifier of ``meta``; a bundle is taken as it is. Raises what export and data raise. Where
    all components are of one kind, ``meta_skipped`` tells it, because the other methods go on.
    """
    folder = _bundle(comparison, run, path, record)
    for name, evaluation in comparison.evaluations.items():
        if not evaluation.has_components:
            continue
        key = component_key(evaluation)
        known = record.content["components"].get(name)
        if known and known["evaluation"] == key:
            continue
        found = _own_masks(folder, evaluation, f"{run.title}: components, {name}")
        record.content["components"][name] = {
            **found, "evaluation": key, "commit": project_commit()
        }  # fmt: skip
        record.write()


def bundle_folder(run: Run) -> Path:
    """Where the bundle of a run lies, or will lie."""
    return run.method.bundle or run.folder / BUNDLE_NAME


def _bundle(comparison: ComparisonConfiguration, run: Run, path: Path, record: RunRecord) -> Path:
    folder, known = bundle_folder(run), record.content.get("bundle")
    if run.method.bundle is not None:
        record.content["bundle"] = {"manifest": file_hash(folder / "manifest.json")}
        return folder
    key = _key(comparison, run)
    manifest = folder / "manifest.json"
    known = known if known and known["key"] == key and manifest.is_file() else None
    if known and known["manifest"] == file_hash(manifest):
        return folder
    _export(comparison, run, path, folder)
    made = {"key": key, **_with_meta_classifier(comparison, run, folder)}
    record.content["bundle"] = {**made, "manifest": file_hash(manifest)}
    record.content["components"] = {}
    record.write()
    return folder


def _key(comparison: ComparisonConfiguration, run: Run) -> dict[str, Any]:
    """What a bundle depends on, beside the checkpoint."""
    base = comparison.base_training()
    meta = None if comparison.meta is None else load_meta_configuration(comparison.meta)
    fitted_on = {"data_root", "sources", "validation", "paste", "objects"}
    return {
        "score": _primary(run),
        "road_classes": [*comparison.road_classes],
        "calibration": base.model_dump(mode="json", include=fitted_on),
        "meta": meta and meta.model_dump(mode="json"),
    }


def _primary(run: Run) -> Any:
    names = run.method.score_names
    assert names
    return names[0]


def _export(comparison: ComparisonConfiguration, run: Run, path: Path, folder: Path) -> None:
    base = comparison.base_training()
    network, classes = load_trained_network(path)
    calibrated = calibrate_score(
        GridNetwork(network, comparison.input_size),
        _primary(run),
        lambda: training_frames(base, classes),
        mixed_frames(base, classes),
        calibrated_on=f"frames of {base.name}",
    )
    settings = ExportSettings(
        name=folder.parent.name if run.seed is None else f"{run.folder.parent.name}_{run.seed}",
        trained_on=f"the data of {base.name} ({run.title})",
        terms="for comparison: those of its data",
        input_size=comparison.input_size,
        score=calibrated.spec,
        features=calibrated.features,
        road_classes=comparison.road_classes,
    )
    export_bundle(path, folder, settings)


def _with_meta_classifier(
    comparison: ComparisonConfiguration, run: Run, folder: Path
) -> dict[str, Any]:
    """Fit one where the comparison has a meta configuration; what came of it."""
    if comparison.meta is None:
        return {"threshold": load_bundle(folder).manifest.score.threshold}
    settings = load_meta_configuration(comparison.meta)
    calibrated = load_bundle(folder).manifest.score.threshold
    candidates = tuple(sorted({*settings.thresholds, calibrated}))
    try:
        return _fit(run, folder, settings, candidates)
    except NothingToLearnError as error:
        if len(candidates) == 1:
            return {"threshold": calibrated, "meta_skipped": str(error)}
    # thresholds of a configuration are for one score: another may have no components there
    try:
        return {**_fit(run, folder, settings, (calibrated,)), "only_calibrated": True}
    except NothingToLearnError as error:
        return {"threshold": calibrated, "meta_skipped": str(error)}


def _fit(
    run: Run, folder: Path, settings: MetaConfiguration, thresholds: tuple[float, ...]
) -> dict[str, Any]:
    chosen = settings.model_copy(update={"thresholds": thresholds})
    with progress_bar() as bar:
        advance = on_progress(bar, f"{run.title}: meta classifier")
        result = train_meta_classifier(folder, chosen, advance)
    return {name: result[name] for name in ("threshold", "threshold_before", "decision")}


def _own_masks(folder: Path, evaluation: EvaluationConfiguration, title: str) -> dict[str, Any]:
    """SegmentMeIfYouCan's mean F1 of the bundle's own masks, as `ood evaluate` tells them."""
    source = BundleScores(load_bundle(folder))
    dataset = open_evaluation_data(evaluation.request, source.classes)
    masks = OwnMaskComponents(TRACKS[evaluation.protocol])
    with progress_bar() as bar:
        advance = on_progress(bar, title)
        for index in range(len(dataset)):
            image, labels = dataset.load(index)
            detection = source.score_frame(dataset[index].frame_id, image).detection
            assert detection is not None
            masks.add(detection, labels)
            advance(index + 1, len(dataset))
    figures = masks.figures()
    told = figures["with_meta_classifier"]["F1"] if source.has_meta_classifier else None
    return {"F1": figures["without_meta_classifier"]["F1"], "F1 with meta": told}
