"""What can be wrong with a comparison beyond single settings, said before hours of training."""

from __future__ import annotations

from collections.abc import Sequence

from ood_perception.bundle import load_bundle
from ood_perception.errors import OodError
from ood_training.checkpoint import read_checkpoint
from ood_training.comparison.configuration import ComparisonConfiguration
from ood_training.evaluation_run import open_evaluation_data
from ood_training.evidence import Evidence
from ood_training.meta.configuration import load_meta_configuration
from ood_training.score_calibration import FITTED_SCORES
from ood_training.score_request import check_evidence
from ood_training.training.stage_loss import evidence_of


def check_methods(comparison: ComparisonConfiguration) -> None:
    """Raises OodError for methods whose settings, scores and source do not go together."""
    for name, method in comparison.methods.items():
        if method.training is not None:
            settings = comparison.training(name, comparison.seeds[0])
            last = settings.stages[-1]
            evidence = evidence_of(settings, unknown_objects=last.unknown_objects)
            _check_scores(comparison, name, evidence)
        if method.components and not any(
            one.has_components for one in comparison.evaluations.values()
        ):
            raise OodError(
                f"method {name}: components need an evaluation with the protocol smiyc-anomaly or "
                "smiyc-obstacle"
            )
        fits = method.components or any(one in FITTED_SCORES for one in method.scores)
        if fits and method.source in ("training", "checkpoint"):
            base = comparison.base_training()
            if method.components and base.validation is None:
                raise OodError(f"method {name}: components need a base with a validation")


def check_inputs(comparison: ComparisonConfiguration, methods: Sequence[str]) -> None:
    """Raises OodError for a file or data set that is missing or does not fit, of these methods."""
    for name in methods:
        method = comparison.methods[name]
        path = method.checkpoint or method.dropout
        try:
            if path is not None:
                evidence = Evidence(**read_checkpoint(path)[1].evidence)
            if method.bundle is not None:
                load_bundle(method.bundle)
        except OodError as error:
            raise OodError(f"method {name}: {error}") from error
        if method.checkpoint is not None:
            _check_scores(comparison, name, evidence)
    if comparison.meta is not None:
        load_meta_configuration(comparison.meta)
    for name, evaluation in comparison.evaluations.items():
        try:
            dataset = open_evaluation_data(evaluation.request)
        except OodError as error:
            raise OodError(f"evaluation {name}: {error}") from error
        if len(dataset) == 0:
            raise OodError(f"evaluation {name}: {dataset.name} has no frames")
        if evaluation.pixel_figures and not dataset.label_map.has_unknown:
            raise OodError(
                f"evaluation {name}: {dataset.name} has no unknown objects, so there is no "
                f"{evaluation.pixel_figures[0]}: name other figures"
            )


def _check_scores(comparison: ComparisonConfiguration, name: str, evidence: Evidence) -> None:
    for score in comparison.methods[name].score_names or ():
        try:
            check_evidence(score, evidence.kind)
        except OodError as error:
            raise OodError(f"method {name}: {error}") from error
