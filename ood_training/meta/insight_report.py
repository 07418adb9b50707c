"""All that `ood meta explain` finds out about a table, as plain numbers, tables and plots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_perception.metric_words import metric_words
from ood_training.meta.contract import Fold, MetaFamily
from ood_training.meta.explanation import (
    Explanation,
    explain,
    importance,
    judge_out_of_fold,
    most_mistaken,
)
from ood_training.meta.insight import (
    QualityByCount,
    metric_counts,
    quality_by_count,
    rank_in_folds,
)
from ood_training.meta.insight_plots import (
    draw_curves,
    draw_importance,
    draw_paths,
    draw_quality,
)
from ood_training.meta.ranking import Ranking, rank_metrics
from ood_training.meta.table import ComponentTable

Progress = Callable[[int, int | None], None]
_SHOWN_IMPORTANT = 20


@dataclass(frozen=True, eq=False)
class KindInsight:
    """What one kind of classifier goes by.

    importance: (M,) mean |contribution| of the classifier fitted on all rows, in log-odds.
    contributions: (n, M) of that classifier. decisions: explained out of fold.
    """

    kind: str
    quality: QualityByCount
    importance: NDArray[np.float64]
    contributions: NDArray[np.float64]
    decisions: tuple[Explanation, ...]


@dataclass(frozen=True, eq=False)
class Insight:
    """words: (M) metrics in plain words. ranking: of all rows, to look at; quality is measured with
    those of the folds. fold_places: (folds, M) int, each metric's place in each fold, from 1."""

    table: ComponentTable
    words: tuple[str, ...]
    folds: str
    ranking: Ranking
    fold_places: NDArray[np.intp]
    kinds: tuple[KindInsight, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; probabilities and contributions speak of "false positive"."""
        return {
            "source": self.table.origin.source,
            "model": self.table.origin.model_id,
            "components": len(self.table),
            "false_positives": int(self.table.false_positive.sum()),
            "folds": self.folds,
            "ranking": [self._ranked(place) for place in range(len(self.ranking.order))],
            "kinds": [self._kind(found) for found in self.kinds],
        }

    def _ranked(self, place: int) -> dict[str, Any]:
        metric = int(self.ranking.order[place])
        places = self.fold_places[:, metric]
        total, entered = len(self.ranking.order), self.ranking.entered
        contained = "contained in others" if place < total - self.ranking.constant else "constant"
        return {
            "place": place + 1,
            "metric": self.table.origin.metric_names[metric],
            "words": self.words[metric],
            "state": "entered" if place < entered else contained,
            "fold_places": [int(places.min()), float(np.median(places)), int(places.max())],
        }

    def _kind(self, found: KindInsight) -> dict[str, Any]:
        names = self.table.origin.metric_names
        order = np.argsort(-found.importance, kind="stable")
        return {
            "kind": found.kind,
            "quality": found.quality.to_json(),
            "importance": [
                {
                    "metric": names[i],
                    "words": self.words[i],
                    "mean_absolute_contribution": round(float(found.importance[i]), 4),
                }
                for i in order[:_SHOWN_IMPORTANT]
            ],
            "decisions": [decision.to_json() for decision in found.decisions],
        }


def gain_insight(
    families: Sequence[MetaFamily],
    table: ComponentTable,
    folds: Sequence[Fold],
    folds_in_words: str,
    class_names: Sequence[str] = (),
    components: int = 10,
    seed: int = 0,
    progress: Callable[[str], Progress] = lambda _: lambda done, total: None,
) -> Insight:
    """Rank the metrics, measure how many are needed, and explain decisions.

    components: how many single decisions to explain, the most confident mistakes first, each by the
    classifier of the fold that had not seen it. progress: gives a bar for a line of text.
    Raises OodError as `rank_metrics` and the families do.
    """
    ranking = rank_metrics(table.metrics, table.false_positive)
    rankings = rank_in_folds(table, folds)
    counts = metric_counts(table.metrics.shape[1])
    kinds = []
    for family in families:
        bar = progress(f"{family.kind}: number of metrics")
        quality = quality_by_count(family, table, folds, rankings, counts, seed, bar)
        model = family.fit(table.metrics, table.false_positive, seed)
        decisions: tuple[Explanation, ...] = ()
        if components > 0:
            bar = progress(f"{family.kind}: decisions")
            judged = judge_out_of_fold(family, table, folds, seed, bar)
            rows = most_mistaken(judged.probability, table.false_positive, components)
            decisions = tuple(explain(table, judged, int(row)) for row in rows)
        kinds.append(
            KindInsight(
                family.kind,
                quality,
                importance(model, table.metrics),
                model.contributions(table.metrics),
                decisions,
            )
        )
    words = tuple(metric_words(name, class_names) for name in table.origin.metric_names)
    places = np.array([np.argsort(one.order) + 1 for one in rankings], np.intp)
    return Insight(table, words, folds_in_words, ranking, places, tuple(kinds))


def draw_insight(insight: Insight, folder: Path) -> tuple[Path, ...]:
    """Write ``lars_paths.png``, ``quality_by_count.png``, and for each kind ``importance_KIND.png``
    and ``curves_KIND.png``; returns their paths. Raises OodError when a file cannot be written."""
    table, words = insight.table, insight.words
    names = [f"{name}: {word}" for name, word in zip(table.origin.metric_names, words, strict=True)]
    paths = [folder / "lars_paths.png", folder / "quality_by_count.png"]
    draw_paths(insight.ranking, names, paths[0], f"least-angle regression, {table.origin.source}")
    draw_quality(
        [found.quality for found in insight.kinds],
        len(table),
        int(table.false_positive.sum()),
        paths[1],
    )
    for found in insight.kinds:
        file_name = found.kind.replace(":", "_")
        paths += [folder / f"importance_{file_name}.png", folder / f"curves_{file_name}.png"]
        draw_importance(found.importance, names, paths[-2], found.kind)
        draw_curves(
            table.metrics,
            found.contributions,
            table.false_positive,
            names,
            paths[-1],
            found.kind,
        )
    return tuple(paths)
