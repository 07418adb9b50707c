"""`ood evaluate`: figures on labelled images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ood_perception.bundle import load_bundle
from ood_perception.command_line import on_progress, progress_bar
from ood_perception.commands.options import BackendOption, BundleOption, JsonOption
from ood_perception.errors import OodError
from ood_training.commands.result import show_result


def evaluate(
    data: Annotated[list[Path], typer.Argument(help="Folders of labelled anomaly frames.")],
    bundle: BundleOption,
    backend: BackendOption = "onnxruntime",
    json_file: JsonOption = None,
) -> None:
    """Measure a bundle on labelled images: pixels, components, objects hit."""
    from ood_training.bundle_evaluation import evaluate_bundle, open_anomaly_set

    if not data:
        raise OodError("name at least one folder of labelled frames")
    loaded, datasets = load_bundle(bundle), [open_anomaly_set(root) for root in data]
    with progress_bar() as bar:
        results = [
            evaluate_bundle(loaded, dataset, backend, on_progress(bar, dataset.name))
            for dataset in datasets
        ]
    show_result({"results": results}, json_file)
