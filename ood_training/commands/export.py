"""`ood export`: a checkpoint to a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ood_perception.commands.options import JsonOption
from ood_training.commands.result import show_result


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
    score: Annotated[
        str,
        typer.Option(
            help="Anomaly score: entropy, max_softmax, max_logit, standardized_max_logit, energy, "
            "max_min_logit, mahalanobis, or kernel_distance for a head of kernels. All but entropy "
            "need --calibrate-on, or a --threshold where they have a range of their own."
        ),
    ] = "entropy",
    calibrate_on: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            help="Training configuration on whose frames the score's statistics, range and "
            "threshold are fitted: its sources and its validation."
        ),
    ] = None,
    smoothing_cells: Annotated[
        float,
        typer.Option(min=0.0, max=20.0, help="Deviation of a Gaussian over the score, in cells."),
    ] = 0.0,
    threshold: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            min=0.0,
            max=1.0,
            help="Anomalous is a score of at least this; the calibrated one, or 0.7, by default.",
        ),
    ] = None,
    road: Annotated[str, typer.Option(help="Classes to drive on, separated by commas.")] = "road",
    recipe: Annotated[str, typer.Option(help="How it was trained, in a line.")] = "",
    check_images: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            help="Folder of pictures on which the graph is compared with PyTorch; "
            "a synthetic picture by default."
        ),
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Turn a checkpoint into a bundle; its graph is checked against PyTorch."""
    from ood_training.export import ExportSettings, export_bundle
    from ood_training.score_request import ScoreRequest, score_for_export

    request = ScoreRequest(score, smoothing_cells, threshold, calibrate_on)
    calibrated = score_for_export(request, checkpoint, input_size, grid_size)
    settings = ExportSettings(
        name=name or out.resolve().name,
        trained_on=trained_on,
        terms=terms,
        input_size=input_size,
        grid_size=grid_size,
        score=calibrated.spec,
        features=calibrated.features,
        road_classes=tuple(part.strip() for part in road.split(",") if part.strip()),
        recipe=recipe,
    )
    bundle, difference = export_bundle(checkpoint, out, settings, check_images=check_images)
    result = {
        "bundle": str(out),
        "model": bundle.model_id,
        "score": calibrated.spec.name,
        "threshold": calibrated.spec.threshold,
        "bytes": sum(path.stat().st_size for path in out.iterdir()),
        "check": {
            "images": difference.images,
            "source": "synthetic" if check_images is None else str(check_images),
            "max_logit_difference": difference.logits,
            "max_score_difference": difference.score,
            "label_agreement": difference.label_agreement,
        },
    }
    show_result(result, json_file)
