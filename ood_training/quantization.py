"""From a bundle to one whose network computes in 8-bit integers, calibrated on real images."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ood_perception.backends import create_backend
from ood_perception.bundle import Bundle, Manifest, NetworkSpec, load_bundle, write_bundle
from ood_perception.errors import BundleError, OodError
from ood_perception.image_files import list_images, read_image
from ood_perception.letterbox import Letterbox
from ood_training.meta.card import CARD_NAME, read_card
from ood_training.quantization_graph import is_quantized_graph, quantize_graph
from ood_training.quantization_runtime import Runtime

# So many of the calibration images are run through both networks afterwards.
_COMPARED = 8


@dataclass(frozen=True)
class QuantizationReport:
    """What a quantisation was made from, and how far it is from the float32 network.

    images, available: how many images it was calibrated on, and how many there were.
    compared: on how many of them both networks ran.
    label_agreement: share of the grid's cells with the same label, the mean over those images.
    mean_score_difference, max_score_difference: absolute, of the score, which lies in [0, 1].
    """

    images: int
    available: int
    compared: int
    label_agreement: float
    mean_score_difference: float
    max_score_difference: float


def quantize_bundle(
    source: Path,
    images: Path,
    folder: Path,
    *,
    count: int = 40,
    runtime: Runtime = Runtime.CPU,
    on_progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> tuple[Bundle, QuantizationReport]:
    """Write a bundle whose network is a bundle's in int8 (Q/DQ), for ONNX Runtime or TensorRT.

    The meta classifier goes with it unchanged; a promise of it does not, for it speaks of the
    float32 network's components.

    Args:
        source: folder of a float32 bundle.
        images: folder of pictures such as the vehicle will see, none of a set that the model is
            measured on.
        folder: of the new bundle.
        count: calibrate on so many of them, evenly taken from the sorted names; at least 1.
        runtime: what shall run it; a CPU runs the one for TensorRT too, but slowly.
        on_progress: (images done, images to do).

    Raises OodError (BundleError, ImageError) for a bundle that is quantised already, an image that
    cannot be read, a folder without images or one that cannot be written; nothing is written then.
    """
    bundle = load_bundle(source)
    if bundle.manifest.network.precision != "fp32" or is_quantized_graph(bundle.network_onnx):
        raise BundleError(f"{source} is quantised already: start from its float32 bundle")
    if folder.resolve() == source.resolve():
        raise BundleError(f"{folder} is the float32 bundle itself: choose another folder")
    found = list_images([images])
    chosen = _evenly(found, count)
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        on_progress(done, len(chosen))

    fitted = (_fitted(path, bundle.manifest.network) for path in chosen)
    with _workspace(folder) as workspace:
        graph = quantize_graph(bundle.network_onnx, fitted, workspace, runtime, on_image=step)
    report = _compare(bundle, graph, chosen, len(found))
    manifest = _manifest(bundle, images, report, runtime)
    card = _card(bundle, images, report, runtime)
    written = write_bundle(
        folder, manifest, graph, bundle.meta_classifier_onnx, documents={CARD_NAME: card}
    )
    return written, report


def _evenly(paths: Sequence[Path], count: int) -> list[Path]:
    """So many of the paths, or all, at even distances."""
    if count < 1:
        raise OodError(f"calibration needs at least 1 image, not {count}")
    places = np.linspace(0, len(paths), min(count, len(paths)), endpoint=False)
    return [paths[int(place)] for place in places]


def _fitted(path: Path, spec: NetworkSpec) -> NDArray[np.uint8]:
    """The picture as a vehicle gives it to the network: (1, H, W, 3) uint8 BGR."""
    image = read_image(path)
    return Letterbox.fit(spec, *image.shape[:2]).apply(image)


@contextmanager
def _workspace(folder: Path) -> Iterator[Path]:
    """A folder beside the bundle to be, gone at the end; so it shows early what can be written."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent)
    except OSError as error:
        raise BundleError(f"cannot write the bundle {folder}: {error.strerror}") from error
    with temporary as name:
        yield Path(name)


def _compare(
    bundle: Bundle, graph: bytes, paths: Sequence[Path], available: int
) -> QuantizationReport:
    name = bundle.manifest.network.file
    networks = [create_backend("onnxruntime", one, name) for one in (bundle.network_onnx, graph)]
    compared = _evenly(paths, _COMPARED)
    agreements, means, largest = [], [], []
    for path in compared:
        tensor = _fitted(path, bundle.manifest.network)
        exact, rounded = (one.run({one.inputs[0].name: tensor}) for one in networks)
        difference = np.abs(exact["score"] - rounded["score"])
        agreements.append(np.mean(exact["labels"] == rounded["labels"]))
        means.append(difference.mean())
        largest.append(difference.max())
    return QuantizationReport(
        len(paths),
        available,
        len(compared),
        float(np.mean(agreements)),
        float(np.mean(means)),
        float(np.max(largest)),
    )


def _manifest(
    bundle: Bundle, images: Path, report: QuantizationReport, runtime: Runtime
) -> Manifest:
    manifest = bundle.manifest
    kind = f"int8 for {runtime.words}, calibrated on {_calibration(images, report)}"
    steps = (manifest.provenance.recipe, kind)
    recipe = ", then ".join(step for step in steps if step)
    update: dict[str, object] = {
        "network": manifest.network.model_copy(update={"precision": "int8"}),
        "provenance": manifest.provenance.model_copy(update={"recipe": recipe}),
    }
    if manifest.meta_classifier is not None:
        update["meta_classifier"] = manifest.meta_classifier.model_copy(update={"promise": None})
    return manifest.model_copy(update=update)


def _card(bundle: Bundle, images: Path, report: QuantizationReport, runtime: Runtime) -> str:
    lines = [
        f"* **Precision**: int8 for {runtime.words}: int8 weights with a scale a channel, "
        f"{runtime.activations}; the first and the last convolution and all that follows the "
        "logits are float32.",
        f"* **From**: {bundle.model_id}, whose figures above are those of float32.",
        f"* **Calibrated on**: {_calibration(images, report)}, smallest and largest value of each "
        "tensor.",
        f"* **Against float32** on {report.compared} of them: the same label at "
        f"{report.label_agreement:.1%} of the cells, the score apart by "
        f"{report.mean_score_difference:.3f} on the average.",
    ]
    if bundle.manifest.meta_classifier is not None:
        lines.append(
            "* **Meta classifier**: carried over unchanged; it was fitted on the components of the "
            "float32 network, and no promise made for those holds here."
        )
    return f"{read_card(bundle).rstrip()}\n\n## Quantisation\n\n" + "\n".join(lines) + "\n"


def _calibration(images: Path, report: QuantizationReport) -> str:
    folder = images.resolve()
    return f"{report.images} of {report.available} images of {folder.parent.name}/{folder.name}"
