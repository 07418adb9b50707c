"""Insight as tables on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from ood_perception.metric_words import metric_value_words
from ood_training.meta.explanation import Explanation
from ood_training.meta.insight_report import Insight, KindInsight

_RANKED, _IMPORTANT = 21, 10
# Of the counts, these are shown; all stand in the JSON and in the plot.
_SHOWN_COUNTS = (1, 2, 3, 5, 8, 13, 21, 30, 45)


def show_insight(insight: Insight, console: Console | None = None) -> None:
    """Print the ranking, quality by number of metrics, weights and single decisions."""
    console = console or Console()
    console.print(_ranking(insight))
    console.print(_quality(insight))
    console.print(insight.folds, style="dim")
    for found in insight.kinds:
        console.print(_importance(insight, found))
        words = dict(zip(insight.table.origin.metric_names, insight.words, strict=True))
        if found.decisions:
            console.print(_decisions(found, words))


def _table(title: str, left: Sequence[str], right: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in left:
        table.add_column(name, overflow="fold")
    for name in right:
        table.add_column(name, justify="right")
    return table


def _ranking(insight: Insight) -> Table:
    total, ranking = len(insight.words), insight.ranking
    table = _table(
        f"least-angle regression: {ranking.entered} of {total} metrics enter, "
        f"{ranking.constant} are constant",
        ("place", "metric", "in words"),
        ("places in the folds",),
    )
    for place in range(min(_RANKED, ranking.entered)):
        metric = ranking.order[place]
        places = insight.fold_places[:, metric]
        table.add_row(
            str(place + 1),
            insight.table.origin.metric_names[metric],
            insight.words[metric],
            f"{places.min()} to {places.max()}, median {np.median(places):g}",
        )
    return table


def _quality(insight: Insight) -> Table:
    table = _table(
        "quality on the best-ranked metrics: AUROC / average precision",
        ("kind",),
        ("metrics", "AUROC", "AP", ""),
    )
    for found in insight.kinds:
        quality = found.quality
        shown = {*_SHOWN_COUNTS, quality.enough, int(quality.counts[-1])}
        for at, count in enumerate(quality.counts):
            if int(count) not in shown:
                continue
            table.add_row(
                found.kind,
                str(count),
                f"{quality.auroc[at]:.4f}",
                f"{quality.average_precision[at]:.4f}",
                f"within {quality.tolerance:.4f} of the best" if count == quality.enough else "",
            )
        table.add_section()
    return table


def _importance(insight: Insight, found: KindInsight) -> Table:
    table = _table(f"{found.kind}: weight of metrics", ("metric", "in words"), ("mean |part|",))
    for metric in np.argsort(-found.importance, kind="stable")[:_IMPORTANT]:
        table.add_row(
            insight.table.origin.metric_names[metric],
            insight.words[metric],
            f"{found.importance[metric]:.3f}",
        )
    return table


def _decisions(found: KindInsight, words: dict[str, str]) -> Table:
    table = _table(
        f"{found.kind}: decisions on components it had not seen, most confident mistakes first; "
        "parts in log-odds of false positive",
        ("component", "reasons"),
        (),
    )
    for one in found.decisions:
        truth = "false positive" if one.false_positive else "hit"
        said = f"{truth}, {one.area_cells} cells\nP(false positive) {one.probability:.4f}"
        table.add_row(f"{one.frame}\n{said}", _reasons(one, words), end_section=True)
    return table


def _reasons(one: Explanation, words: dict[str, str]) -> str:
    parts = [
        f"{reason.contribution:+.2f} {words[reason.metric]} "
        f"{metric_value_words(reason.metric, reason.value)}"
        for reason in one.reasons
    ]
    return "\n".join([*parts, f"{one.others:+.2f} others, {one.start:+.2f} at the start"])
