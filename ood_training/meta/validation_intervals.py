"""Intervals of a validation's figures, as JSON can hold them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

from ood_training.meta.confidence import (
    Interval,
    SequenceBootstrap,
    Statistic,
    clopper_pearson,
    percentile_interval,
)
from ood_training.meta.figures import DecisionFigures, average_precision
from ood_training.meta.table import ComponentTable
from ood_training.meta.validation import Progress, Validation


def share_intervals(at: DecisionFigures) -> dict[str, Any]:
    """Exact intervals of shares, components and objects taken as independent."""
    positives = at.false_positives_kept + at.false_positives_removed
    newly = at.objects_newly_missed
    return {
        "false_positives_removed_share": _share(at.false_positives_removed, positives),
        "newly_missed_share_of_objects_hit": _share(newly, at.objects_hit),
        "newly_missed_share_of_objects": _share(newly, at.objects),
    }


def _share(count: int, total: int) -> dict[str, Any]:
    value = count / total if total else None
    return {"value": value, **_bounds(clopper_pearson(count, total))}


def _bounds(interval: Interval | None) -> dict[str, float | None]:
    if interval is None:
        return {"low": None, "high": None}
    return asdict(interval)


def bootstrap_intervals(
    table: ComponentTable,
    validations: Sequence[Validation],
    kinds: dict[str, Any],
    resamples: int,
    seed: int,
    progress: Progress,
) -> dict[str, Any]:
    """Adds to the report of each kind its intervals, and gives the paired differences of all pairs.

    Raises OodError as `SequenceBootstrap`.
    """
    bootstrap = SequenceBootstrap(table, resamples, seed)
    precision = {}
    for done, validation in enumerate(validations):
        report = kinds[validation.kind]
        precision[validation.kind] = bootstrap.values(_precision_statistic(table, validation))
        reduction = bootstrap.values(_reduction_statistic(table, validation))
        report["intervals"] |= {
            "average_precision": {
                "value": report["average_precision"],
                **_bounds(percentile_interval(precision[validation.kind])),
            },
            "error_reduction": {
                "value": report["at_decision"]["error_reduction"],
                **_bounds(percentile_interval(reduction)),
            },
        }
        progress(done + 1, len(validations))
    differences = [
        {
            "kind": other,
            "minus": first,
            "value": kinds[other]["average_precision"] - kinds[first]["average_precision"],
            **_bounds(percentile_interval(precision[other] - precision[first])),
        }
        for first, other in combinations(kinds, 2)
    ]
    return {
        "resamples": resamples,
        "seed": seed,
        "sequences": bootstrap.sequences,
        "average_precision_differences": differences,
    }


def _precision_statistic(table: ComponentTable, validation: Validation) -> Statistic:
    return lambda components, objects: average_precision(
        table.false_positive, validation.probability, components
    )


def _reduction_statistic(table: ComponentTable, validation: Validation) -> Statistic:
    kept = table.false_positive & ~validation.removed
    missed, missed_after = ~table.hit(), ~table.hit(~validation.removed)

    def reduction(components: Any, objects: Any) -> float:
        before = components @ table.false_positive + objects @ missed
        after = components @ kept + objects @ missed_after
        return float(1 - after / before) if before else math.nan

    return reduction
