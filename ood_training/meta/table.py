"""The table that meta classifiers learn from: a row a component, and the objects they hit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError


@dataclass(frozen=True, eq=False)
class TableOrigin:
    """What a table was made of; a classifier carries it on.

    model_id: of the bundle. score, threshold: which cells were anomalous. source: the data set in
    words. metric_names: the M columns in their fixed order. network_sha256: of the bundle's network
    file; it stays when a meta classifier is written into the bundle, while the model_id changes.
    """

    model_id: str
    score: str
    threshold: float
    source: str
    metric_names: tuple[str, ...]
    network_sha256: str = ""

    @property
    def network(self) -> str:
        """What tells one network from another: the file's hash, or the bundle where unknown."""
        return self.network_sha256 or self.model_id


@dataclass(frozen=True, eq=False)
class ComponentTable:
    """The n components of all frames, and the k unknown objects in them.

    metrics: (n, M) float64.
    false_positive: (n,) bool, no common cell with an unknown object (spec section 7.1), or fewer
        than the table's least overlap.
    iou: (n,) float64 in [0, 1], adjusted intersection over union.
    ignored: (n,) bool, wholly on cells that the labels ignore.
    frame, sequence: (n,) str, ids of a component's frame and its sequence (the frame itself where
        the data set has no sequences).
    area_cells: (n,) int64.
    object_frame, object_sequence: (k,) str.
    object_area_cells: (k,) int64.
    pair_component, pair_object: (m,) intp, a component and an object that share a cell, once each;
        false positives of a least overlap have none.
    """

    origin: TableOrigin
    metrics: NDArray[np.float64]
    false_positive: NDArray[np.bool_]
    iou: NDArray[np.float64]
    ignored: NDArray[np.bool_]
    frame: NDArray[np.str_]
    sequence: NDArray[np.str_]
    area_cells: NDArray[np.int64]
    object_frame: NDArray[np.str_]
    object_sequence: NDArray[np.str_]
    object_area_cells: NDArray[np.int64]
    pair_component: NDArray[np.intp]
    pair_object: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.false_positive)

    @property
    def objects(self) -> int:
        """Number of unknown objects."""
        return len(self.object_frame)

    def hit(self, kept: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
        """(k,) bool: objects that share a cell with a component, or with a kept one ((n,) bool)."""
        chosen = slice(None) if kept is None else kept[self.pair_component]
        result = np.zeros(self.objects, np.bool_)
        result[self.pair_object[chosen]] = True
        return result

    def lowest_by_object(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(k,) float64: the lowest of the values of each object's components, inf where not hit."""
        lowest = np.full(self.objects, np.inf)
        np.minimum.at(lowest, self.pair_object, values[self.pair_component])
        return lowest

    def of_sequences(self, names: NDArray[np.str_]) -> ComponentTable:
        """Components and objects of these sequences alone."""
        return self._rows(np.isin(self.sequence, names), np.isin(self.object_sequence, names))

    def of_components(self, rows: NDArray[np.bool_]) -> ComponentTable:
        """These components alone ((n,) bool), with all objects."""
        return self._rows(rows, np.ones(self.objects, np.bool_))

    def _rows(self, rows: NDArray[np.bool_], objects: NDArray[np.bool_]) -> ComponentTable:
        pairs = rows[self.pair_component] & objects[self.pair_object]
        return ComponentTable(
            origin=self.origin,
            metrics=self.metrics[rows],
            false_positive=self.false_positive[rows],
            iou=self.iou[rows],
            ignored=self.ignored[rows],
            frame=self.frame[rows],
            sequence=self.sequence[rows],
            area_cells=self.area_cells[rows],
            object_frame=self.object_frame[objects],
            object_sequence=self.object_sequence[objects],
            object_area_cells=self.object_area_cells[objects],
            pair_component=(np.cumsum(rows) - 1)[self.pair_component[pairs]],
            pair_object=(np.cumsum(objects) - 1)[self.pair_object[pairs]],
        )


def join_tables(tables: list[ComponentTable]) -> ComponentTable:
    """All rows and objects in order. Raises OodError for none, and for other metrics or bundles."""
    if not tables:
        raise OodError("no table of components given")
    first = tables[0].origin
    for other in tables[1:]:
        same = (other.origin.network, other.origin.score, other.origin.threshold)
        if same != (first.network, first.score, first.threshold):
            raise OodError(
                f"tables of two bundles or thresholds cannot be joined: {first.model_id} at "
                f"{first.score} {first.threshold}, {other.origin.model_id} at "
                f"{other.origin.score} {other.origin.threshold}; build both with one bundle"
            )
    rows = np.cumsum([0] + [len(table) for table in tables])
    objects = np.cumsum([0] + [table.objects for table in tables])
    sources = ", ".join(dict.fromkeys(table.origin.source for table in tables))
    return ComponentTable(
        origin=replace(first, source=sources),
        metrics=np.concatenate([t.metrics for t in tables]),
        false_positive=np.concatenate([t.false_positive for t in tables]),
        iou=np.concatenate([t.iou for t in tables]),
        ignored=np.concatenate([t.ignored for t in tables]),
        frame=np.concatenate([t.frame for t in tables]),
        sequence=np.concatenate([t.sequence for t in tables]),
        area_cells=np.concatenate([t.area_cells for t in tables]),
        object_frame=np.concatenate([t.object_frame for t in tables]),
        object_sequence=np.concatenate([t.object_sequence for t in tables]),
        object_area_cells=np.concatenate([t.object_area_cells for t in tables]),
        pair_component=np.concatenate([t.pair_component + rows[i] for i, t in enumerate(tables)]),
        pair_object=np.concatenate([t.pair_object + objects[i] for i, t in enumerate(tables)]),
    )
