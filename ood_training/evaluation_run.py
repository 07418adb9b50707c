"""One evaluation from paths and names to a result that can be written as JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ood_perception.errors import OodError
from ood_training.anomaly_evaluation import evaluate_scores
from ood_training.datasets.folder import folder_label_map
from ood_training.datasets.frames import FrameDataset
from ood_training.datasets.registry import open_dataset
from ood_training.evaluation_protocols import EXACT_TEXT, check_protocol
from ood_training.project_commit import project_commit
from ood_training.score_folder import ScoreFolder
from ood_training.score_source import ScoreSource

_CHECKPOINT_SUFFIX = ".safetensors"
_INPUT_SIZE = (576, 1024)


@dataclass(frozen=True)
class EvaluationRequest:
    """What to measure: one of ``bundle`` (a bundle folder or a checkpoint) and ``scores``.

    data, kind, split, label_map: as ``open_dataset`` takes them.
    input_size: (height, width) for a checkpoint; None takes 576 x 1024.
    every: measure every Nth frame, from the first on.
    plots: folder for plots, or None.
    """

    data: Path
    kind: str
    split: str | None = None
    label_map: str | None = None
    bundle: Path | None = None
    scores: Path | None = None
    protocol: str = "fishyscapes"
    input_size: tuple[int, int] | None = None
    backend: str = "onnxruntime"
    plots: Path | None = None
    every: int = 1


def run_evaluation(
    request: EvaluationRequest, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> dict[str, Any]:
    """Measure, draw, and describe; raises OodError for everything that does not fit."""
    if (request.bundle is None) == (request.scores is None):
        raise OodError("give either --bundle (a bundle or a checkpoint) or --scores (score maps)")
    if request.every < 1:
        raise OodError(f"every {request.every}-th frame cannot be taken; give 1 or more")
    protocol = check_protocol(request.protocol)
    dataset = open_evaluation_data(request)
    if request.plots is not None and not dataset.label_map.has_unknown:
        raise OodError(f"{dataset.name} has no unknown objects, so there is nothing to plot")
    source = _source(request, dataset)
    dataset = open_evaluation_data(request, source.classes)
    evaluation = evaluate_scores(source, dataset, protocol, on_progress)
    result = {
        **evaluation.figures,
        "protocol": protocol,
        "definitions": EXACT_TEXT,
        "data": {
            "path": str(request.data),
            "name": dataset.name,
            "kind": request.kind,
            "split": request.split,
            "frames": len(dataset),
            "every": request.every,
            "label_map": dataset.label_map.name,
        },
        "model": source.model,
        "score": source.score_name,
        "commit": project_commit(),
    }
    if request.plots is not None:
        result["plots"] = _draw(request.plots, evaluation.curve, dataset.name, source.model)
    return result


def open_evaluation_data(
    request: EvaluationRequest, classes: tuple[str, ...] | None = None
) -> FrameDataset:
    """The frames to measure on, in these classes of a network where the labels can be read so.

    Raises OodError for missing data, and for other classes, unless unknown objects can be measured
    without them.
    """
    dataset = _open(request)
    if classes is None or len(dataset.label_map.classes) < 2:
        return dataset
    if dataset.label_map.classes == classes:
        return dataset
    try:
        reopened = open_dataset(
            request.kind, request.data, request.split, request.label_map, classes
        )
        return reopened.every(request.every)
    except OodError:
        if dataset.label_map.has_unknown:
            return dataset
        raise


def _open(request: EvaluationRequest) -> FrameDataset:
    label_map: str | None = request.label_map
    if request.kind == "folder" and label_map is None:
        root = request.data / request.split if request.split else request.data
        # A plain folder without a label map: 0 known, 1 unknown, 255 ignored.
        label_map = None if folder_label_map(root) else "smiyc"
    dataset = open_dataset(request.kind, request.data, request.split, label_map)
    return dataset.every(request.every)


def _source(request: EvaluationRequest, dataset: FrameDataset) -> ScoreSource:
    if request.scores is not None:
        if request.input_size is not None:
            raise OodError("--input-size goes with a checkpoint; score maps have their size")
        return ScoreFolder(request.scores, dataset.frame_ids)
    assert request.bundle is not None
    if request.bundle.suffix == _CHECKPOINT_SUFFIX:
        from ood_training.score_checkpoint import CheckpointScores

        return CheckpointScores(request.bundle, request.input_size or _INPUT_SIZE)
    if request.input_size is not None:
        raise OodError("--input-size goes with a checkpoint; a bundle has its own input size")
    from ood_perception.bundle import load_bundle
    from ood_training.score_bundle import BundleScores

    return BundleScores(load_bundle(request.bundle), request.backend)


def _draw(folder: Path, curve: Any, name: str, model: str) -> list[str]:
    if curve is None:
        raise OodError(f"{name} has no unknown objects, so there is nothing to plot")
    from ood_training.evaluation_plots import draw_plots

    return [str(path) for path in draw_plots(curve, folder, f"{name}, {model}")]
