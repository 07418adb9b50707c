"""The figures of a study as a table: mean and standard deviation over seeds."""

from __future__ import annotations

from typing import Any

import numpy as np


def study_table(results: dict[str, list[dict[str, Any]]]) -> str:
    """Markdown: a row a variant, a column a figure, ``mean ± deviation`` over its seeds.

    results: variant -> one entry a seed with ``figures`` {set: {figure: value}}. The deviation is
    that of a sample (n - 1), and absent for a single run.
    """
    columns: list[tuple[str, str]] = []
    for entries in results.values():
        for name, figures in entries[0]["figures"].items():
            columns += [(name, figure) for figure in figures if (name, figure) not in columns]
    heads = ["variant", "runs", *(f"{name} {figure}" for name, figure in columns)]
    rows = [_row(heads), _row(["---"] * len(heads))]
    for variant, entries in results.items():
        cells = [_cell(_values(entries, *column)) for column in columns]
        rows.append(_row([variant, str(len(entries)), *cells]))
    return "\n".join(rows) + "\n"


def _values(entries: list[dict[str, Any]], name: str, figure: str) -> list[float]:
    found = [entry["figures"].get(name, {}).get(figure) for entry in entries]
    return [value for value in found if value is not None]


def _cell(values: list[float]) -> str:
    if not values:
        return "not measured"
    mean = f"{np.mean(values):.3f}"
    return mean if len(values) < 2 else f"{mean} ± {np.std(values, ddof=1):.3f}"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
