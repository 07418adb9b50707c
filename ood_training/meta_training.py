"""Fits a bundle's meta classifier and puts its thresholds, on held-out objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_perception.bundle import Bundle, MetaClassifierSpec, load_bundle, write_bundle
from ood_perception.components import metric_names
from ood_training.meta_classifier import (
    LogisticMetaClassifier,
    cross_validate,
    fit_meta_classifier,
    meta_classifier_to_onnx,
    score_meta_classifier,
)
from ood_training.meta_components import ComponentTable, collect_components
from ood_training.meta_configuration import MetaConfiguration


@dataclass(frozen=True)
class _Candidate:
    """A score threshold with its components and their out-of-fold P(false positive), (n,)."""

    threshold: float
    table: ComponentTable
    probability: NDArray[np.float64]
    decision: float

    @property
    def kept(self) -> NDArray[np.bool_]:
        return self.probability <= self.decision

    @property
    def f1(self) -> float:
        return self.table.f1(self.kept)


def train_meta_classifier(
    bundle_folder: Path,
    settings: MetaConfiguration,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Fit the meta classifier of a bundle and write it, threshold and decision into the bundle.

    The components and metrics come from ``Detector``, the code that runs in the vehicle. What is
    chosen and returned rests on a cross-validation grouped by frame; the written classifier is
    fitted on all components. Raises OodError for missing data or when there are not components
    of both kinds.
    """
    bundle = load_bundle(bundle_folder)
    thresholds = settings.thresholds or (bundle.manifest.score.threshold,)
    tables = collect_components(bundle, settings, thresholds, on_progress)
    candidates = [
        _candidate(threshold, table, settings.keep_objects)
        for threshold, table in zip(thresholds, tables, strict=True)
    ]
    best = max(candidates, key=lambda candidate: candidate.f1)
    model = fit_meta_classifier(best.table.metrics, best.table.false_positive)
    _write(bundle, model, best)
    return {
        "bundle": str(bundle_folder),
        "threshold": best.threshold,
        "candidates": {str(one.threshold): _figures(one) for one in candidates},
    }


def choose_decision(lowest_probability: NDArray[np.float64], keep_objects: float | None) -> float:
    """The smallest decision, in [0.5, 1], that keeps a share of the objects.

    lowest_probability: (k,) for each object that is hit, the lowest P(false positive) of its
    components; the object stays hit while that is at most the decision.
    """
    if keep_objects is None or len(lowest_probability) == 0:
        return 0.5
    needed = int(np.ceil(keep_objects * len(lowest_probability)))
    return float(np.clip(np.sort(lowest_probability)[needed - 1], 0.5, 1.0))


def _candidate(threshold: float, table: ComponentTable, keep_objects: float | None) -> _Candidate:
    probability = cross_validate(table.metrics, table.false_positive, table.frame)
    decision = choose_decision(table.lowest_by_object(probability), keep_objects)
    return _Candidate(threshold, table, probability, decision)


def _figures(candidate: _Candidate) -> dict[str, Any]:
    table = candidate.table
    return {
        "components": len(table.false_positive),
        "objects": table.objects,
        "objects_hit": table.objects_hit(),
        "objects_hit_after_meta": table.objects_hit(candidate.kept),
        "f1_after_meta": round(candidate.f1, 4),
        "decision": round(candidate.decision, 4),
        **score_meta_classifier(candidate.probability, table.false_positive, candidate.decision),
    }


def _write(bundle: Bundle, model: LogisticMetaClassifier, best: _Candidate) -> None:
    manifest = bundle.manifest
    score = manifest.score.model_copy(update={"threshold": best.threshold})
    spec = MetaClassifierSpec(
        file="meta_classifier.onnx",
        kind="logistic_regression",
        metric_names=metric_names(bundle.num_classes),
        decision=best.decision,
    )
    write_bundle(
        bundle.folder,
        manifest.model_copy(update={"score": score, "meta_classifier": spec}),
        bundle.network_onnx,
        meta_classifier_to_onnx(model),
    )
