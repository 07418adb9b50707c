"""Plots of an evaluation: ROC, precision and recall, and the scores of both kinds of pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ood_training.figure_files import write_figures
from ood_training.metrics.pixel_curve import (
    PixelCurve,
    PixelMetrics,
    pixel_metrics,
    spread_points,
)

_POINTS, _BINS = 4000, 100


def draw_plots(curve: PixelCurve, folder: Path, title: str) -> tuple[Path, ...]:
    """Write ``roc.png``, ``precision_recall.png`` and ``scores.png`` into a folder.

    Raises OodError when a file cannot be written or one kind of pixels is missing.
    """
    metrics = pixel_metrics(curve)
    figures = {
        "roc": _roc(curve, metrics, title),
        "precision_recall": _precision_recall(curve, metrics, title),
        "scores": _scores(curve, title),
    }
    return write_figures(figures, folder)


def _roc(curve: PixelCurve, metrics: PixelMetrics, title: str) -> Figure:
    figure, shown = Figure(figsize=(6, 5), layout="constrained"), spread_points(curve, _POINTS)
    axes = figure.subplots()
    axes.plot(
        np.append(0, curve.false[shown] / curve.false[-1]),
        np.append(0, curve.found[shown] / curve.found[-1]),
        label=f"AUROC {metrics.auroc:.4f}",
    )
    axes.plot([metrics.fpr95], [0.95], "o", label=f"FPR95 {metrics.fpr95:.4f}")
    axes.set(xlabel="false-positive rate", ylabel="true-positive rate", title=title)
    axes.set(xlim=(0, 1), ylim=(0, 1.01))
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def _precision_recall(curve: PixelCurve, metrics: PixelMetrics, title: str) -> Figure:
    figure, shown = Figure(figsize=(6, 5), layout="constrained"), spread_points(curve, _POINTS)
    axes = figure.subplots()
    axes.step(
        curve.found[shown] / curve.found[-1],
        curve.found[shown] / (curve.found + curve.false)[shown],
        where="pre",
        label=f"AP {metrics.average_precision:.4f}",
    )
    chance = metrics.unknown_pixels / (metrics.unknown_pixels + metrics.known_pixels)
    axes.axhline(chance, linestyle=":", color="grey", label=f"chance {chance:.4f}")
    axes.set(xlabel="recall", ylabel="precision", title=title, xlim=(0, 1), ylim=(0, 1.01))
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def _scores(curve: PixelCurve, title: str) -> Figure:
    """Share of each kind's pixels by score; infinite scores are left out of the picture."""
    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.subplots()
    finite = np.isfinite(curve.thresholds)
    scores = curve.thresholds[finite]
    edges = np.histogram_bin_edges(scores, _BINS)
    for name, passed in (("known", curve.false), ("unknown", curve.found)):
        weights = np.diff(passed, prepend=0)[finite] / passed[-1]
        axes.stairs(np.histogram(scores, edges, weights=weights)[0], edges, label=name)
    axes.set(xlabel="anomaly score", ylabel="share of the pixels", title=title, yscale="log")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure
