"""What every meta classifier offers, whatever it is inside: a family that fits, a model that tells.

The positive class is "false positive" throughout, as in section 8 of the method's specification.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Indices of the rows that a fold is fitted on, and of those that it is tested on."""


class MetaModel(Protocol):
    """A fitted classifier with its own standardisation inside."""

    @property
    def kind(self) -> str:
        """Name of its family, as ``create_family`` takes it."""
        ...

    def false_positive_probability(self, metrics: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) in [0, 1] for (n, M) metrics."""
        ...

    def contributions(self, metrics: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, M): each metric's part in the log-odds of false positive."""
        ...

    def to_onnx(self) -> bytes:
        """The graph: ``metrics`` (n, M) float64 in; ``false_positive_probability`` (n,) and
        ``contributions`` (n, M) out, float64, the same numbers as the methods to 1e-5."""
        ...


class MetaFamily(Protocol):
    """How classifiers of one kind are fitted."""

    @property
    def kind(self) -> str:
        """Its name, as ``create_family`` takes it."""
        ...

    def fit(
        self, metrics: NDArray[np.float64], false_positive: NDArray[np.bool_], seed: int = 0
    ) -> MetaModel:
        """Fit on (n, M) finite metrics and (n,) labels.

        Raises OodError with one line for one class only, metrics that are not finite, or fewer
        rows than the family needs. A constant metric has no effect.
        """
        ...

    def fit_folds(
        self,
        metrics: NDArray[np.float64],
        false_positive: NDArray[np.bool_],
        folds: Sequence[Fold],
        seed: int = 0,
        on_progress: Any = None,
    ) -> NDArray[np.float64]:
        """Fit once a fold, scaler included, on its first rows and predict its second.

        Returns (n,) P(false positive), NaN for rows that no fold tests. ``on_progress(done,
        total)`` may be given. Raises OodError as ``fit``.
        """
        ...
