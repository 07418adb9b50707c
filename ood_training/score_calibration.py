"""Fits what a score needs beside its formula: statistics, its range, and the threshold.

Statistics are of known pixels of training frames; range and threshold of frames that show unknown
objects which the training never saw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_perception.manifest import (
    BOUNDED_SCORES,
    LogitStatisticsSpec,
    ScoreName,
    ScoreSpec,
    UnitRangeSpec,
)
from ood_perception.scores import to_unit_range
from ood_training.deployed_score import DeployedScore
from ood_training.feature_distance import FeatureStatistics
from ood_training.grid_labels import grid_labels
from ood_training.grid_network import GridNetwork
from ood_training.label_values import IGNORE_LABEL, OOD_LABEL

LabelledFrame = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Image (H, W, 3) uint8 BGR and labels (H, W) uint8: class ids, 254 (unknown), 255 (ignored)."""

Frames = Iterable[LabelledFrame]

FITTED_SCORES = ("standardized_max_logit", "mahalanobis")
"""Those with statistics of known training frames."""

_FEATURES_A_FRAME = 2000
_LEAST_PIXELS = 500
_OUTER_QUANTILES = (0.001, 0.999)
_RANGE_IN_SCALES = 8.0
_THRESHOLDS = np.linspace(0.01, 0.99, 99)


@dataclass(frozen=True, eq=False)
class CalibratedScore:
    """All that ``DeployedNetwork`` needs. features: for mahalanobis only."""

    spec: ScoreSpec
    features: FeatureStatistics | None = None


def logit_statistics(network: GridNetwork, frames: Frames) -> LogitStatisticsSpec:
    """Mean and deviation of the largest logit of every class, where it is the best one.

    Over the known pixels of the frames, on the grid. A class that is the best at fewer than 500 of
    them gets the mean and deviation of all: few neighbours are too alike to tell its own.
    Reference: Jung et al., Standardized Max Logits, ICCV 2021.
    Raises OodError where no pixel is labelled.
    """
    count = np.zeros(network.network.num_classes)
    total, squares = np.zeros_like(count), np.zeros_like(count)
    for image, labels in frames:
        view = network.look(image)
        largest, best = (plane[0].cpu().numpy() for plane in view.logits.max(dim=1))
        # sums of logits near their size: float64 keeps what their squares' difference needs
        largest, best = view.valid(largest).astype(np.float64), view.valid(best)
        known = grid_labels(labels, view.letterbox, best.shape) < len(count)
        for kept, weights in ((count, None), (total, largest), (squares, largest**2)):
            given = None if weights is None else weights[known]
            kept += np.bincount(best[known], given, minlength=len(count))
    if not count.any():
        raise OodError("logit statistics: none of the training frames has a labelled pixel")
    means, deviations = _moments(count, total, squares)
    overall = _moments(count.sum(), total.sum(), squares.sum())
    seen = count >= _LEAST_PIXELS
    return LogitStatisticsSpec(
        means=tuple(np.where(seen, means, overall[0]).tolist()),
        deviations=tuple(np.where(seen, deviations, overall[1]).clip(1e-6).tolist()),
    )


