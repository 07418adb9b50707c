"""Classifiers of several kinds validated on the same tables: everything that is reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ood_perception.errors import OodError
from ood_training.meta.contract import MetaFamily
from ood_training.meta.cross_data import fit_and_test
from ood_training.meta.figures import decision_figures, probability_figures
from ood_training.meta.folds import FoldKind, folds_in_words, make_folds
from ood_training.meta.plots import draw_plots
from ood_training.meta.table import ComponentTable, join_tables
from ood_training.meta.validation import DecisionRule, Progress, Validation, validate
from ood_training.meta.validation_intervals import bootstrap_intervals, share_intervals

ProgressLine = Callable[[str], Progress]
"""Gives a line of a progress bar its description."""


@dataclass(frozen=True)
class ReportSettings:
    """How classifiers are compared: folds, decision, resamples of the bootstrap (0: none)."""

    by: FoldKind = "sequence"
    folds: int = 10
    rule: DecisionRule = field(default_factory=DecisionRule)
    bootstrap: int = 1000
    seed: int = 0
    plots: Path | None = None


def validation_report(
    parts: dict[str, ComponentTable],
    families: Sequence[MetaFamily],
    settings: ReportSettings,
    line: ProgressLine,
) -> dict[str, Any]:
    """Out-of-fold figures of each family on the tables together, as JSON can hold them.

    parts: name -> table; with several, the figures of each table's own rows come as well.
    Raises OodError as `validate`, `make_folds` and `join_tables`.
    """
    table = join_tables(list(parts.values()))
    folds = make_folds(table, settings.by, settings.folds)
    validations = [
        validate(f, table, folds, settings.by, settings.rule, settings.seed, line(f.kind))
        for f in _different(families)
    ]
    report = _report(parts, validations, settings, line)
    report["folds"] = {
        "by": settings.by,
        "count": len(folds),
        "text": folds_in_words(table, settings.by, len(folds)),
    }
    report["decision"] = _decision(settings.rule, "each fold's training rows")
    return report


def cross_data_report(
    training: dict[str, ComponentTable],
    parts: dict[str, ComponentTable],
    families: Sequence[MetaFamily],
    settings: ReportSettings,
    line: ProgressLine,
) -> dict[str, Any]:
    """The same figures of ``parts``, by classifiers that learned from ``training`` alone."""
    learned, table = join_tables(list(training.values())), join_tables(list(parts.values()))
    validations = [
        fit_and_test(f, learned, table, settings.rule, settings.seed, line(f.kind))
        for f in _different(families)
    ]
    report = _report(parts, validations, settings, line)
    report["learned_from"] = {"tables": list(training), **_counts(learned)}
    report["decision"] = _decision(settings.rule, "the training tables")
    return report


def _different(families: Sequence[MetaFamily]) -> Sequence[MetaFamily]:
    kinds = [family.kind for family in families]
    if not kinds or len(set(kinds)) < len(kinds):
        raise OodError(f"give different kinds of classifiers, not {', '.join(kinds) or 'none'}")
    return families


def _decision(rule: DecisionRule, where: str) -> dict[str, Any]:
    if rule.keep_objects is None:
        return {
            "how": "given",
            "keep_objects": None,
            "text": f"decision {rule.given:g}, given: removed where P(false positive) is above",
        }
    return {
        "how": "nested",
        "keep_objects": rule.keep_objects,
        "text": f"decision chosen to keep {rule.keep_objects:.1%} of the objects hit, on "
        f"out-of-fold predictions of {where} alone",
    }


def _report(
    parts: dict[str, ComponentTable],
    validations: Sequence[Validation],
    settings: ReportSettings,
    line: ProgressLine,
) -> dict[str, Any]:
    table = join_tables(list(parts.values()))
    kinds = {v.kind: _kind_report(table, v) for v in validations}
    report: dict[str, Any] = {
        "tables": list(parts),
        "model_id": table.origin.model_id,
        "score": table.origin.score,
        "threshold": table.origin.threshold,
        **_counts(table),
        "kinds": kinds,
    }
    if settings.bootstrap:
        report["bootstrap"] = bootstrap_intervals(
            table, validations, kinds, settings.bootstrap, settings.seed, line("bootstrap")
        )
    if len(parts) > 1:
        report["by_table"] = _by_table(parts, validations)
    if settings.plots is not None:
        title = f"{table.origin.source}: {len(table)} components, {table.objects} objects"
        report["plots"] = [str(p) for p in draw_plots(table, validations, settings.plots, title)]
    return report


def _counts(table: ComponentTable) -> dict[str, Any]:
    return {
        "components": len(table),
        "false_positives": int(table.false_positive.sum()),
        "ignored_components": int(table.ignored.sum()),
        "objects": table.objects,
        "objects_hit": int(table.hit().sum()),
        "images": len(np.unique(np.concatenate([table.frame, table.object_frame]))),
        "sequences": len(np.unique(np.concatenate([table.sequence, table.object_sequence]))),
    }


def _kind_report(table: ComponentTable, validation: Validation) -> dict[str, Any]:
    at = decision_figures(table, validation.removed)
    return {
        **asdict(probability_figures(table.false_positive, validation.probability)),
        "decision": {
            "lowest": float(validation.decision.min()),
            "median": float(np.median(validation.decision)),
            "highest": float(validation.decision.max()),
        },
        "at_decision": asdict(at),
        "intervals": share_intervals(at),
    }


def _by_table(
    parts: dict[str, ComponentTable], validations: Sequence[Validation]
) -> dict[str, Any]:
    """The same predictions, counted on each table's own rows."""
    result: dict[str, Any] = {}
    first = 0
    for name, table in parts.items():
        rows = slice(first, first + len(table))
        first += len(table)
        result[name] = _counts(table) | {"kinds": {}}
        for v in validations:
            part = Validation(v.kind, v.probability[rows], v.decision[rows])
            if len(table):
                result[name]["kinds"][v.kind] = _kind_report(table, part)
    return result
