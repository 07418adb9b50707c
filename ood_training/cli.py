"""The training verbs of the command `ood`: train, export, meta, evaluate."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Any, Optional

import typer
from rich.console import Console

from ood_perception.bundle import load_bundle
from ood_perception.command_line import on_progress, progress_bar, write_json
from ood_perception.commands.options import BackendOption, BundleOption, JsonOption
from ood_perception.errors import OodError


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.command()(train)
    app.command()(export)
    app.command()(meta)
    app.command()(evaluate)


def train(
    configuration: Annotated[Path, typer.Argument(help="Training configuration (YAML).")],
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--output", "-o", help="Folder of the run; the configuration's by default."),
    ] = None,
    restart: Annotated[
        bool, typer.Option(help="Begin anew instead of going on from the last checkpoint.")
    ] = False,
    json_file: JsonOption = None,
) -> None:
    """Train a network; an interrupted run goes on from its last checkpoint."""
    from ood_training.configuration import load_training_configuration
    from ood_training.training import train as run

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    settings = load_training_configuration(configuration)
    if output is not None:
        settings = settings.model_copy(update={"output": output})
    _finish(run(settings, restart=restart), json_file)


def export(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint (safetensors) of `ood train`.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the bundle.")],
    trained_on: Annotated[str, typer.Option(help="Data that the model was trained on.")],
    terms: Annotated[str, typer.Option(help="Terms under which the model may be used.")],
    name: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Name of the model; the folder's by default."),
    ] = None,
    input_size: Annotated[
        tuple[int, int], typer.Option(help="Height and width of the network's input.")
    ] = (576, 1024),
    grid_size: Annotated[
        Optional[tuple[int, int]],  # noqa: UP045
        typer.Option(help="Height and width of the metrics grid; half the input by default."),
    ] = None,
    threshold: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Anomalous is a score of at least this.")
    ] = 0.7,
    road: Annotated[str, typer.Option(help="Classes to drive on, separated by commas.")] = "road",
    recipe: Annotated[str, typer.Option(help="How it was trained, in a line.")] = "",
    json_file: JsonOption = None,
) -> None:
    """Turn a checkpoint into a bundle; its graph is checked against the network."""
    from ood_training.export import ExportSettings, export_bundle

    settings = ExportSettings(
        name=name or out.resolve().name,
        trained_on=trained_on,
        terms=terms,
        input_size=input_size,
        grid_size=grid_size,
        threshold=threshold,
        road_classes=tuple(part.strip() for part in road.split(",") if part.strip()),
        recipe=recipe,
    )
    bundle = export_bundle(checkpoint, out, settings)
    size = sum(path.stat().st_size for path in out.iterdir())
    _finish({"bundle": str(out), "model": bundle.model_id, "bytes": size}, json_file)


def meta(
    configuration: Annotated[Path, typer.Argument(help="Meta configuration (YAML).")],
    bundle: BundleOption,
    json_file: JsonOption = None,
) -> None:
    """Fit the meta classifier of a bundle on held-out objects and write it into the bundle."""
    from ood_training.meta_configuration import load_meta_configuration
    from ood_training.meta_training import train_meta_classifier

    settings = load_meta_configuration(configuration)
    with progress_bar() as bar:
        result = train_meta_classifier(bundle, settings, on_progress(bar, "meta"))
    _finish(result, json_file)


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
    _finish({"results": results}, json_file)


def _finish(result: dict[str, Any], json_file: Path | None) -> None:
    write_json(json_file, result)
    Console().print_json(data=result)
