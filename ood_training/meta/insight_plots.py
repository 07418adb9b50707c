"""Plots of what tells false positives apart: paths, quality by number of metrics, curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ood_training.figure_files import write_figure
from ood_training.meta.insight import QualityByCount
from ood_training.meta.ranking import Ranking

PATHS = 10
_BARS, _CURVES, _CURVE_COLUMNS = 20, 9, 3
# The path's end is a long tail of small steps; it is drawn until so many metrics have entered.
_DRAWN_STEPS = 30


def draw_paths(ranking: Ranking, names: Sequence[str], path: Path, title: str) -> None:
    """The least-angle-regression paths of the ten metrics that entered first (Figure 5.6).

    Raises OodError when the file cannot be written, as all functions here do.
    """
    figure, axes = _figure(title, "sum of absolute coefficients", "coefficient")
    norm, steps = ranking.l1_norm, min(ranking.coefficients.shape[1], _DRAWN_STEPS + 1)
    for place, metric in enumerate(ranking.order[: min(PATHS, ranking.entered)]):
        axes.plot(
            norm[:steps],
            ranking.coefficients[metric, :steps],
            color=f"C{place}",
            label=f"{place + 1}. {names[metric]}",
        )
    for entry in norm[1 : min(steps, PATHS + 1)]:
        axes.axvline(entry, color="grey", linewidth=0.4, alpha=0.5)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    write_figure(figure, path)


def draw_quality(
    qualities: Sequence[QualityByCount], components: int, false_positives: int, path: Path
) -> None:
    """AUROC and average precision against the number of best-ranked metrics (Figure 5.7)."""
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for quality in qualities:
        (line,) = left.plot(quality.counts, quality.auroc, ".-", label=quality.kind)
        right.plot(quality.counts, quality.average_precision, ".-", color=line.get_color())
        best = float(quality.average_precision.max())
        right.axhspan(best - quality.tolerance, best, color=line.get_color(), alpha=0.1)
        at = int(np.flatnonzero(quality.counts == quality.enough)[0])
        right.plot(
            [quality.enough],
            [quality.average_precision[at]],
            "o",
            color=line.get_color(),
            markersize=9,
            fillstyle="none",
            label=f"{quality.kind}: {quality.enough} within the tolerance",
        )
    share = false_positives / components
    right.axhline(share, linestyle=":", color="grey", label=f"chance {share:.3f}")
    for axes, name in ((left, "AUROC"), (right, "average precision")):
        axes.set(xlabel="best-ranked metrics", ylabel=name)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.suptitle(f"out of fold, ranked in each fold; {components} components")
    write_figure(figure, path)


def draw_importance(
    importance: NDArray[np.float64], names: Sequence[str], path: Path, title: str
) -> None:
    """(M,) mean |contribution| as bars, the greatest first."""
    order = np.argsort(-importance, kind="stable")[:_BARS][::-1]
    figure, axes = _figure(title, "mean |contribution| in log-odds", "")
    axes.barh(np.arange(len(order)), importance[order])
    axes.set_yticks(np.arange(len(order)), [names[i] for i in order], fontsize=8)
    write_figure(figure, path)


def draw_curves(
    metrics: NDArray[np.float64],
    contributions: NDArray[np.float64],
    false_positive: NDArray[np.bool_],
    names: Sequence[str],
    path: Path,
    title: str,
) -> None:
    """What each of the nine weightiest metrics adds to the log-odds, against its value.

    For linear and additive models the points lie on the very curve by which the model decides; for
    a network their spread shows how far the other metrics have a say.
    """
    order = np.argsort(-np.abs(contributions).mean(axis=0), kind="stable")[:_CURVES]
    rows = -(-len(order) // _CURVE_COLUMNS)
    figure = Figure(figsize=(11, 3.2 * rows), layout="constrained")
    grid = figure.subplots(rows, _CURVE_COLUMNS, squeeze=False).ravel()
    for axes in grid[len(order) :]:
        axes.set_axis_off()
    for axes, metric in zip(grid[: len(order)], order, strict=True):
        for kind, chosen in (("false positives", false_positive), ("hits", ~false_positive)):
            points = metrics[chosen, metric], contributions[chosen, metric]
            axes.plot(*points, ".", markersize=3, alpha=0.5, label=kind, rasterized=True)
        # Counts reach over decades; a few giants would press all others into one place.
        values = metrics[:, metric]
        if values.min() >= 0 and values.max() > 50 * max(float(np.median(values)), 1.0):
            axes.set_xscale("symlog", linthresh=1.0)
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set_xlabel(names[metric], fontsize=8)
        axes.grid(alpha=0.3)
    grid[0].legend(fontsize=8)
    figure.supylabel("part in the log-odds of false positive")
    figure.suptitle(title)
    write_figure(figure, path)


def _figure(title: str, across: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=across, ylabel=up)
    axes.grid(alpha=0.3)
    return figure, axes
