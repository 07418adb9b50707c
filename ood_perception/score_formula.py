"""The anomaly score that a manifest describes, computed from logits as the graph computes it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from . import scores
from .manifest import ScoreSpec

_OF_LOGITS: dict[str, Callable[[scores.FloatArray], scores.FloatArray]] = {
    "entropy": scores.normalized_entropy,
    "max_softmax": scores.max_softmax,
    "max_logit": scores.max_logit,
    "energy": scores.energy,
    "max_min_logit": scores.max_min_logit,
    "kernel_distance": scores.kernel_distance,
}


def raw_score(spec: ScoreSpec, logits: NDArray[np.floating]) -> NDArray[np.floating]:
    """The formula alone: (h, w) of logits (C, h, w) on the grid, higher = stranger.

    Raises ValueError for ``mahalanobis``, which is computed from features.
    """
    if spec.logit_statistics is not None:
        found = spec.logit_statistics
        return scores.standardized_max_logit(logits, found.means, found.deviations)
    if spec.name not in _OF_LOGITS:
        raise ValueError(f"the score {spec.name} does not follow from logits")
    return _OF_LOGITS[spec.name](logits)


def finished_score(spec: ScoreSpec, raw: NDArray[np.floating]) -> NDArray[np.floating]:
    """The score (h, w) in [0, 1] of raw values: smoothed, then brought into range."""
    score = scores.smoothed(raw, spec.smoothing_cells)
    if spec.unit_range is None:
        return np.clip(score, 0.0, 1.0)
    return scores.to_unit_range(score, spec.unit_range.center, spec.unit_range.scale)
