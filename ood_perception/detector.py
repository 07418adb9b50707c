"""Image in, Detection out: network, score, components, meta classifier. Keeps no state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ood_perception.backends import create_backend
from ood_perception.bundle import Bundle
from ood_perception.component_description import Judgement, describe_components
from ood_perception.component_labels import ComponentPixels, component_pixels
from ood_perception.component_selection import largest_components
from ood_perception.components import ComponentMetrics, metrics_where_read
from ood_perception.detection import Component, Detection
from ood_perception.errors import BackendError, BundleError, ImageError
from ood_perception.grid_logits import GridLogits
from ood_perception.letterbox import Letterbox
from ood_perception.meta_classifier import MetaClassifier, MetaDecision
from ood_perception.stage_timer import timed

_OUTPUTS = ("labels", "score", "logits")

MAX_COMPONENTS = 500
"""Of one image, unless told otherwise: several times what a cluttered street shows."""


class NetworkOutput(NamedTuple):
    """The graph's answer to one image, cut to the part of the grid that shows the image.

    labels: (h,w) uint8 class ids. score: (h,w) float32 in [0,1].
    logits: (C,h',w') float32 at the decoder's stride, of the whole network input.
    """

    letterbox: Letterbox
    labels: NDArray[np.uint8]
    score: NDArray[np.float32]
    logits: NDArray[np.float32]


class MeasuredComponents(NamedTuple):
    """Components of one image with their metrics, before any decision."""

    pixels: ComponentPixels
    metrics: ComponentMetrics


class Detector:
    """One bundle, ready to run; safe to use from one thread at a time."""

    def __init__(
        self,
        bundle: Bundle,
        backend: str = "onnxruntime",
        *,
        max_components: int = MAX_COMPONENTS,
    ) -> None:
        """Load network and meta classifier.

        max_components: of one image, the largest; the others are counted and left out.

        Raises:
            BundleError: graph and manifest contradict each other.
            BackendError: the backend is unknown or refuses a graph.
        """
        self.bundle = bundle
        self.max_components = max_components
        network_file = str(bundle.folder / bundle.manifest.network.file)
        self._network = create_backend(backend, bundle.network_onnx, network_file)
        self._meta = MetaClassifier(bundle, backend)
        self._check_graph()

    @property
    def device(self) -> str:
        """What the network really runs on, in words, and the meta classifier where it differs."""
        devices = [self._network.device, *self._meta.devices]
        return "; meta classifier: ".join(dict.fromkeys(devices))

    def detect(self, image: NDArray[np.uint8]) -> Detection:
        """Find unknown obstacles in one image, (H,W,3) uint8 BGR of any size.

        Raises:
            ImageError: not such an array.
            BackendError: the network failed on it.
        """
        return self.detect_batch([image])[0]

    def detect_batch(self, images: Sequence[NDArray[np.uint8]]) -> tuple[Detection, ...]:
        """Find unknown obstacles in several images, of several cameras, with one network call.

        images: at least one, each (H,W,3) uint8 BGR of any size. Errors as `detect`, and
        BackendError where the graph takes no batch of that many.
        """
        seconds: dict[str, float] = {}
        outputs = self._run_network(images, seconds)
        return tuple(
            self._detection(image.shape[:2], output, dict(seconds))
            for image, output in zip(images, outputs, strict=True)
        )

    def _detection(
        self, image_size: tuple[int, int], output: NetworkOutput, seconds: dict[str, float]
    ) -> Detection:
        threshold = self.bundle.manifest.score.threshold
        with timed(seconds, "components"):
            pixels = component_pixels(output.score >= threshold)
            found = pixels.count
            pixels = largest_components(pixels, self.max_components)
            measured = self._metrics(output, pixels)
        with timed(seconds, "meta"):
            decision = self._meta.decide(measured.metrics.values)
        with timed(seconds, "shapes"):
            components = self._describe(output, measured, decision)
        return Detection(
            image_size=image_size,
            labels=output.labels,
            score=output.score,
            component_labels=pixels.labels,
            components=components,
            letterbox=output.letterbox,
            stage_seconds=seconds,
            left_out=found - pixels.count,
        )

    def run_network(self, image: NDArray[np.uint8]) -> NetworkOutput:
        """The network's answer to one image, (H,W,3) uint8 BGR. Raises as `detect`."""
        return self._run_network([image], {})[0]

    def _run_network(
        self, images: Sequence[NDArray[np.uint8]], seconds: dict[str, float]
    ) -> list[NetworkOutput]:
        """Of each image; the time of all of them goes into `seconds`."""
        for image in images:
            _check_image(image)
        network, name = self.bundle.manifest.network, self._network.inputs[0].name
        with timed(seconds, "preprocess"):
            boxes = [Letterbox.fit(network, *image.shape[:2]) for image in images]
            tensors = [box.apply(image) for box, image in zip(boxes, images, strict=True)]
            tensor = tensors[0] if len(tensors) == 1 else np.concatenate(tensors)
        with timed(seconds, "network"):
            outputs = self._network.run({name: tensor})
        if not np.isfinite(outputs["score"]).all():
            # NaN >= threshold is false: a broken network would look like a clear road.
            raise BackendError(f"{network.file} gave scores that are no numbers")
        return [
            NetworkOutput(
                box,
                outputs["labels"][place, : box.valid_rows, : box.valid_columns],
                outputs["score"][place, : box.valid_rows, : box.valid_columns],
                outputs["logits"][place],
            )
            for place, box in enumerate(boxes)
        ]

    def measure(self, output: NetworkOutput, mask: NDArray[np.bool_]) -> MeasuredComponents:
        """Components of a mask on the valid grid, with their metrics.

        Training builds its tables with this very function. Probabilities are computed only at
        the components' cells, from the small logits.
        """
        return self._metrics(output, component_pixels(mask))

    def _metrics(self, output: NetworkOutput, pixels: ComponentPixels) -> MeasuredComponents:
        network = self.bundle.manifest.network
        logits = GridLogits(output.logits, (network.grid_height, network.grid_width))

        def read(here: slice) -> NDArray[np.float32]:
            return logits.probabilities_at(pixels.rows[here], pixels.columns[here])

        metrics = metrics_where_read(pixels, logits.num_classes, read, output.labels)
        return MeasuredComponents(pixels, metrics)

    def _describe(
        self, output: NetworkOutput, measured: MeasuredComponents, decision: MetaDecision
    ) -> tuple[Component, ...]:
        manifest = self.bundle.manifest
        judgement = Judgement(
            obstacle_probability=1.0 - decision.false_positive_probability,
            kept=decision.kept,
            reasons=self._meta.reasons(measured.metrics.values, decision.contributions),
            edge_threshold=manifest.score.threshold,
        )
        return describe_components(
            measured.pixels,
            output.letterbox,
            output.score,
            output.labels,
            manifest.road_classes,
            judgement,
        )

    def _check_graph(self) -> None:
        manifest = self.bundle.manifest
        where = self.bundle.folder / manifest.network.file
        shapes = {spec.name: spec.shape for spec in self._network.outputs}
        missing = [name for name in _OUTPUTS if name not in shapes]
        if missing:
            raise BundleError(f"{where} lacks the output {missing[0]}: export the bundle again")
        network, classes = manifest.network, len(manifest.classes)
        got = self._network.inputs[0].shape
        batch = got[0] if got else 0  # -1 where the graph takes any number of images
        grid = (batch, network.grid_height, network.grid_width)
        expected: dict[str, tuple[int, ...]] = {
            "labels": grid,
            "score": grid,
            "logits": (batch, classes, *shapes["logits"][2:]),
        }
        for name, shape in expected.items():
            if shapes[name] != shape:
                raise BundleError(
                    f"{where}: output {name} has the shape {shapes[name]}, but the manifest "
                    f"says {shape}: export the bundle again"
                )
        if got != (batch, network.input_height, network.input_width, 3) or batch not in (-1, 1):
            raise BundleError(f"{where}: the input's shape {got} is not the manifest's")


def _check_image(image: NDArray[Any]) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ImageError(
            f"an image of shape {image.shape} and type {image.dtype} cannot be used: "
            "give (height, width, 3) uint8 BGR"
        )
