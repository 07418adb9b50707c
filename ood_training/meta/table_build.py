"""From a bundle and labelled images to a table on disk: one request, one result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from ood_perception.bundle import load_bundle
from ood_perception.errors import OodError
from ood_training.datasets.folder import folder_label_map
from ood_training.datasets.frames import FrameDataset
from ood_training.datasets.registry import open_dataset
from ood_training.meta.components import component_tables
from ood_training.meta.configuration import LabelRules, load_meta_configuration
from ood_training.meta.labelled_frames import LabelledFrames, configured_frames, dataset_frames
from ood_training.meta.table import ComponentTable
from ood_training.meta.table_files import objects_path, write_table


@dataclass(frozen=True)
class BuildRequest:
    """What a table is built from, as the command line takes it.

    data, kind: a data set with unknown objects, and its kind; split, label_map and every (each Nth
        frame) belong to it.
    configuration: a meta configuration instead, whose frames get pasted objects.
    threshold: None takes the bundle's.
    rules: settings of ``LabelRules`` that take precedence over the configuration's.
    """

    bundle: Path
    out: Path
    data: Path | None = None
    kind: str | None = None
    configuration: Path | None = None
    split: str | None = None
    label_map: str | None = None
    every: int = 1
    threshold: float | None = None
    rules: dict[str, Any] = field(default_factory=dict)


def build_table(
    request: BuildRequest, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> dict[str, Any]:
    """Write the table and its objects; returns the paths, the origin and counts.

    Raises OodError for bad input before the network runs, and when no component is found.
    """
    second = objects_path(request.out)
    frames, rules = _frames(request)
    bundle = load_bundle(request.bundle)
    threshold = request.threshold
    if threshold is None:
        threshold = bundle.manifest.score.threshold
    table = component_tables(bundle, frames, (threshold,), rules, on_progress)[0]
    if len(table) == 0:
        raise OodError(f"{frames.source}: no component at threshold {threshold}; give a lower one")
    write_table(request.out, table)
    return {
        "table": str(request.out),
        "objects_table": str(second),
        "model_id": table.origin.model_id,
        "score": table.origin.score,
        "threshold": threshold,
        "source": table.origin.source,
        "frames": frames.count,
        **_counts(table),
        "ignored": int(table.ignored.sum()),
        "sequences": {
            str(name): _counts(table.of_sequences(np.array([name])))
            for name in np.unique(np.concatenate([table.sequence, table.object_sequence]))
        },
    }


def _counts(table: ComponentTable) -> dict[str, int]:
    return {
        "components": len(table),
        "false_positives": int(table.false_positive.sum()),
        "objects": table.objects,
        "objects_hit": int(table.hit().sum()),
    }


def _frames(request: BuildRequest) -> tuple[LabelledFrames, LabelRules]:
    if request.configuration is None:
        rules = _rules({}, request.rules)
        if request.data is None or request.kind is None:
            raise OodError("nothing to build from: give --data and --format, or --configuration")
        return dataset_frames(request.kind, _dataset(request.data, request.kind, request)), rules
    given = (request.data, request.kind, request.split, request.label_map)
    if any(one is not None for one in given) or request.every != 1:
        raise OodError(
            "a configuration names its own frames: leave out --data, --format, --split, "
            "--label-map and --every"
        )
    settings = load_meta_configuration(request.configuration)
    return configured_frames(settings), _rules(settings.model_dump(), request.rules)


def _dataset(data: Path, kind: str, request: BuildRequest) -> FrameDataset:
    if request.every < 1:
        raise OodError(f"every {request.every}-th frame cannot be taken; give 1 or more")
    label_map = request.label_map
    if kind == "folder" and label_map is None:
        root = data / request.split if request.split else data
        # A plain folder without a label map: 0 known, 1 unknown, 255 ignored.
        label_map = None if folder_label_map(root) else "smiyc"
    dataset = open_dataset(kind, data, request.split, label_map)
    if not dataset.label_map.has_unknown:
        raise OodError(
            f"{dataset.name}: the label map {dataset.label_map.name!r} has no unknown objects; "
            "give --configuration with objects to paste, or name a label map in which values go "
            "to 'unknown'"
        )
    return dataset.every(request.every)


def _rules(settings: dict[str, Any], given: dict[str, Any]) -> LabelRules:
    configured = {name: settings[name] for name in LabelRules.model_fields if name in settings}
    try:
        return LabelRules.model_validate({**configured, **given})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("_", "-")
        raise OodError(f"--{name} {first['input']}: {first['msg']}") from error
