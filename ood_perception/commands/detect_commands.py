"""`ood detect`: images in memory, no bags, no ROS."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Optional

import numpy as np
import typer
from numpy.typing import NDArray

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
from ood_perception.overlapped_work import FinishedBehind, prepared_ahead


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command()(detect)


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
    with progress_bar() as progress, FinishedBehind[None]() as behind:
        read = prepared_ahead(paths, read_image)
        for path, image_of in progress.track(read, len(paths), description="detect"):
            try:
                image = image_of()
            except ImageError as error:
                refused += 1
                results.append({"image": str(path), "error": str(error)})
                progress.console.print(f"ood: {error}")
                continue
            detection = detector.detect(image)
            results.append({"image": str(path), **detection_to_json(detection)})
            if out is not None:
                draw = partial(draw_overlay, image, detection, colors_bgr, class_names, reasons)
                behind.add(partial(_write_picture, draw, out / f"{path.stem}_overlay.png"))
    write_json(json_file, {"model": detector.bundle.model_id, "images": results})
    if refused == len(paths):
        raise OodError("none of the images could be read")
    kept = sum(len(entry.get("obstacles", ())) for entry in results)
    dropped = sum(len(entry.get("rejected", ())) for entry in results)
    print(
        f"{len(paths) - refused} images, {kept} obstacles, {dropped} components rejected, "
        f"{refused} images refused; model {detector.bundle.model_id}"
    )


def _write_picture(draw: Callable[[], NDArray[np.uint8]], path: Path) -> None:
    write_image(path, draw())
