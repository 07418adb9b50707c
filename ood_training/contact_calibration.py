"""How a model's components lie to the true feet of obstacles, measured on generated drives.

python -m ood_training.contact_calibration --bundle models/generated
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ood_perception.bundle import ContactSpec, load_bundle, write_bundle
from ood_perception.command_line import one_line_errors, progress_bar, write_json
from ood_perception.commands.options import JsonOption
from ood_perception.detector import Detector
from ood_perception.errors import OodError
from ood_perception.generated_drive import CameraSetup, random_scene
from ood_perception.letterbox import Letterbox
from ood_training.distance_evaluation import overlapping

LEAST_OBSTACLES = 30
# A component that merged with something else says nothing about edges.
LEAST_OVERLAP = 0.4


def contact_errors(detector: Detector, scenes: int, first_seed: int = 900_000) -> np.ndarray:
    """(n,) float64: how many grid cells each found object's component reaches below its foot.

    Objects are of the family "train": what is measured on "test" objects stays out of this.
    """
    errors = []
    for seed in range(first_seed, first_seed + scenes):
        frame = random_scene(seed, camera=CameraSetup.default(), family="train")
        detection = detector.detect(frame.image)
        cell = Letterbox.fit(detector.bundle.manifest.network, *frame.image.shape[:2]).cell_size_px
        for truth in frame.objects:
            component = overlapping(truth.box, detection.kept, LEAST_OVERLAP)
            if not truth.lower_edge_visible or component is None:
                continue
            foot = truth.box.y + truth.box.height
            errors.append((np.sort(component.lower_edge[:, 1])[-2:].min() - foot) / cell[0])
    return np.array(errors)


def calibrate(bundle_folder: Path, scenes: int) -> ContactSpec:
    """Measure a bundle's components and write what was found into its manifest.

    Raises:
        OodError: too few objects were found to say anything.
    """
    bundle = load_bundle(bundle_folder)
    # An earlier calibration does not touch components, only what is made of them.
    with progress_bar() as bar:
        bar.add_task("contact calibration", total=None)
        errors = contact_errors(Detector(bundle), scenes)
    if len(errors) < LEAST_OBSTACLES:
        raise OodError(
            f"only {len(errors)} objects were found in {scenes} generated scenes: use more scenes "
            "or a model that finds more"
        )
    offset = float(np.median(errors))
    # Half the central 68%: the deviation of a normal distribution, whatever the tails.
    low, high = np.percentile(errors, (16, 84))
    deviation = max(float(high - low) / 2, 0.1)
    spec = ContactSpec(offset_cells=round(offset, 3), stddev_cells=round(deviation, 3))
    manifest = bundle.manifest.model_copy(update={"contact": spec})
    write_bundle(bundle_folder, manifest, bundle.network_onnx, bundle.meta_classifier_onnx)
    return spec


def main(
    bundle: Annotated[Path, typer.Option(help="Folder of the trained model.")] = Path(
        "models/generated"
    ),
    scenes: Annotated[int, typer.Option(min=1, help="Number of generated scenes.")] = 150,
    json_file: JsonOption = None,
) -> None:
    """Measure where components end below obstacles, and write it into the bundle."""
    with one_line_errors():
        spec = calibrate(bundle, scenes)
        write_json(json_file, spec.model_dump())
        print(f"offset {spec.offset_cells} cells, standard deviation {spec.stddev_cells} cells")


if __name__ == "__main__":
    typer.run(main)
