"""How many real obstacles a decision may drop: conformal risk control on a calibration split.

Source: Angelopoulos, Bates, Fisch, Lei and Schuster, "Conformal Risk Control" (ICLR 2024).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ood_perception.bundle import PromiseSpec
from ood_perception.errors import OodError
from ood_training.meta.table import ComponentTable

SPLIT = "whole sequences, none of them in the meta training"
# Between batches and processors a graph's numbers differ in their last digits: an object that
# lies exactly on the decision must stay kept by all of them.
_GRAPH_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class PromiseRequest:
    """The share of real obstacles to stay under, in (0, 1), and the table to calibrate on."""

    alpha: float
    calibration: ComponentTable


def needed_objects(alpha: float) -> int:
    """The fewest objects hit that a promise of ``alpha`` needs: n >= 1 / alpha - 1.

    Raises OodError for an alpha outside (0, 1).
    """
    return math.ceil(1 / _exact(alpha) - 1)


def check_object_count(count: int, alpha: float) -> None:
    """Raises OodError for fewer objects than a promise of ``alpha`` needs: even a decision that
    drops none of them could not promise that."""
    needed = needed_objects(alpha)
    if count < needed:
        raise OodError(
            f"a promise of alpha {alpha:g} needs at least {needed} objects that the score hits in "
            f"the calibration split (1 / alpha - 1), but it has {count}: give more sequences or a "
            "larger alpha"
        )


def promised_decision(lowest_probability: NDArray[np.float64], alpha: float) -> float:
    """The smallest decision that drops an expected share of at most ``alpha`` of real obstacles.

    Args:
        lowest_probability: (n,) float64 in [0, 1], for each calibration object that the score
            hit the lowest P(false positive) of its components.
        alpha: in (0, 1).

    The loss of an object at a decision is 1 when its lowest probability is above it (then no kept
    component hits it), else 0: bounded by B = 1, falling with the decision and continuous from
    the right, so that the smallest decision with

        n / (n + 1) * mean loss + B / (n + 1) <= alpha

    exists and is one of the probabilities. Promised is then: the expected loss of one more object
    is at most ``alpha``, the expectation taken over the calibration objects and that one, where
    all n + 1 are exchangeable (drawn alike, in any order as likely). It is at least
    alpha - 2 / (n + 1) where no probabilities are equal. Nothing is promised of objects that the
    score missed, of other data, or of one given calibration split or drive.

    Objects of one sequence resemble each other and the classifier may know a sequence that it
    was fitted on: the calibration objects come from whole sequences apart from the meta training.
    Several alike objects a sequence count for fewer draws than n; the promise is exact for one
    independent draw an object.

    Raises OodError for probabilities outside [0, 1] and for fewer than 1 / alpha - 1 objects (the
    condition alpha >= 1 / (n + 1)).
    """
    count = len(lowest_probability)
    check_object_count(count, alpha)
    if not ((lowest_probability >= 0) & (lowest_probability <= 1)).all():
        raise OodError("the promise needs probabilities in [0, 1]: check the calibration metrics")
    droppable = math.floor(_exact(alpha) * (count + 1)) - 1
    return float(np.sort(lowest_probability)[count - droppable - 1])


def dropped_share(lowest_probability: NDArray[np.float64], decision: float) -> float:
    """Share of the (n,) objects hit of which no component is kept, in [0, 1]; n > 0."""
    return float(np.mean(lowest_probability > decision))


def make_promise(
    request: PromiseRequest, probability: NDArray[np.float64]
) -> tuple[float, PromiseSpec]:
    """The decision that keeps the request, and what is promised of it.

    probability: (n,) float64 in [0, 1], P(false positive) of the calibration table's rows as the
    vehicle's graph computes it. Raises OodError as ``promised_decision``.
    """
    table, hit = request.calibration, request.calibration.hit()
    lowest = table.lowest_by_object(probability)[hit]
    decision = min(1.0, promised_decision(lowest, request.alpha) + _GRAPH_ROUNDING)
    return decision, PromiseSpec(
        alpha=request.alpha,
        objects=len(lowest),
        sequences=len(np.unique(table.object_sequence[hit])),
        source=table.origin.source,
        split=SPLIT,
        risk=dropped_share(lowest, decision),
    )


def _exact(alpha: float) -> Fraction:
    """The decimal number that was written: in binary 0.29 * 100 is less than 29."""
    if not 0 < alpha < 1:
        raise OodError(f"the promised share alpha must be in (0, 1), not {alpha}")
    return Fraction(str(float(alpha)))
