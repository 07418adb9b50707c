"""`ood benchmark`: how long each stage takes, for any bundle, backend, size and batch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from ood_perception.benchmark import benchmark_detector
from ood_perception.benchmark_pictures import generated_pictures, parse_size, pictures_from_files
from ood_perception.bundle import load_bundle
from ood_perception.command_line import progress_bar, write_json
from ood_perception.commands.options import (
    DEFAULT_BUNDLE,
    BackendOption,
    BundleOption,
    JsonOption,
)
from ood_perception.detector import Detector
from ood_perception.errors import BackendError, OodError

_DEFAULT_SIZE = "1280x720"


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command()(benchmark)


def benchmark(
    images: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Argument(help="Pictures, or folders of them; without any, generated scenes."),
    ] = None,
    bundle: BundleOption = DEFAULT_BUNDLE,
    size: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="Scale pictures to WIDTHxHEIGHT; size of generated scenes "
            f"({_DEFAULT_SIZE} unless told)."
        ),
    ] = None,
    batch: Annotated[
        int,
        typer.Option(min=1, help="Images in one call of the network."),
    ] = 1,
    runs: Annotated[int, typer.Option(min=1, help="Frames to time.")] = 30,
    warmup: Annotated[int, typer.Option(min=0, help="Frames before them, not counted.")] = 3,
    scenes: Annotated[int, typer.Option(min=1, help="Generated scenes, taken in turn.")] = 4,
    json_file: JsonOption = None,
    backend: BackendOption = "onnxruntime",
) -> None:
    """Time every stage from a compressed picture in memory to obstacles and their drawing."""
    wanted = None if size is None else parse_size(size)
    model = load_bundle(bundle)
    # before the pictures are made: what cannot run is refused at once
    detector = Detector(model, backend)
    _check_batch(detector, batch)
    with progress_bar() as bar:
        if images:
            pictures = pictures_from_files(images, (warmup + runs) * batch, wanted)
        else:
            pictures = generated_pictures(
                scenes, wanted or parse_size(_DEFAULT_SIZE), _step(bar, "generate", scenes)
            )
        step = _step(bar, "benchmark", warmup + runs)
        result = benchmark_detector(
            detector, pictures, runs, batch=batch, warmup=warmup, after_each=step
        )
    write_json(json_file, result)
    _print_table(result)


def _check_batch(detector: Detector, batch: int) -> None:
    """One black image a place: raises OodError where the graph takes no such batch."""
    network = detector.bundle.manifest.network
    black = np.zeros((network.input_height, network.input_width, 3), np.uint8)
    try:
        detector.detect_batch([black] * batch)
    except BackendError as error:
        raise OodError(
            f"--batch {batch}: {network.file} of {detector.bundle.model_id} does not take it "
            f"({error})"
        ) from error


def _step(bar: Progress, description: str, total: int) -> Any:
    """A function without arguments that moves a new line of the bar by one."""
    task: TaskID = bar.add_task(description, total=total)
    return lambda: bar.advance(task)


def _print_table(result: dict[str, Any]) -> None:
    title = f"{result['model']} on {result['device']}, {result['runs']} runs, ms"
    if result["batch"] > 1:
        title += f" a call of {result['batch']} images"
    table = Table(title=title)
    for column in ("stage", "median", "p95", "p99"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for stage, times in result["milliseconds"].items():
        table.add_row(stage, *(f"{times[key]:.2f}" for key in ("median", "p95", "p99")))
    Console().print(table)
    machine = result["machine"]
    print(
        f"{result['images_per_second']:.1f} images/s, whole path / network stage: "
        f"{result['whole_to_network_ratio']:.2f}, {result['components_median']:.0f} components an "
        f"image, {result['peak_memory_bytes'] / 1e6:.0f} MB at the peak"
    )
    print(f"{machine['cpu']}, {machine['cores']} cores")
