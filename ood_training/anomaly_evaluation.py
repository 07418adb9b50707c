"""Measures any score source on any labelled data set, one frame in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.component_counts import count_components, no_component_counts
from ood_training.datasets.frames import FrameDataset
from ood_training.evaluation_components import TRACKS, OwnMaskComponents, ThresholdComponents
from ood_training.evaluation_protocols import Protocol, protocol_meters
from ood_training.label_values import IGNORE_LABEL, OOD_LABEL
from ood_training.metrics.pixel import ScoreHistogram
from ood_training.metrics.pixel_curve import (
    MetricBounds,
    PixelCurve,
    metric_bounds,
    pixel_metrics,
)
from ood_training.metrics.segmentation import class_ious, confusion_matrix, mean_iou
from ood_training.score_source import ScoredFrame, ScoreSource


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was measured.

    figures: as written to JSON. Pooled over all frames: ``AP``, ``FPR95``, ``AUROC`` (fractions;
        None without unknown objects), ``bound`` (lowest and highest value of each, None where they
        are exact), ``unknown_pixels``, ``known_pixels``, ``mIoU`` and ``class_IoU`` (where classes
        are labelled and predicted), ``smiyc`` or ``legacy100`` (by the protocol), ``smiyc_meta``
        (of a bundle's own masks without and with its meta classifier), ``components`` (of a
        bundle). ``per_image``: the same figures for each ``frame``.
    curve: pooled over all frames, None for a data set without unknown objects.
    """

    figures: dict[str, Any]
    curve: PixelCurve | None


