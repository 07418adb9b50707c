"""Tables of the components of labelled frames, from the vehicle's own detector."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ood_perception.bundle import Bundle
from ood_perception.components import metric_names
from ood_perception.detector import Detector, NetworkOutput
from ood_perception.errors import OodError
from ood_training.grid_labels import grid_labels, unknown_objects
from ood_training.label_values import IGNORE_LABEL
from ood_training.meta.configuration import LabelRules, MetaConfiguration
from ood_training.meta.labelled_frames import LabelledFrame, LabelledFrames, configured_frames
from ood_training.meta.table import ComponentTable, TableOrigin, join_tables
from ood_training.metrics.overlap import prediction_overlap

OnProgress = Callable[[int, int], None]


def collect_components(
    bundle: Bundle,
    settings: MetaConfiguration,
    thresholds: Sequence[float],
    on_progress: OnProgress = lambda done, total: None,
) -> list[ComponentTable]:
    """One table for each threshold, of a configuration's frames with pasted objects.

    Raises OodError for missing data, and as ``component_tables``.
    """
    frames = configured_frames(settings)
    return component_tables(bundle, frames, thresholds, settings, on_progress)


def component_tables(
    bundle: Bundle,
    frames: LabelledFrames,
    thresholds: Sequence[float],
    rules: LabelRules | None = None,
    on_progress: OnProgress = lambda done, total: None,
) -> list[ComponentTable]:
    """One table for each threshold; the network runs once a frame.

    thresholds: in [0, 1], of the bundle's score; a cell at the threshold is anomalous (section 6).
    Components and metrics come from ``Detector``, the code that runs in the vehicle; labels are
    compared with them on its grid (section 7.1). Raises OodError for a threshold out of range, no
    frame, scores that are no numbers, and a file that cannot be read.
    """
    rules = rules or LabelRules()
    wrong = [threshold for threshold in thresholds if not 0 <= threshold <= 1]
    if wrong:
        raise OodError(f"threshold {wrong[0]} is out of range: scores lie between 0 and 1")
    detector = Detector(bundle.without_meta_classifier())
    parts: list[list[ComponentTable]] = [[] for _ in thresholds]
    for done, frame in enumerate(frames.read()):
        output = detector.run_network(frame.image)
        if not np.isfinite(output.score).all():
            raise OodError(f"{bundle.folder} gave scores that are no numbers on {frame.frame_id}")
        labels = grid_labels(frame.labels, output.letterbox, output.score.shape)
        for threshold, part in zip(thresholds, parts, strict=True):
            origin = _origin(bundle, threshold, frames.source, rules)
            part.append(_frame_table(detector, output, frame, labels, origin, rules))
        on_progress(done + 1, frames.count)
    if not all(parts):
        raise OodError(f"{frames.source}: no frame to collect components from")
    return [join_tables(part) for part in parts]


def _origin(bundle: Bundle, threshold: float, source: str, rules: LabelRules) -> TableOrigin:
    return TableOrigin(
        model_id=bundle.model_id,
        score=bundle.manifest.score.name,
        threshold=threshold,
        source=f"{source}{rules.in_words}",
        metric_names=metric_names(bundle.num_classes),
        network_sha256=bundle.manifest.network.sha256,
    )


def _frame_table(
    detector: Detector,
    output: NetworkOutput,
    frame: LabelledFrame,
    labels: NDArray[np.uint8],
    origin: TableOrigin,
    rules: LabelRules,
) -> ComponentTable:
    """The table of one frame. labels: (h, w) uint8 on the grid of the network's output."""
    mask = output.score >= origin.threshold
    if rules.roi == "labels":
        mask &= labels != IGNORE_LABEL
    measured = detector.measure(output, mask)
    pixels = measured.pixels
    objects = unknown_objects(labels)
    overlap = prediction_overlap(pixels, objects > 0)
    cells_seen = labels[pixels.rows, pixels.columns] != IGNORE_LABEL
    ignored = np.bincount(pixels.component[cells_seen], minlength=pixels.count) == 0
    too_little = overlap.common_pixels < rules.least_overlap * pixels.areas
    false_positive = overlap.false_positive | too_little
    pair_component, pair_object = _pairs(pixels.component, objects[pixels.rows, pixels.columns])
    # What covers too little of an object has not found it.
    found = ~false_positive[pair_component]
    object_count = int(objects.max())
    table = ComponentTable(
        origin=origin,
        metrics=np.asarray(measured.metrics.values, np.float64),
        false_positive=false_positive,
        iou=overlap.iou,
        ignored=ignored,
        frame=np.full(pixels.count, frame.frame_id),
        sequence=np.full(pixels.count, frame.sequence),
        area_cells=pixels.areas.astype(np.int64),
        object_frame=np.full(object_count, frame.frame_id),
        object_sequence=np.full(object_count, frame.sequence),
        object_area_cells=np.bincount(objects.ravel(), minlength=1)[1:].astype(np.int64),
        pair_component=pair_component[found],
        pair_object=pair_object[found],
    )
    return table.of_components(~ignored) if rules.ignored == "drop" else table


def _pairs(
    component: NDArray[np.int32], object_label: NDArray[np.int32]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Each component and object that share a cell, once; both (m,), from 0.

    component, object_label: (cells,), the object's label with 0 for none.
    """
    on_object = object_label > 0
    pairs = np.stack([component[on_object], object_label[on_object] - 1])
    unique = np.unique(pairs, axis=1).astype(np.intp)
    return unique[0], unique[1]