def feature_statistics(network: GridNetwork, frames: Frames, seed: int = 0) -> FeatureStatistics:
    """Class centres and shared covariance of features, of some known pixels of each frame."""
    rng = np.random.default_rng(seed)
    features, classes = [], []
    for image, labels in frames:
        view = network.look(image)
        valid = (view.letterbox.valid_rows, view.letterbox.valid_columns)
        truth = grid_labels(labels, view.letterbox, valid)
        known = np.argwhere(truth < network.network.num_classes)
        if len(known) > _FEATURES_A_FRAME:
            known = known[rng.choice(len(known), _FEATURES_A_FRAME, replace=False)]
        # the features are coarser than the grid: of each cell, those that cover it
        small, grid = view.features[0], view.logits.shape[-2:]
        rows, columns = (
            torch.from_numpy(cells * inner // outer)
            for cells, inner, outer in zip(known.T, small.shape[1:], grid, strict=True)
        )
        features.append(small[:, rows, columns].T.cpu())
        classes.append(torch.from_numpy(truth[known[:, 0], known[:, 1]].astype(np.int64)))
    if not features:
        raise OodError("feature statistics: there are no training frames")
    return FeatureStatistics.fit(torch.cat(features), torch.cat(classes))


def with_statistics(
    network: GridNetwork, spec: ScoreSpec, training: Callable[[], Frames]
) -> CalibratedScore:
    """``spec`` with the statistics of known frames that its score needs.

    training: gives the frames; not asked for a score that is none of ``FITTED_SCORES``.
    """
    if spec.name == "mahalanobis":
        return CalibratedScore(spec, feature_statistics(network, training()))
    if spec.name == "standardized_max_logit":
        found = logit_statistics(network, training())
        return CalibratedScore(spec.model_copy(update={"logit_statistics": found}))
    return CalibratedScore(spec)


def calibrate_score(
    network: GridNetwork,
    name: ScoreName,
    training: Callable[[], Frames],
    mixed: Frames,
    *,
    smoothing_cells: float = 0.0,
    calibrated_on: str = "",
) -> CalibratedScore:
    """A complete ``ScoreSpec`` for a network.

    Args:
        network: in evaluation mode.
        training: see ``with_statistics``.
        mixed: frames with unknown objects, for range and threshold.
        smoothing_cells: see ``ScoreSpec``.
        calibrated_on: what both are, in words.

    The range is centred between the outer thousandths of the score, which lie four scales from it.
    The threshold is the hundredth at which the pixels' F1 is largest.

    Raises OodError for frames without a known or without an unknown pixel.
    """
    spec = ScoreSpec.model_construct(name=name, threshold=0.5, smoothing_cells=smoothing_cells)
    fitted = with_statistics(network, spec, training)
    spec, features = fitted.spec, fitted.features
    known, unknown = _scores(network, spec, features, mixed)
    if not (known.size and unknown.size):
        raise OodError(
            "calibration: its frames need pixels of known classes and of unknown objects: name "
            "validation.paste_objects, or frames that show some"
        )
    if name not in BOUNDED_SCORES:
        found = _unit_range(np.concatenate([known, unknown]))
        known, unknown = (_in_range(values, found) for values in (known, unknown))
        spec = spec.model_copy(update={"unit_range": found})
    complete = {"threshold": _best_threshold(known, unknown), "calibrated_on": calibrated_on}
    content = spec.model_copy(update=complete).model_dump()
    return CalibratedScore(ScoreSpec.model_validate(content), features)


def _scores(
    network: GridNetwork, spec: ScoreSpec, features: FeatureStatistics | None, frames: Frames
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The smoothed scores of known and of unknown cells, before they come into range."""
    score = DeployedScore(spec, network.grid, features).eval().to(network.device)
    found: tuple[list[Any], list[Any]] = ([], [])
    for image, labels in frames:
        view = network.look(image)
        with torch.inference_mode():
            whole = score.smoothed(view.logits, view.features)[0].cpu().numpy()
        cells = view.valid(whole)
        truth = grid_labels(labels, view.letterbox, cells.shape)
        found[0].append(cells[(truth != OOD_LABEL) & (truth != IGNORE_LABEL)])
        found[1].append(cells[truth == OOD_LABEL])
    known, unknown = (np.concatenate(part or [np.zeros(0)]) for part in found)
    return known.astype(np.float64), unknown.astype(np.float64)


def _unit_range(scores: NDArray[np.float64]) -> UnitRangeSpec:
    low, high = np.quantile(scores, _OUTER_QUANTILES)
    width = max(float(high - low), 1e-6)
    return UnitRangeSpec(center=float(low + high) / 2.0, scale=width / _RANGE_IN_SCALES)


def _in_range(scores: NDArray[np.float64], found: UnitRangeSpec) -> NDArray[np.float64]:
    return np.asarray(to_unit_range(scores, found.center, found.scale), np.float64)


def _best_threshold(known: NDArray[np.float64], unknown: NDArray[np.float64]) -> float:
    """Of 0.01 to 0.99 the one with the largest 2 TP / (2 TP + FP + FN) over all cells."""
    hits = unknown.size - np.searchsorted(np.sort(unknown), _THRESHOLDS)
    false = known.size - np.searchsorted(np.sort(known), _THRESHOLDS)
    f1 = 2.0 * hits / np.maximum(hits + false + unknown.size, 1)
    return round(float(_THRESHOLDS[int(f1.argmax())]), 2)


def _moments(count: Any, total: Any, squares: Any) -> tuple[Any, Any]:
    at_least_one = np.maximum(count, 1)
    mean = total / at_least_one
    return mean, np.sqrt(np.maximum(squares / at_least_one - mean**2, 0.0))
