"""Which metrics tell false positives apart, in the order in which least-angle regression asks them.

Section 8.2 of the method's specification; Efron, Hastie, Johnstone, Tibshirani, "Least angle
regression", 2004.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.meta.least_angle import least_angle_path

# A column whose deviation is rounding alone would be blown up by its own noise.
_CONSTANT = 1e-12


@dataclass(frozen=True, eq=False)
class Ranking:
    """All M metrics, best first, and the path on which they were found.

    order: (M,) intp, columns: those that entered by their entry; then those that others already
        contain (S is S_in and S_bd), by falling correlation with the label; constant ones last.
    entered: how many entered. constant: how many of the last are constant.
    coefficients: (M, steps + 1) float64, row = column of the metrics, along the path from nothing
        to least squares; in parts of the label per standard deviation of the metric.
    """

    order: NDArray[np.intp]
    entered: int
    constant: int
    coefficients: NDArray[np.float64]

    @property
    def l1_norm(self) -> NDArray[np.float64]:
        """(steps + 1,) float64, sum of the absolute coefficients at every step."""
        return np.abs(self.coefficients).sum(axis=0)


def rank_metrics(metrics: NDArray[np.float64], false_positive: NDArray[np.bool_]) -> Ranking:
    """Least-angle regression of the label (1: false positive) on standardised metrics.

    metrics: (n, M) float64, finite. false_positive: (n,) bool.
    Raises OodError with one line for metrics that are not finite, one class only, and when all
    metrics are constant.
    """
    _check(metrics, false_positive)
    mean, deviation = metrics.mean(axis=0), metrics.std(axis=0)
    varying = np.flatnonzero(deviation > _CONSTANT * np.maximum(1.0, np.abs(mean)))
    if not varying.size:
        raise OodError("all metrics are constant: there is nothing to rank; give more images")
    standardised = (metrics[:, varying] - mean[varying]) / deviation[varying]
    label = false_positive - false_positive.mean()
    # columns of length 1, so that their own parts can be compared
    length = np.sqrt(len(standardised))
    entered, path = least_angle_path(standardised / length, label)
    entered = varying[entered]
    correlation = np.zeros(metrics.shape[1])
    correlation[varying] = np.abs(label @ standardised)
    contained = np.setdiff1d(varying, entered)
    contained = contained[np.argsort(-correlation[contained], kind="stable")]
    constant = np.setdiff1d(np.arange(metrics.shape[1]), varying)
    coefficients = np.zeros((metrics.shape[1], path.shape[1]))
    coefficients[varying] = path / length
    return Ranking(
        np.concatenate([entered, contained, constant]), len(entered), len(constant), coefficients
    )


def _check(metrics: NDArray[np.float64], false_positive: NDArray[np.bool_]) -> None:
    if not np.isfinite(metrics).all():
        row, column = np.argwhere(~np.isfinite(metrics))[0]
        raise OodError(
            f"metric {column} of component {row} is {metrics[row, column]}: only finite metrics "
            "can be ranked; build the table again"
        )
    if false_positive.all() or not false_positive.any():
        kind = "false positives" if false_positive.size and false_positive[0] else "hits"
        raise OodError(
            f"metrics can be ranked by components of both kinds only, but all "
            f"{false_positive.size} are {kind}; change the threshold or give more images"
        )
