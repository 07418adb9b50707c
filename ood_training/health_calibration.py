"""How much of a usual scene is unknown to a model, so that a blind camera can be told from one.

python -m ood_training.health_calibration --bundle models/street --data FOLDER --format camvid
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Optional

import numpy as np
import typer
from numpy.typing import NDArray

from ood_perception.bundle import load_bundle, write_bundle
from ood_perception.command_line import one_line_errors, progress_bar, write_json
from ood_perception.commands.options import JsonOption
from ood_perception.detector import Detector
from ood_perception.errors import OodError
from ood_perception.manifest import HealthSpec
from ood_training.datasets.frames import Frame
from ood_training.datasets.registry import open_dataset

LEAST_IMAGES = 20
# A scene twice as strange as the strangest usual one may still be a street; the bounds keep a model
# that knows everything from calling a lorry dirt, and one that knows little from seeing no dirt.
MARGIN = 2.0
LOWEST, HIGHEST = 0.2, 0.8


def anomalous_shares(detector: Detector, frames: Iterable[Frame]) -> NDArray[np.float64]:
    """Share of each frame's grid that reaches the score's threshold, (n,) float64 in [0, 1].

    Raises OodError for a picture that cannot be read.
    """
    threshold = detector.bundle.manifest.score.threshold
    return np.array(
        [float((detector.detect(f.read_image()).score >= threshold).mean()) for f in frames]
    )


def fit_health(shares: NDArray[np.float64]) -> HealthSpec:
    """The limit that these shares of usual images give: twice the largest, within [0.2, 0.8].

    Raises OodError when they are fewer than ``LEAST_IMAGES``.
    """
    if len(shares) < LEAST_IMAGES:
        raise OodError(
            f"{len(shares)} images say too little of what is usual: give at least {LEAST_IMAGES}"
        )
    limit = float(np.clip(MARGIN * shares.max(), LOWEST, HIGHEST))
    return HealthSpec(max_anomalous_share=round(limit, 3))


def calibrate(bundle_folder: Path, frames: list[Frame]) -> tuple[HealthSpec, NDArray[np.float64]]:
    """Measures a bundle on usual images and writes what was found into its manifest.

    Returns it with each image's share. Raises OodError as `fit_health` and `anomalous_shares`.
    """
    bundle = load_bundle(bundle_folder)
    detector = Detector(bundle)
    with progress_bar() as bar:
        shares = anomalous_shares(detector, bar.track(frames, description="health calibration"))
    spec = fit_health(shares)
    manifest = bundle.manifest.model_copy(update={"health": spec})
    write_bundle(bundle_folder, manifest, bundle.network_onnx, bundle.meta_classifier_onnx)
    return spec, shares


def main(
    data: Annotated[Path, typer.Option(help="Folder of a data set of usual street scenes.")],
    format_name: Annotated[str, typer.Option("--format", help="Its kind, as for ood evaluate.")],
    bundle: Annotated[Path, typer.Option(help="Folder of the trained model.")] = Path(
        "models/generated"
    ),
    split: Annotated[Optional[str], typer.Option(help="Split of the data set.")] = None,  # noqa: UP045
    every: Annotated[int, typer.Option(min=1, help="Use every Nth frame.")] = 1,
    json_file: JsonOption = None,
) -> None:
    """Measure how much of usual scenes is unknown to the model, and write the limit into it."""
    with one_line_errors():
        frames = list(open_dataset(format_name, data, split))[::every]
        spec, shares = calibrate(bundle, frames)
        write_json(json_file, {**spec.model_dump(), "shares": shares.tolist()})
        print(
            f"{len(shares)} images: median {np.median(shares):.1%}, largest {shares.max():.1%} "
            f"unknown; max_anomalous_share: {spec.max_anomalous_share:g}"
        )


if __name__ == "__main__":
    typer.run(main)
