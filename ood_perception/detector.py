"""Image in, Detection out: network, score, components, meta classifier. Keeps no state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ood_perception.backends import create_backend
from ood_perception.bundle import Bundle
from ood_perception.component_description import describe_components
from ood_perception.component_labels import ComponentPixels, component_pixels
from ood_perception.components import ComponentMetrics, metrics_where_read
from ood_perception.detection import Component, Detection
from ood_perception.edge_softness import edge_softness
from ood_perception.errors import BackendError, BundleError, ImageError
from ood_perception.grid_logits import GridLogits
from ood_perception.letterbox import Letterbox
from ood_perception.meta_classifier import MetaClassifier, MetaDecision

_OUTPUTS = ("labels", "score", "logits")


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

    def __init__(self, bundle: Bundle, backend: str = "onnxruntime") -> None:
        """Load network and meta classifier.

        Raises:
            BundleError: graph and manifest contradict each other.
            BackendError: the backend is unknown or refuses a graph.
        """
        self.bundle = bundle
        self._network = create_backend(backend, bundle.network_onnx, bundle.manifest.network.file)
        self._meta = MetaClassifier(bundle)
        self._check_graph()

    @property
    def device(self) -> str:
        """What the network really runs on, in words."""
        return self._network.device

    def detect(self, image: NDArray[np.uint8]) -> Detection:
        """Find unknown obstacles in one image, (H,W,3) uint8 BGR of any size.

        Raises:
            ImageError: not such an array.
            BackendError: the network failed on it.
        """
        seconds: dict[str, float] = {}
        output = self.run_network(image, seconds)
        if not np.isfinite(output.score).all():
            # NaN >= threshold is false: a broken network would look like a clear road.
            raise BackendError(
                f"{self.bundle.manifest.network.file} gave scores that are no numbers"
            )
        with _timed(seconds, "components"):
            measured = self.measure(output, output.score >= self.bundle.manifest.score.threshold)
        with _timed(seconds, "meta"):
            decision = self._meta.decide(measured.metrics.values)
        with _timed(seconds, "shapes"):
            components = self._describe(output, measured, decision)
        return Detection(
            image_size=(image.shape[0], image.shape[1]),
            labels=output.labels,
            score=output.score,
            component_labels=measured.pixels.labels,
            components=components,
            letterbox=output.letterbox,
            stage_seconds=seconds,
        )

    def run_network(
        self, image: NDArray[np.uint8], seconds: dict[str, float] | None = None
    ) -> NetworkOutput:
        """The network's answer to one image, (H,W,3) uint8 BGR; times go into `seconds`."""
        seconds = {} if seconds is None else seconds
        _check_image(image)
        with _timed(seconds, "preprocess"):
            letterbox = Letterbox.fit(self.bundle.manifest.network, *image.shape[:2])
            tensor = letterbox.apply(image)
        with _timed(seconds, "network"):
            outputs = self._network.run({self._network.inputs[0].name: tensor})
        rows, columns = letterbox.valid_rows, letterbox.valid_columns
        return NetworkOutput(
            letterbox,
            outputs["labels"][0, :rows, :columns],
            outputs["score"][0, :rows, :columns],
            outputs["logits"][0],
        )

    def measure(self, output: NetworkOutput, mask: NDArray[np.bool_]) -> MeasuredComponents:
        """Components of a mask on the valid grid, with their metrics.

        Training builds its tables with this very function. Probabilities are computed only at
        the components' cells, from the small logits.
        """
        pixels = component_pixels(mask)
        network = self.bundle.manifest.network
        logits = GridLogits(output.logits, (network.grid_height, network.grid_width))

        def read(here: slice) -> NDArray[np.float32]:
            return logits.probabilities_at(pixels.rows[here], pixels.columns[here])

        metrics = metrics_where_read(pixels, logits.num_classes, read, output.labels)
        return MeasuredComponents(pixels, metrics)

    def _describe(
        self, output: NetworkOutput, measured: MeasuredComponents, decision: MetaDecision
    ) -> tuple[Component, ...]:
        pixels, values = measured.pixels, measured.metrics.values
        manifest = self.bundle.manifest
        described = describe_components(
            pixels, output.letterbox, output.score, output.labels, manifest.road_classes
        )
        return tuple(
            replace(
                component,
                obstacle_probability=1.0 - float(decision.false_positive_probability[k]),
                kept=bool(decision.kept[k]),
                reasons=self._meta.reasons(values[k], decision.contributions[k]),
                lower_edge_softness=edge_softness(
                    output.score, shape.lowest_cells, manifest.score.threshold
                ),
            )
            for k, (component, shape) in enumerate(described)
        )

    def _check_graph(self) -> None:
        manifest = self.bundle.manifest
        where = self.bundle.folder / manifest.network.file
        shapes = {spec.name: spec.shape for spec in self._network.outputs}
        missing = [name for name in _OUTPUTS if name not in shapes]
        if missing:
            raise BundleError(f"{where} lacks the output {missing[0]}: export the bundle again")
        network, classes = manifest.network, len(manifest.classes)
        grid = (1, network.grid_height, network.grid_width)
        expected: dict[str, tuple[int, ...]] = {
            "labels": grid,
            "score": grid,
            "logits": (1, classes, *shapes["logits"][2:]),
        }
        for name, shape in expected.items():
            if shapes[name] != shape:
                raise BundleError(
                    f"{where}: output {name} has the shape {shapes[name]}, but the manifest "
                    f"says {shape}: export the bundle again"
                )
        got = self._network.inputs[0].shape
        if got != (1, network.input_height, network.input_width, 3):
            raise BundleError(f"{where}: the input's shape {got} is not the manifest's")


def _check_image(image: NDArray[Any]) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ImageError(
            f"an image of shape {image.shape} and type {image.dtype} cannot be used: "
            "give (height, width, 3) uint8 BGR"
        )


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = perf_counter()
    yield
    seconds[stage] = perf_counter() - start
