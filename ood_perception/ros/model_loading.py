"""Loads the model that the node runs, tries it once, and says what it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from ood_perception.backends.engine_graph import PRECISIONS
from ood_perception.bundle import Bundle, load_bundle
from ood_perception.camera_pipeline import SceneDetector
from ood_perception.detector import Detector
from ood_perception.ros.package_files import bundle_folder


class LoadedDetector(SceneDetector, Protocol):
    """A detector with its bundle and what it really runs on."""

    @property
    def bundle(self) -> Bundle:
        """The model."""

    @property
    def device(self) -> str:
        """What the network runs on, in words."""


DetectorFactory = Callable[[str, str], LoadedDetector]
"""From the parameters ``bundle`` and ``backend`` to a detector; raises OodError."""


def load_detector(bundle: str, backend: str) -> LoadedDetector:
    """The detector of a bundle that is given as a folder or by its name in ``models/``."""
    return Detector(load_bundle(bundle_folder(bundle)), backend=backend)


def warm_up(detector: LoadedDetector) -> None:
    """Runs the whole detector once, so that the first image of the road is not the slow one."""
    network = detector.bundle.manifest.network
    detector.detect(np.full((network.input_height, network.input_width, 3), 127, dtype=np.uint8))


def describe_model(detector: LoadedDetector) -> str:
    """Which model runs on what, trained on what, under which terms: one line for the log."""
    manifest = detector.bundle.manifest
    provenance = manifest.provenance
    return (
        f"model {detector.bundle.model_id} ({len(manifest.classes)} classes, "
        f"score {manifest.score.name} >= {manifest.score.threshold:g}) on {detector.device}; "
        f"trained on: {provenance.trained_on}; terms: {provenance.terms}"
    )


def model_facts(detector: LoadedDetector | None, images_at_once: int = 1) -> dict[str, str]:
    """What /diagnostics says of the model, by key; empty texts where none is loaded.

    precision: what was really built, read from the device's own words. images_at_once: that the
    detector sees in one call.
    """
    if detector is None:
        keys = ("model_id", "backend", "precision", "device", "max_batch", "trained_on", "terms")
        return dict.fromkeys(keys, "")
    manifest, words = detector.bundle.manifest, detector.device
    network = words.partition("; ")[0].partition(" (")[0]
    built = [name for name in PRECISIONS if name in network.replace(",", " ").split()]
    return {
        "model_id": detector.bundle.model_id,
        "backend": words,
        "precision": (built or [manifest.network.precision])[0],
        "device": network.partition(", ")[2] or network.split()[-1],
        "max_batch": str(images_at_once),
        "trained_on": manifest.provenance.trained_on,
        "terms": manifest.provenance.terms,
    }
