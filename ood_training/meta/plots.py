"""Plots of meta classifiers side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from ood_training.figure_files import write_figures
from ood_training.meta.confidence import clopper_pearson
from ood_training.meta.figures import (
    decision_figures,
    probability_figures,
    reliability_points,
    trade_off,
)
from ood_training.meta.table import ComponentTable
from ood_training.meta.validation import Validation

_BINS = 40
_WIDTH_PERCENT = 20.0
"""Objects newly missed that the trade-off shows at least."""


def draw_plots(
    table: ComponentTable, validations: Sequence[Validation], folder: Path, title: str
) -> tuple[Path, ...]:
    """Write reliability, ROC, precision and recall, probabilities and the trade-off as PNG files.

    Returns their paths. Raises OodError when a file cannot be written.
    """
    figures = {
        "reliability": _reliability(table, validations, title),
        "roc": _roc(table, validations, title),
        "precision_recall": _precision_recall(table, validations, title),
        "probabilities": _probabilities(table, validations, title),
        "trade_off": _trade_off(table, validations, title),
    }
    return write_figures(figures, folder)


def _figure(title: str, across: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.5, 5), layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=across, ylabel=up)
    axes.grid(alpha=0.3)
    return figure, axes


def _reliability(table: ComponentTable, validations: Sequence[Validation], title: str) -> Figure:
    """What was promised against what came of it, with exact intervals."""
    figure, axes = _figure(title, "P(false positive), mean of a bin", "share of false positives")
    axes.plot([0, 1], [0, 1], ":", color="grey", label="calibrated")
    for validation in validations:
        points = reliability_points(table.false_positive, validation.probability)
        share = np.array([point.false_positive_share for point in points])
        bounds = [
            clopper_pearson(round(point.false_positive_share * point.components), point.components)
            for point in points
        ]
        low = np.array([bound.low for bound in bounds if bound is not None])
        high = np.array([bound.high for bound in bounds if bound is not None])
        error = probability_figures(table.false_positive, validation.probability)
        axes.errorbar(
            [point.mean_probability for point in points],
            share,
            np.maximum([share - low, high - share], 0),
            marker="o",
            capsize=2,
            label=f"{validation.kind}, ECE {error.expected_calibration_error:.3f}",
        )
    axes.legend()
    return figure


def _roc(table: ComponentTable, validations: Sequence[Validation], title: str) -> Figure:
    figure, axes = _figure(title, "share of true positives removed", "share of false ones removed")
    for validation in validations:
        across, up, _ = roc_curve(table.false_positive, validation.probability)
        auroc = probability_figures(table.false_positive, validation.probability).auroc
        axes.plot(across, up, label=f"{validation.kind}, AUROC {auroc:.4f}")
    axes.legend()
    return figure


def _precision_recall(
    table: ComponentTable, validations: Sequence[Validation], title: str
) -> Figure:
    figure, axes = _figure(title, "recall of false positives", "precision")
    for validation in validations:
        up, across, _ = precision_recall_curve(table.false_positive, validation.probability)
        found = probability_figures(table.false_positive, validation.probability)
        axes.step(
            across,
            up,
            where="post",
            label=f"{validation.kind}, AP {found.average_precision:.4f}",
        )
    chance = float(table.false_positive.mean())
    axes.axhline(chance, linestyle=":", color="grey", label=f"chance {chance:.4f}")
    axes.set(ylim=(0, 1.01))
    axes.legend()
    return figure


def _probabilities(table: ComponentTable, validations: Sequence[Validation], title: str) -> Figure:
    """Both kinds of components by probability, a panel a classifier."""
    figure = Figure(figsize=(6.5, 2.6 * len(validations)), layout="constrained")
    panels = figure.subplots(len(validations), squeeze=False, sharex=True)[:, 0]
    edges = np.linspace(0, 1, _BINS + 1)
    for axes, validation in zip(panels, validations, strict=True):
        for name, rows in (("true", ~table.false_positive), ("false", table.false_positive)):
            counts = np.histogram(validation.probability[rows], edges)[0]
            axes.stairs(counts, edges, label=f"{name} positives")
        axes.set(ylabel="components", title=validation.kind)
        axes.grid(alpha=0.3)
        axes.legend()
    panels[-1].set(xlabel="P(false positive)")
    figure.suptitle(title)
    return figure


def _trade_off(table: ComponentTable, validations: Sequence[Validation], title: str) -> Figure:
    """False positives removed against objects newly missed, over one decision for all folds."""
    figure, axes = _figure(title, "objects newly missed, % of those hit", "false positives gone, %")
    widest = _WIDTH_PERCENT
    for validation in validations:
        curve = trade_off(table, validation.probability)
        at = decision_figures(table, validation.removed)
        positives = at.false_positives_kept + at.false_positives_removed
        across = 100 / max(at.objects_hit, 1)
        up = 100 / positives
        (line,) = axes.step(
            curve.objects_newly_missed * across,
            curve.false_positives_removed * up,
            where="post",
            label=validation.kind,
        )
        widest = max(widest, 1.1 * at.objects_newly_missed * across)
        axes.plot(
            at.objects_newly_missed * across,
            at.false_positives_removed * up,
            "o",
            color=line.get_color(),
        )
    axes.set(xlim=(-0.5, widest), ylim=(0, 101))
    axes.legend(title="point: at the decision")
    return figure
