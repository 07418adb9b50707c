"""How far figures may be off: exact intervals of shares, and a bootstrap over sequences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from ood_perception.errors import OodError
from ood_training.meta.table import ComponentTable

LEVEL = 0.95
# A share of resamples without a value above this leaves too few for an interval.
_MOST_UNDEFINED = 0.5

Statistic = Callable[[NDArray[np.float64], NDArray[np.float64]], float]
"""A figure of the weights of all components (n,) and of all objects (k,), NaN where undefined."""


@dataclass(frozen=True)
class Interval:
    """From low to high with a confidence of `LEVEL`."""

    low: float
    high: float


def clopper_pearson(successes: int, trials: int) -> Interval | None:
    """Exact interval of a share; None without trials.

    The trials count as independent: where one sequence brings many of them it is too narrow.
    """
    if trials == 0:
        return None
    found = binomtest(successes, trials).proportion_ci(confidence_level=LEVEL, method="exact")
    return Interval(float(found.low), float(found.high))


class SequenceBootstrap:
    """Resamples of a table's sequences with replacement: the same ones for every figure.

    A sequence is drawn with all its components and objects, for they are alike. With the same
    resamples for all classifiers the difference of two is paired.
    """

    def __init__(self, table: ComponentTable, resamples: int, seed: int = 0) -> None:
        """Raises OodError for fewer than 2 sequences or resamples."""
        names, index = np.unique(
            np.concatenate([table.sequence, table.object_sequence]), return_inverse=True
        )
        if len(names) < 2:
            raise OodError(
                f"a bootstrap over sequences needs at least 2, but the table has {len(names)}; "
                "give more sequences, or no bootstrap"
            )
        if resamples < 2:
            raise OodError(f"a bootstrap needs at least 2 resamples, not {resamples}")
        self.sequences = len(names)
        self._of_component, self._of_object = index[: len(table)], index[len(table) :]
        rng = np.random.default_rng(seed)
        shares = np.full(len(names), 1.0 / len(names))
        self._weights = rng.multinomial(len(names), shares, size=resamples).astype(np.float64)

    def values(self, statistic: Statistic) -> NDArray[np.float64]:
        """(resamples,) the figure of each resample."""
        return np.array(
            [statistic(w[self._of_component], w[self._of_object]) for w in self._weights]
        )


def percentile_interval(values: NDArray[np.float64]) -> Interval | None:
    """Of resampled values, those that are NaN left out; None when most are."""
    defined = values[np.isfinite(values)]
    if defined.size < 2 or defined.size < (1 - _MOST_UNDEFINED) * values.size:
        return None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))
