"""Plots of a comparison: bars of AP and FPR95, and precision over recall."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ood_training.comparison.configuration import folder_name
from ood_training.figure_files import write_figures

_BARS = {"AP": "higher is better", "FPR95": "lower is better"}


def draw_comparison(summary: dict[str, Any], folder: Path) -> tuple[Path, ...]:
    """Write ``SET_AP.png``, ``SET_FPR95.png`` and ``SET_precision_recall.png`` of every data set.

    summary: of ``comparison_summary``. A data set without figures of pixels gets none. Raises
    OodError when a file cannot be written.
    """
    paths: list[Path] = []
    for name, data in summary["sets"].items():
        figures = {
            figure: _bars(name, figure, data["rows"])
            for figure in _BARS
            if any(figure in row["figures"] for row in data["rows"])
        }
        drawn = [row for row in data["rows"] if row["primary"] and row["curve"]]
        if drawn:
            figures["precision_recall"] = _precision_recall(name, drawn)
        titled = {f"{folder_name(name)}_{kind}": figure for kind, figure in figures.items()}
        paths.extend(write_figures(titled, folder))
    return tuple(paths)


def _bars(name: str, figure_name: str, rows: list[dict[str, Any]]) -> Figure:
    rows = [row for row in rows if figure_name in row["figures"]][::-1]
    figure = Figure(figsize=(8, 1.2 + 0.3 * len(rows)), layout="constrained")
    axes = figure.subplots()
    told = [row["figures"][figure_name] for row in rows]
    axes.barh(
        range(len(rows)),
        [one["mean"] for one in told],
        xerr=[math.nan if one["deviation"] is None else one["deviation"] for one in told],
        color=["tab:blue" if row["primary"] else "lightsteelblue" for row in rows],
        capsize=3,
    )
    axes.set_yticks(range(len(rows)), [f"{row['method']}: {row['score']}" for row in rows])
    title = f"{name}: {figure_name}, {_BARS[figure_name]}; lines: standard deviation over runs"
    axes.set_title(title, fontsize="medium")
    axes.set_xlim(left=0)
    axes.grid(axis="x", alpha=0.3)
    return figure


def _precision_recall(name: str, rows: list[dict[str, Any]]) -> Figure:
    figure = Figure(figsize=(8, 5.5), layout="constrained")
    axes = figure.subplots()
    for row in rows:
        label = f"{row['method']}: {row['score']}"
        axes.step(row["curve"]["recall"], row["curve"]["precision"], where="pre", label=label)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.01))
    axes.set_title(f"{name}: first score and first run of each method", fontsize="medium")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return figure