def evaluate_scores(
    source: ScoreSource,
    dataset: FrameDataset,
    protocol: Protocol = "fishyscapes",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Pixel metrics pooled and per image, mIoU where classes are labelled, components of a bundle.

    SegmentMeIfYouCan's protocols need each frame twice: the threshold of their component metrics
    follows from all frames. The source scores again then, so that neither memory nor disk grows
    with the data set.

    Raises OodError for a data set without frames, with one kind of pixel only, or whose labels have
    another size than the scores, and what the source and the data set raise.
    """
    if len(dataset) == 0:
        raise OodError(f"{dataset.name}: no frames to evaluate")
    meters = _Meters(source, dataset, protocol)
    total = len(dataset) * (2 if protocol in TRACKS else 1)
    for done, frame in enumerate(_scored_frames(source, dataset), start=1):
        meters.add(*frame)
        on_progress(done, total)
    evaluation = meters.evaluation()
    if protocol in TRACKS:
        smiyc = evaluation.figures["smiyc"]
        components = ThresholdComponents(TRACKS[protocol], smiyc["best_f1_threshold"])
        for done, frame in enumerate(_scored_frames(source, dataset), start=len(dataset) + 1):
            components.add(frame.scored.score, frame.labels)
            on_progress(done, total)
        smiyc.update(components.figures())
    return evaluation


class _LabelledFrame(NamedTuple):
    frame_id: str
    scored: ScoredFrame
    labels: NDArray[np.uint8]


def _scored_frames(source: ScoreSource, dataset: FrameDataset) -> Iterator[_LabelledFrame]:
    for index in range(len(dataset)):
        if source.needs_image:
            image, labels = dataset.load(index)
        else:
            image, labels = None, dataset.load_labels(index)
        frame_id = dataset[index].frame_id
        yield _LabelledFrame(frame_id, source.score_frame(frame_id, image), labels)


class _Meters:
    """Everything that is counted over the frames."""

    def __init__(self, source: ScoreSource, dataset: FrameDataset, protocol: Protocol) -> None:
        self._dataset = dataset
        self._source = source
        label_map = dataset.label_map
        self._with_unknown = label_map.has_unknown
        self._with_classes = len(label_map.classes) > 1 and source.classes == label_map.classes
        if not (self._with_unknown or self._with_classes):
            raise OodError(
                f"{dataset.name}: only one kind of pixel: its labels have no unknown objects, and "
                "without predicted classes there is no mIoU either"
            )
        if protocol != "fishyscapes" and not self._with_unknown:
            raise OodError(f"{dataset.name} has no unknown objects to measure {protocol} on")
        self._protocol = protocol
        self._pooled = ScoreHistogram()
        self._protocol_meters = protocol_meters(protocol)
        count = label_map.num_classes
        self._confusion = np.zeros((count, count), np.int64)
        self._components: dict[str, int] | None = None
        with_own_masks = protocol in TRACKS and source.has_meta_classifier
        self._own_masks = OwnMaskComponents(TRACKS[protocol]) if with_own_masks else None
        self._per_image: list[dict[str, Any]] = []

    def add(self, frame_id: str, scored: ScoredFrame, labels: NDArray[np.uint8]) -> None:
        if scored.score.shape != labels.shape:
            raise OodError(
                f"frame {frame_id}: its score map has the shape {scored.score.shape}, its labels "
                f"{labels.shape}"
            )
        figures: dict[str, Any] = {"frame": frame_id}
        if self._with_unknown:
            try:
                figures.update(self._add_pixels(scored.score, labels))
            except OodError as error:
                raise OodError(f"frame {frame_id}: {error}") from error
        if self._with_classes:
            figures["mIoU"] = self._add_classes(scored.labels, labels)
        if scored.detection is not None and self._with_unknown:
            self._components = self._components or no_component_counts()
            count_components(self._components, scored.detection, labels)
            if self._own_masks is not None:
                self._own_masks.add(scored.detection, labels)
        self._per_image.append(figures)

    def _add_pixels(self, score: NDArray[Any], labels: NDArray[np.uint8]) -> dict[str, Any]:
        counted = labels != IGNORE_LABEL
        scores, unknown = score[counted], labels[counted] == OOD_LABEL
        image = ScoreHistogram()
        image.add(scores, unknown)
        self._pooled.merge(image)
        for meter in self._protocol_meters.values():
            meter.add(scores, unknown)
        count = int(unknown.sum())
        return {
            **_pixel_figures(image.curve()),
            "unknown_pixels": count,
            "known_pixels": int(unknown.size) - count,
        }

    def _add_classes(
        self, predicted: NDArray[np.uint8] | None, labels: NDArray[np.uint8]
    ) -> float | None:
        assert predicted is not None
        confusion = confusion_matrix(predicted, labels, len(self._confusion))
        self._confusion += confusion
        return _number(mean_iou(confusion))

    def evaluation(self) -> Evaluation:
        curve = self._pooled.curve() if self._with_unknown else None
        if curve is not None and not curve.has_both_kinds:
            raise OodError(
                f"{self._dataset.name}: only one kind of pixel is labelled in its "
                f"{len(self._per_image)} frames; pixel metrics need unknown and known ones"
            )
        figures: dict[str, Any] = {"AP": None, "FPR95": None, "AUROC": None, "bound": None}
        if curve is not None:
            figures.update(_pixel_figures(curve))
            figures["bound"] = _bound_figures(metric_bounds(curve))
            figures["unknown_pixels"] = int(curve.found[-1])
            figures["known_pixels"] = int(curve.false[-1])
        figures["mIoU"] = _number(mean_iou(self._confusion)) if self._with_classes else None
        if self._with_classes:
            ious = class_ious(self._confusion)
            names = self._dataset.label_map.classes
            figures["class_IoU"] = {n: _number(iou) for n, iou in zip(names, ious, strict=True)}
        for name, meter in self._protocol_meters.items():
            figures[name] = meter.figures()
        if self._own_masks is not None:
            figures["smiyc_meta"] = self._own_masks.figures()
        if self._components is not None:
            figures["components"] = self._components
        figures["per_image"] = self._per_image
        return Evaluation(figures, curve)


def _pixel_figures(curve: PixelCurve) -> dict[str, float | None]:
    """AP, FPR95 and AUROC; None each where one kind of pixel is missing."""
    if not curve.has_both_kinds:
        return {"AP": None, "FPR95": None, "AUROC": None}
    return {**pixel_metrics(curve).named()}


def _bound_figures(bounds: MetricBounds | None) -> dict[str, list[float]] | None:
    if bounds is None:
        return None
    return {
        "AP": list(bounds.average_precision),
        "FPR95": list(bounds.fpr95),
        "AUROC": list(bounds.auroc),
    }


def _number(value: float) -> float | None:
    """JSON knows no NaN."""
    return None if np.isnan(value) else float(value)
