"""From the records of all runs to mean and deviation over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ood_training.comparison.configuration import (
    PIXEL_FIGURES,
    ComparisonConfiguration,
)
from ood_training.comparison.record import component_key, pixel_key

COMPONENT_FIGURES = ("F1", "F1 with meta")


def comparison_summary(
    comparison: ComparisonConfiguration,
    found: Mapping[str, Sequence[dict[str, Any]]],
    latency: dict[str, Any] | None,
) -> dict[str, Any]:
    """Everything that a table, a plot or a program needs, as JSON takes it.

    found: method -> the contents of its runs' records.
    Returns ``seeds``, ``input_size``, ``commits`` (of the measurements), ``sets`` {name: ``data``,
    ``kind``, ``split``, ``protocol``, ``every``, ``frames``, ``figures``, ``rows``}, ``latency``
    and ``notes`` (lines). A row has ``method``, ``score``, ``primary``, ``runs``, ``figures``
    {name: ``mean_and_deviation``} and, of its first run, ``curve``.
    """
    sets = {name: _set_summary(comparison, name, found) for name in comparison.evaluations}
    return {
        "seeds": [*comparison.seeds],
        "input_size": [*comparison.input_size],
        "commits": sorted(set(_commits(found))),
        "sets": sets,
        "latency": latency and _of_methods(latency, found),
        "notes": _notes(found),
    }


def mean_and_deviation(values: Sequence[float]) -> dict[str, Any]:
    """``mean``, sample ``deviation`` (n - 1; None for a single value) and the ``values``."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "deviation": deviation, "values": [*values]}


def _set_summary(
    comparison: ComparisonConfiguration, name: str, found: Mapping[str, Sequence[dict[str, Any]]]
) -> dict[str, Any]:
    evaluation = comparison.evaluations[name]
    rows, frames = [], None
    for method, records in found.items():
        measured = [
            record
            for record in records
            if (one := record["sets"].get(name)) and one["evaluation"] == pixel_key(evaluation)
        ]
        if not measured:
            continue
        frames = measured[0]["sets"][name]["frames"]
        known = dict.fromkeys(s for one in measured for s in one["sets"][name]["scores"])
        wanted = comparison.methods[method].score_names
        scores = [score for score in wanted or known if score in known]
        for number, score in enumerate(scores or [None]):
            row = _row(name, score, measured)
            if number == 0:
                row["figures"] |= _component_figures(comparison, name, method, measured)
            rows.append({"method": method, "score": score, "primary": number == 0, **row})
    about = evaluation.model_dump(mode="json", include={"kind", "split", "protocol", "every"})
    data, shown = str(evaluation.data), [*evaluation.figures]
    return {"data": data, **about, "frames": frames, "figures": shown, "rows": rows}


def _row(name: str, score: str | None, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    sets = [record["sets"][name] for record in records]
    of_score = [one["scores"][score] for one in sets if score in one["scores"]]
    values = {figure: [one[figure] for one in of_score] for figure in PIXEL_FIGURES}
    values["mIoU"] = [one["mIoU"] for one in sets]
    return {
        "runs": len(sets) if score is None else len(of_score),
        "figures": _told(values),
        "curve": of_score[0]["curve"] if of_score else None,
    }


def _component_figures(
    comparison: ComparisonConfiguration, name: str, method: str, records: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Of the bundles with the method's primary score."""
    settings, key = comparison.methods[method], component_key(comparison.evaluations[name])
    primary = settings.score_names and settings.score_names[0]
    known = [
        record["components"][name]
        for record in records
        if settings.components
        and record["components"].get(name, {}).get("evaluation") == key
        and record["bundle"].get("key", {}).get("score") == primary
    ]
    return _told({figure: [one[figure] for one in known] for figure in COMPONENT_FIGURES})


def _told(values: Mapping[str, Sequence[float | None]]) -> dict[str, Any]:
    """Mean and deviation of each figure that has values."""
    numbers = {name: [one for one in found if one is not None] for name, found in values.items()}
    return {name: mean_and_deviation(found) for name, found in numbers.items() if found}


def _of_methods(latency: dict[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    methods = {name: one for name, one in latency["methods"].items() if name in found}
    return {**latency, "methods": methods}


def _commits(found: Mapping[str, Sequence[dict[str, Any]]]) -> list[str]:
    commits = []
    for records in found.values():
        for record in records:
            parts = [*record["sets"].values(), *record["components"].values()]
            parts += [one for part in record["sets"].values() for one in part["scores"].values()]
            commits += [part["commit"] for part in parts if part["commit"]]
    return commits


def _notes(found: Mapping[str, Sequence[dict[str, Any]]]) -> list[str]:
    notes = []
    for method, records in found.items():
        for record in records:
            skipped = (record.get("bundle") or {}).get("meta_skipped")
            seed = "" if record["seed"] is None else f", seed {record['seed']}"
            if skipped:
                notes.append(f"{method}{seed}: no meta classifier: {skipped}")
            if (record.get("bundle") or {}).get("only_calibrated"):
                notes.append(
                    f"{method}{seed}: the meta classifier is of the calibrated threshold alone; at "
                    "one of the other candidates all components are of one kind"
                )
    return notes
