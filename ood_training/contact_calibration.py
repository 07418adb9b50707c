"""How a model's components lie to the true feet of obstacles, measured on generated drives.

python -m ood_training.contact_calibration --bundle models/generated [--view-deg LEAST GREATEST]
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import numpy as np
import typer
from numpy.typing import NDArray

from ood_perception.bundle import ContactSpec, load_bundle, write_bundle
from ood_perception.command_line import one_line_errors, progress_bar, write_json
from ood_perception.commands.options import JsonOption
from ood_perception.detector import Detector
from ood_perception.errors import OodError
from ood_perception.generated_drive import CameraSetup, random_scene
from ood_perception.generated_drive.mounted_camera import camera_model, mounting
from ood_perception.ground_plane import GroundPlaneSettings, contact_point
from ood_perception.letterbox import Letterbox
from ood_training.distance_evaluation import overlapping

LEAST_OBSTACLES = 30
# A component that merged with something else says nothing about edges.
LEAST_OVERLAP = 0.4
# What is promised of a published deviation. A normal distribution would have 95% within two, but
# these errors have long tails: a component that merged with its neighbour is wrong by anything.
ONE_DEVIATION, TWO_DEVIATIONS = 0.68, 0.90
_GAINS = np.linspace(0.0, 5.0, 501)


def contact_errors(
    detector: Detector,
    scenes: int,
    view_deg: tuple[float, float] | None = None,
    first_seed: int = 900_000,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many grid cells each found object's component reaches below its foot, and how soft its
    edge is there ((n,) float64 cells each).

    The contact is the one that the vehicle takes. Objects are of the family "train": what is
    measured on "test" objects stays out of this. view_deg: least and greatest angle of view of the
    scenes' lenses; the default camera's when None.
    """
    errors, softness = [], []
    for seed in range(first_seed, first_seed + scenes):
        frame = random_scene(seed, camera=CameraSetup.of_scene(seed, view_deg), family="train")
        camera, mount = camera_model(frame.camera), mounting(frame.camera)
        detection = detector.detect(frame.image)
        cell = Letterbox.fit(detector.bundle.manifest.network, *_image_size()).cell_size_px
        for truth in frame.objects:
            component = overlapping(truth.box, detection.kept, LEAST_OVERLAP)
            if not truth.lower_edge_visible or component is None:
                continue
            contact = contact_point(component, camera, mount, GroundPlaneSettings())
            if contact is not None:
                foot = truth.box.y + truth.box.height
                errors.append((contact.point[1] + 0.5 - foot) / cell[0])
                softness.append(contact.softness_cells)
    return np.array(errors), np.array(softness)


def fit_contact(
    errors: NDArray[np.float64], softness: NDArray[np.float64], vehicle_variance: float = 1 / 12
) -> ContactSpec:
    """What the errors say, in cells.

    vehicle_variance: what the vehicle adds by itself and the errors contain already, square cells:
        the rounding to whole cells and ``GroundPlaneSettings.contact_stddev_px``.

    The sharper half gives offset and deviation (half its central 68%, whatever the tails). The gain
    is the least with which, in the softer half, 68% lie within one deviation and 90% within two.
    """
    sharp_cells = float(np.median(softness))
    sharp = softness <= sharp_cells
    offset = float(np.median(errors[sharp]))
    low, high = np.percentile(errors[sharp], (16, 84))
    variance = max(((high - low) / 2) ** 2 - vehicle_variance, 0.01)
    rest = np.abs(errors[~sharp] - offset)
    blur = softness[~sharp] - sharp_cells
    total = variance + vehicle_variance
    gain = next((g for g in _GAINS if _covers(rest, total + (g * blur) ** 2)), _GAINS[-1])
    return ContactSpec(
        offset_cells=round(offset, 3),
        stddev_cells=round(float(np.sqrt(variance)), 3),
        sharp_cells=round(sharp_cells, 3),
        softness_gain=round(float(gain), 3),
    )


def _covers(errors: NDArray[np.float64], variance: NDArray[np.float64]) -> bool:
    if not errors.size:
        return True
    deviations = errors / np.sqrt(variance)
    within = [(deviations <= limit).mean() for limit in (1, 2)]
    return bool(within[0] >= ONE_DEVIATION and within[1] >= TWO_DEVIATIONS)


def _image_size() -> tuple[int, int]:
    setup = CameraSetup.default()
    return setup.height, setup.width


def calibrate(
    bundle_folder: Path, scenes: int, view_deg: tuple[float, float] | None = None
) -> ContactSpec:
    """Measure a bundle's components and write what was found into its manifest.

    view_deg: as ``contact_errors``.

    Raises:
        OodError: too few objects were found to say anything.
    """
    bundle = load_bundle(bundle_folder)
    # An earlier calibration does not touch components, only what is made of them.
    with progress_bar() as bar:
        bar.add_task("contact calibration", total=None)
        errors, softness = contact_errors(Detector(bundle), scenes, view_deg)
    if len(errors) < LEAST_OBSTACLES:
        raise OodError(
            f"only {len(errors)} objects were found in {scenes} generated scenes: use more scenes "
            "or a model that finds more"
        )
    cell = Letterbox.fit(bundle.manifest.network, *_image_size()).cell_size_px[0]
    pixel = GroundPlaneSettings().contact_stddev_px / cell
    spec = fit_contact(errors, softness, 1 / 12 + pixel**2)
    manifest = bundle.manifest.model_copy(update={"contact": spec})
    write_bundle(bundle_folder, manifest, bundle.network_onnx, bundle.meta_classifier_onnx)
    return spec


def main(
    bundle: Annotated[Path, typer.Option(help="Folder of the trained model.")] = Path(
        "models/generated"
    ),
    scenes: Annotated[int, typer.Option(min=1, help="Number of generated scenes.")] = 150,
    view_deg: Annotated[
        Optional[tuple[float, float]],  # noqa: UP045
        typer.Option(help="Least and greatest angle of view of the lenses; 58 without it."),
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Measure where components end below obstacles, and write it into the bundle."""
    with one_line_errors():
        spec = calibrate(bundle, scenes, view_deg)
        write_json(json_file, spec.model_dump())
        for name, value in spec.model_dump().items():
            print(f"{name}: {value}")


if __name__ == "__main__":
    typer.run(main)
