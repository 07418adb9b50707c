"""A random table of components, objects and their pairs that a meta classifier can learn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ood_perception.components import metric_names
from ood_training.meta.contract import Fold
from ood_training.meta.table import ComponentTable, TableOrigin

FRAMES_OF_A_SEQUENCE = 4
OBJECTS_OF_A_FRAME = 2
TRUE_POSITIVE_SHARE = 0.4
IGNORED_SHARE = 0.05


def example_table(
    rng: Generator,
    components: int = 200,
    sequences: int = 8,
    classes: int = 3,
    model_id: str = "example-model",
    source: str = "example",
) -> ComponentTable:
    """Components whose false positives differ in `E`, in `D` times `V` (not linear) and in size.

    Four frames a sequence, two objects a frame, hit by none, one or more components; some
    components touch both objects. Metric names are those of `ood_perception.components`.
    """
    names = metric_names(classes)
    frames = np.array(
        [f"{s:03d}/{f:02d}" for s in range(sequences) for f in range(FRAMES_OF_A_SEQUENCE)]
    )
    # The first components go through the sequences in turn, so that none is without one.
    frame_index = rng.integers(0, len(frames), components)
    first = min(components, sequences)
    frame_index[:first] = np.arange(first) * FRAMES_OF_A_SEQUENCE
    false_positive = rng.random(components) >= TRUE_POSITIVE_SHARE
    false_positive[: min(components, 2)] = (True, False)[: min(components, 2)]
    area_cells = rng.integers(1, np.where(false_positive, 40, 90))
    pair_component, pair_object = _pairs(rng, false_positive, frame_index)
    object_frame = np.repeat(frames, OBJECTS_OF_A_FRAME)
    return ComponentTable(
        origin=TableOrigin(model_id, "entropy", 0.7, source, names),
        metrics=_metrics(rng, names, false_positive, area_cells),
        false_positive=false_positive,
        iou=np.where(false_positive, 0.0, rng.uniform(0.01, 1.0, components)),
        ignored=false_positive & (rng.random(components) < IGNORED_SHARE),
        frame=frames[frame_index],
        sequence=_sequence_of(frames[frame_index]),
        area_cells=area_cells.astype(np.int64),
        object_frame=object_frame,
        object_sequence=_sequence_of(object_frame),
        object_area_cells=rng.integers(5, 120, len(object_frame)).astype(np.int64),
        pair_component=pair_component,
        pair_object=pair_object,
    )


def _sequence_of(frames: NDArray[np.str_]) -> NDArray[np.str_]:
    return np.array([str(frame).split("/")[0] for frame in frames], dtype=np.str_)


def _pairs(
    rng: Generator, false_positive: NDArray[np.bool_], frame_index: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Every true positive touches one object of its frame, a tenth of them both."""
    true_positives = np.flatnonzero(~false_positive)
    place = rng.integers(0, OBJECTS_OF_A_FRAME, len(true_positives))
    both = rng.random(len(true_positives)) < 0.1
    component = np.concatenate([true_positives, true_positives[both]])
    place = np.concatenate([place, (place[both] + 1) % OBJECTS_OF_A_FRAME])
    objects = frame_index[component] * OBJECTS_OF_A_FRAME + place
    return component.astype(np.intp), objects.astype(np.intp)


def _metrics(
    rng: Generator,
    names: tuple[str, ...],
    false_positive: NDArray[np.bool_],
    area_cells: NDArray[np.int64],
) -> NDArray[np.float64]:
    metrics = rng.uniform(0.0, 1.0, (len(false_positive), len(names)))
    sign = np.where(false_positive, -1.0, 1.0)
    column = {name: index for index, name in enumerate(names)}
    metrics[:, column["E"]] = 0.5 + 0.1 * sign + rng.normal(0.0, 0.1, len(sign))
    # The product of D and V about their middles tells the two apart: only a curved model sees it.
    d = rng.uniform(-0.5, 0.5, len(sign))
    metrics[:, column["D"]] = 0.5 + d
    metrics[:, column["V"]] = 0.5 + sign * np.sign(d) * 0.3 + rng.normal(0.0, 0.15, len(sign))
    metrics[:, column["S"]] = area_cells
    return metrics


def tiny_table() -> ComponentTable:
    """Seven components, three of them false positives, and four objects to count by hand.

    Object 0 is touched by components 0 and 1, object 1 by 2, object 2 by 3 and by 0 of the same
    image, object 3 by none; 4, 5 and 6 are false positives. Two sequences.
    """
    false_positive = np.array([False] * 4 + [True] * 3)
    frame = np.array(["a/0", "a/0", "a/1", "a/0", "b/0", "b/0", "b/1"])
    object_frame = np.array(["a/0", "a/1", "a/0", "b/1"])
    return ComponentTable(
        origin=TableOrigin("tiny", "entropy", 0.7, "tiny", metric_names(2)),
        metrics=np.arange(7 * len(metric_names(2)), dtype=np.float64).reshape(7, -1),
        false_positive=false_positive,
        iou=np.where(false_positive, 0.0, 0.5),
        ignored=np.zeros(7, np.bool_),
        frame=frame,
        sequence=_sequence_of(frame),
        area_cells=np.full(7, 4, np.int64),
        object_frame=object_frame,
        object_sequence=_sequence_of(object_frame),
        object_area_cells=np.full(4, 9, np.int64),
        pair_component=np.array([0, 1, 2, 3, 0], np.intp),
        pair_object=np.array([0, 0, 1, 2, 2], np.intp),
    )


class ExampleFamily:
    """Logistic regression by scikit-learn as a family, apart from the project's own."""

    kind = "example"

    def fit(
        self, metrics: NDArray[np.float64], false_positive: NDArray[np.bool_], seed: int = 0
    ) -> Any:
        return _ExampleModel(make_pipeline(StandardScaler(), LogisticRegression())).fit(
            metrics, false_positive
        )

    def fit_folds(
        self,
        metrics: NDArray[np.float64],
        false_positive: NDArray[np.bool_],
        folds: Sequence[Fold],
        seed: int = 0,
        on_progress: Any = None,
    ) -> NDArray[np.float64]:
        probability = np.full(len(metrics), np.nan)
        for train, test in folds:
            model = self.fit(metrics[train], false_positive[train], seed)
            probability[test] = model.false_positive_probability(metrics[test])
        return probability


class _ExampleModel:
    def __init__(self, model: Any) -> None:
        self._model = model

    def fit(self, metrics: NDArray[np.float64], labels: NDArray[np.bool_]) -> _ExampleModel:
        self._model.fit(metrics, labels)
        return self

    def false_positive_probability(self, metrics: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(self._model.predict_proba(metrics)[:, 1])
