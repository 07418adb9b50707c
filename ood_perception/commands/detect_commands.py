"""`ood detect` and `ood benchmark`: images in memory, no bags, no ROS."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from ood_perception.benchmark import STAGES, benchmark_detector
from ood_perception.bundle import load_bundle
from ood_perception.command_line import progress_bar, write_json
from ood_perception.commands.options import (
    DEFAULT_BUNDLE,
    BackendOption,
    BundleOption,
    JsonOption,
    ReasonsOption,
)
from ood_perception.detector import Detector
from ood_perception.drawing import draw_overlay
from ood_perception.errors import ImageError, OodError
from ood_perception.image_files import list_images, read_image, write_image
from ood_perception.obstacle_json import detection_to_json


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.command()(detect)
    app.command()(benchmark)


def detect(
    images: Annotated[list[Path], typer.Argument(help="Images, or folders of images.")],
    bundle: BundleOption = DEFAULT_BUNDLE,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", "-o", help="Folder for one overlay (PNG) an image."),
    ] = None,
    reasons: ReasonsOption = True,
    json_file: JsonOption = None,
    backend: BackendOption = "onnxruntime",
) -> None:
    """Find unknown obstacles in images: overlays to look at, one JSON to work with."""
    paths = list_images(images)
    detector = Detector(load_bundle(bundle), backend)
    colors_bgr = [color[::-1] for color in detector.bundle.class_colors]
    class_names = detector.bundle.class_names
    results: list[dict[str, Any]] = []
    refused = 0
    with progress_bar() as progress:
        for path in progress.track(paths, description="detect"):
            try:
                image = read_image(path)
            except ImageError as error:
                refused += 1
                results.append({"image": str(path), "error": str(error)})
                progress.console.print(f"ood: {error}")
                continue
            detection = detector.detect(image)
            results.append({"image": str(path), **detection_to_json(detection)})
            if out is not None:
                picture = draw_overlay(image, detection, colors_bgr, class_names, reasons)
                write_image(out / f"{path.stem}_overlay.png", picture)
    write_json(json_file, {"model": detector.bundle.model_id, "images": results})
    if refused == len(paths):
        raise OodError("none of the images could be read")
    kept = sum(len(entry.get("obstacles", ())) for entry in results)
    dropped = sum(len(entry.get("rejected", ())) for entry in results)
    print(
        f"{len(paths) - refused} images, {kept} obstacles, {dropped} components rejected, "
        f"{refused} images refused; model {detector.bundle.model_id}"
    )


def benchmark(
    images: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Argument(help="Images to run on; without any, noise of --size."),
    ] = None,
    bundle: BundleOption = DEFAULT_BUNDLE,
    size: Annotated[str, typer.Option(help="Size of the made image, WIDTHxHEIGHT.")] = "1280x720",
    runs: Annotated[int, typer.Option(min=1, help="Images to time.")] = 30,
    json_file: JsonOption = None,
    backend: BackendOption = "onnxruntime",
) -> None:
    """Time every stage from an image in memory to obstacles."""
    pictures = [read_image(path) for path in list_images(images)] if images else [_noise(size)]
    result = benchmark_detector(Detector(load_bundle(bundle), backend), pictures, runs)
    write_json(json_file, result)
    table = Table(title=f"{result['model']} on {result['device']}, {runs} runs, ms")
    for column in ("stage", "median", "p95", "p99"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for stage in (*STAGES, "whole"):
        times = result["milliseconds"][stage]
        table.add_row(stage, *(f"{times[key]:.2f}" for key in ("median", "p95", "p99")))
    Console().print(table)
    print(
        f"whole path / network alone: {result['whole_to_network_ratio']:.2f}, "
        f"{result['images_per_second']:.1f} images/s, "
        f"{result['components_median']:.0f} components an image"
    )


def _noise(size: str) -> np.ndarray:
    try:
        width, height = (int(part) for part in size.lower().split("x"))
    except ValueError as error:
        raise OodError(f"--size {size!r} is not WIDTHxHEIGHT, such as 1280x720") from error
    if not (16 <= width <= 16384 and 16 <= height <= 16384):
        raise OodError(f"--size {size}: both sides must lie between 16 and 16384")
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
