"""`ood quantize`: a bundle's network in 8-bit integers."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ood_perception.command_line import on_progress, progress_bar
from ood_perception.commands.options import JsonOption
from ood_training.commands.result import show_result
from ood_training.quantization_runtime import Runtime


def quantize(
    bundle: Annotated[Path, typer.Option("--bundle", "-b", help="Folder of a float32 bundle.")],
    images: Annotated[
        Path,
        typer.Option(help="Folder of pictures to calibrate on: such as the vehicle will see."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the new bundle.")],
    runtime: Annotated[
        Runtime, typer.Option("--for", help="What shall run it: its integers differ.")
    ] = Runtime.CPU,
    count: Annotated[
        int, typer.Option(min=1, help="Calibrate on so many of the pictures, evenly taken.")
    ] = 40,
    json_file: JsonOption = None,
) -> None:
    """Turn a bundle's network into 8-bit integers, calibrated on real images."""
    from ood_training.quantization import quantize_bundle

    with progress_bar() as bar:
        written, report = quantize_bundle(
            bundle,
            images,
            out,
            count=count,
            runtime=runtime,
            on_progress=on_progress(bar, "calibrating"),
        )
    result = {
        "bundle": str(out),
        "model": written.model_id,
        "runtime": runtime.value,
        "precision": written.manifest.network.precision,
        "network_bytes": len(written.network_onnx),
        "calibration": {"source": str(images), **asdict(report)},
    }
    show_result(result, json_file)
