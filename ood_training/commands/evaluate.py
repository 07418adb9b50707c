"""`ood evaluate`: figures on labelled images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ood_perception.command_line import on_progress, progress_bar, write_json
from ood_perception.commands.options import BackendOption, JsonOption


def evaluate(
    data: Annotated[Path, typer.Option(help="Folder of the data set.")],
    kind: Annotated[
        str,
        typer.Option(
            "--format",
            help="smiyc, cityscapes, camvid, lost_and_found, fishyscapes, folder or generated.",
        ),
    ],
    bundle: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads this at run time, also on Python 3.10
        typer.Option("--bundle", "-b", help="Bundle folder, or checkpoint (.safetensors)."),
    ] = None,
    scores: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder of score maps instead: FRAME.npy, (H, W), higher = stranger."),
    ] = None,
    split: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Split of the data set; the one for evaluation by default."),
    ] = None,
    label_map: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Label map by name or YAML file; the data set's own by default."),
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(
            help="fishyscapes (the exact figures alone), or beside them smiyc-anomaly, "
            "smiyc-obstacle or legacy100."
        ),
    ] = "fishyscapes",
    plots: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder for plots: ROC, precision and recall, scores."),
    ] = None,
    input_size: Annotated[
        Optional[tuple[int, int]],  # noqa: UP045
        typer.Option(help="Height and width of a checkpoint's input; 576 1024 by default."),
    ] = None,
    every: Annotated[int, typer.Option(help="Measure every Nth frame, from the first on.")] = 1,
    backend: BackendOption = "onnxruntime",
    json_file: JsonOption = None,
) -> None:
    """Measure a bundle, a checkpoint or score maps on labelled images."""
    from ood_training.evaluation_run import EvaluationRequest, run_evaluation
    from ood_training.evaluation_text import evaluation_lines

    request = EvaluationRequest(
        data=data,
        kind=kind,
        split=split,
        label_map=label_map,
        bundle=bundle,
        scores=scores,
        protocol=protocol,
        input_size=input_size,
        backend=backend,
        plots=plots,
        every=every,
    )
    with progress_bar() as bar:
        result = run_evaluation(request, on_progress(bar, f"{kind} {data.name}"))
    write_json(json_file, result)
    for line in evaluation_lines(result):
        print(line)
