"""Folds of a family that has no faster way: one fit after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ood_training.meta.contract import Fold, MetaModel
from ood_training.meta.standardisation import check_folds


class _Fits(Protocol):
    def fit(
        self, metrics: NDArray[np.float64], false_positive: NDArray[np.bool_], seed: int = 0
    ) -> MetaModel: ...


def fit_one_by_one(
    family: _Fits,
    metrics: NDArray[np.float64],
    false_positive: NDArray[np.bool_],
    folds: Sequence[Fold],
    seed: int,
    on_progress: Any,
) -> NDArray[np.float64]:
    """``MetaFamily.fit_folds`` by ``fit``. Returns (n,) float64; raises OodError as ``fit``."""
    check_folds(metrics, false_positive, folds)
    result = np.full(len(metrics), np.nan)
    for number, (fitted, tested) in enumerate(folds):
        model = family.fit(metrics[fitted], false_positive[fitted], seed)
        result[tested] = model.false_positive_probability(metrics[tested])
        if on_progress:
            on_progress(number + 1, len(folds))
    return result
