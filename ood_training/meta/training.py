"""Fits a bundle's meta classifier on tables of components and writes it into the bundle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_perception.bundle import Bundle, MetaClassifierSpec, load_bundle, write_bundle
from ood_perception.meta_classifier import MetaClassifier
from ood_training.meta.card import CARD_NAME, read_card, replace_meta_section
from ood_training.meta.components import collect_components
from ood_training.meta.configuration import MetaConfiguration
from ood_training.meta.contract import MetaFamily
from ood_training.meta.decision import choose_decision
from ood_training.meta.families import create_family
from ood_training.meta.figures import decision_figures, probability_figures
from ood_training.meta.folds import make_folds, widest_unit
from ood_training.meta.promise import PromiseRequest, make_promise
from ood_training.meta.table import ComponentTable
from ood_training.meta.training_checks import check_calibration, check_graph, check_table
from ood_training.meta.validation import DecisionRule, Progress, check_both_kinds

DEFAULT_KIND = "logistic_regression"
GRAPH_FILE = "meta_classifier.onnx"


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A table with its decision, and out-of-fold P(false positive), (n,), where it was needed."""

    table: ComponentTable
    decision: float
    decision_by: str
    probability: NDArray[np.float64] | None = None

    @property
    def figures(self) -> dict[str, Any]:
        """Out of fold, at the decision: what the choice rests on."""
        if self.probability is None:
            return {}
        told = probability_figures(self.table.false_positive, self.probability)
        counted = decision_figures(self.table, self.probability > self.decision)
        return {
            "components": len(self.table),
            "objects_hit_after_meta": counted.objects - counted.objects_missed_after,
            "decision": self.decision,
            "auroc": told.auroc,
            "average_precision": told.average_precision,
            "accuracy": told.accuracy,
            **asdict(counted),
        }


def train_meta(
    bundle_folder: Path,
    table: ComponentTable,
    kind: str = DEFAULT_KIND,
    rule: DecisionRule | None = None,
    promise: PromiseRequest | None = None,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Fit a classifier on all rows of a table and write it, decision included, into the bundle.

    kind: as ``create_family`` takes it. rule: how the decision is put when nothing is promised; a
    share of objects to keep is kept out of fold, by sequence (by image where there is one only).
    promise: puts the decision by conformal risk control instead. The table's threshold becomes the
    bundle's, because the classifier knows the components of that threshold alone.

    Returns what was fitted and chosen. The bundle and its model card are written at the end, whole
    or not at all. Raises OodError for a table or calibration of another network, score or metrics,
    a calibration that shares sequences with the table or is too small, components of one kind
    only, and a graph that does not give the classifier's probabilities.
    """
    bundle = load_bundle(bundle_folder)
    family = create_family(kind)
    check_table(bundle, table)
    if promise is not None:
        check_calibration(table, promise)
    chosen = _candidate(family, table, rule or DecisionRule(), seed, on_progress)
    return _fit_and_write(bundle, family, chosen, promise, seed)


def train_meta_classifier(
    bundle_folder: Path,
    settings: MetaConfiguration,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    kind: str = DEFAULT_KIND,
    rule: DecisionRule | None = None,
    promise: PromiseRequest | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """``train_meta`` on a configuration's frames, with the best of its thresholds.

    The components come from ``Detector``, the code that runs in the vehicle. Which threshold is
    the best rests on out-of-fold F1 at the decision of ``rule``, the configuration's where None.
    Raises OodError for missing data, and as ``train_meta``.
    """
    bundle, family = load_bundle(bundle_folder), create_family(kind)
    rule = rule or DecisionRule(keep_objects=settings.keep_objects)
    thresholds = settings.thresholds or (bundle.manifest.score.threshold,)
    tables = collect_components(bundle.without_meta_classifier(), settings, thresholds, on_progress)
    candidates = [_candidate(family, table, rule, seed, always=True) for table in tables]
    best = max(candidates, key=lambda candidate: candidate.figures["f1_after"])
    if promise is not None:
        check_calibration(best.table, promise)
    result = _fit_and_write(bundle, family, best, promise, seed)
    figures = {str(one.table.origin.threshold): one.figures for one in candidates}
    return {**result, "candidates": figures}


def _candidate(
    family: MetaFamily,
    table: ComponentTable,
    rule: DecisionRule,
    seed: int,
    on_progress: Progress | None = None,
    *,
    always: bool = False,
) -> _Candidate:
    """The table's decision; out-of-fold probabilities where that needs them, or ``always``."""
    check_both_kinds(table)
    given = _Candidate(table, rule.given, "given" if rule.given != 0.5 else "the published rule")
    if rule.keep_objects is None and not always:
        return given
    by = widest_unit(table)
    folds = make_folds(table, by)
    probability = family.fit_folds(table.metrics, table.false_positive, folds, seed, on_progress)
    if rule.keep_objects is None:
        return replace(given, probability=probability)
    lowest = table.lowest_by_object(probability)[table.hit()]
    words = f"keeps {rule.keep_objects:g} of the objects hit, out of fold by {by}"
    return _Candidate(table, choose_decision(lowest, rule.keep_objects), words, probability)


def _fit_and_write(
    bundle: Bundle,
    family: MetaFamily,
    chosen: _Candidate,
    promise: PromiseRequest | None,
    seed: int,
) -> dict[str, Any]:
    table, decision_by = chosen.table, chosen.decision_by
    model = family.fit(table.metrics, table.false_positive, seed)
    graph = model.to_onnx()
    spec = MetaClassifierSpec(
        file=GRAPH_FILE,
        kind=model.kind,
        metric_names=table.origin.metric_names,
        decision=chosen.decision,
        score=table.origin.score,
        threshold=table.origin.threshold,
        training_source=table.origin.source,
    )
    served = _with_classifier(bundle, spec, graph)
    difference = check_graph(model, served, table.metrics)
    if promise is not None:
        probability = MetaClassifier(served).decide(promise.calibration.metrics)[0]
        decision, promised = make_promise(promise, probability)
        spec = spec.model_copy(update={"decision": decision, "promise": promised})
        decision_by = f"conformal risk control, alpha {promise.alpha:g}"
    card = replace_meta_section(read_card(bundle), spec, decision_by)
    written = write_bundle(
        bundle.folder,
        _with_classifier(bundle, spec, graph).manifest,
        bundle.network_onnx,
        graph,
        documents={CARD_NAME: card},
    )
    return {
        "bundle": str(bundle.folder),
        "model": written.model_id,
        "kind": spec.kind,
        "training_source": spec.training_source,
        "components": len(table),
        "false_positives": int(table.false_positive.sum()),
        "objects": table.objects,
        "objects_hit": int(table.hit().sum()),
        "sequences": len(np.unique(table.sequence)),
        "score": spec.score,
        "threshold": spec.threshold,
        "threshold_before": bundle.manifest.score.threshold,
        "decision": spec.decision,
        "decision_by": decision_by,
        "out_of_fold": chosen.figures or None,
        "promise": None if spec.promise is None else spec.promise.model_dump(),
        "graph_difference": difference,
    }


def _with_classifier(bundle: Bundle, spec: MetaClassifierSpec, graph: bytes) -> Bundle:
    """The bundle as it will be, not yet written."""
    score = bundle.manifest.score.model_copy(update={"threshold": spec.threshold})
    manifest = bundle.manifest.model_copy(update={"score": score, "meta_classifier": spec})
    return replace(bundle, manifest=manifest, meta_classifier_onnx=graph)
