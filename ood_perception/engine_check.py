"""How far the graphs that engines are built from lie from the bundle's, in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.backends.onnxruntime import OnnxRuntimeBackend
from ood_perception.bundle import Bundle
from ood_perception.detector import Detector
from ood_perception.errors import BackendError
from ood_perception.letterbox import Letterbox

_COMPONENT_SHARE = 0.2


def made_up_image(height: int, width: int) -> NDArray[np.uint8]:
    """(height, width, 3) uint8 BGR soft blobs of all colours, always the same."""
    small = np.random.default_rng(0).integers(0, 256, (height // 32 + 2, width // 32 + 2, 3))
    large = cv2.resize(small.astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(large, np.uint8)


def network_deviation(
    bundle: Bundle, adapted: bytes, images: Sequence[NDArray[np.uint8]]
) -> dict[str, Any]:
    """The adapted network against the bundle's, on (H,W,3) uint8 BGR images of any size.

    Returns: labels_equal, share of cells; score_mean, score_largest and logits_largest, absolute
    differences; images, their number.

    Raises:
        BackendError: the adapted network gives scores that are no numbers.
    """
    name = str(bundle.folder / bundle.manifest.network.file)
    exact, other = OnnxRuntimeBackend(bundle.network_onnx, name), OnnxRuntimeBackend(adapted, name)
    equal, score_mean, score_largest, logits_largest = [], [], [], []
    for image in images:
        tensor = Letterbox.fit(bundle.manifest.network, *image.shape[:2]).apply(image)
        a, b = (backend.run({backend.inputs[0].name: tensor}) for backend in (exact, other))
        if not np.isfinite(b["score"]).all():
            raise BackendError(
                f"{name}: in this precision its scores are no numbers: use --precision fp32"
            )
        score = np.abs(a["score"] - b["score"])
        equal.append(np.mean(a["labels"] == b["labels"]))
        score_mean.append(score.mean())
        score_largest.append(score.max())
        logits_largest.append(np.abs(a["logits"] - b["logits"]).max())
    return {
        "images": len(images),
        "labels_equal": float(np.mean(equal)),
        "score_mean": float(np.mean(score_mean)),
        "score_largest": float(np.max(score_largest)),
        "logits_largest": float(np.max(logits_largest)),
    }


def meta_deviation(
    bundle: Bundle, adapted: bytes, images: Sequence[NDArray[np.uint8]]
) -> dict[str, Any]:
    """The adapted meta classifier against the bundle's, on components of these images.

    The components are those of each image's fifth with the highest scores, so that there are some.

    Returns: components, their number; probability_largest and contribution_largest, absolute
    differences; decisions_equal, share of components.

    Raises:
        BackendError: the adapted classifier gives no numbers.
    """
    spec = bundle.manifest.meta_classifier
    assert spec is not None
    assert bundle.meta_classifier_onnx is not None
    name = str(bundle.folder / spec.file)
    exact = OnnxRuntimeBackend(bundle.meta_classifier_onnx, name)
    other = OnnxRuntimeBackend(adapted, name)
    metrics = _component_metrics(bundle, images)
    answers = []
    for backend in (exact, other):
        tensor = metrics.astype(backend.inputs[0].dtype)
        answers.append(backend.run({backend.inputs[0].name: tensor}))
    probability, probability_other = (a["false_positive_probability"].ravel() for a in answers)
    contributions, contributions_other = (a["contributions"] for a in answers)
    if not (np.isfinite(probability_other).all() and np.isfinite(contributions_other).all()):
        raise BackendError(f"{name}: as float32 it gives no numbers: export it again")
    dropped = [p > spec.decision for p in (probability, probability_other)]
    return {
        "components": len(metrics),
        "probability_largest": float(np.abs(probability - probability_other).max()),
        "contribution_largest": float(np.abs(contributions - contributions_other).max()),
        "decisions_equal": float(np.mean(dropped[0] == dropped[1])),
    }


def _component_metrics(bundle: Bundle, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    detector = Detector(bundle.without_meta_classifier())
    tables = []
    for image in images:
        output = detector.run_network(image)
        mask = output.score >= np.quantile(output.score, 1 - _COMPONENT_SHARE)
        tables.append(detector.measure(output, mask).metrics.values)
    return np.concatenate(tables)
