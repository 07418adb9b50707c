"""Predictions of components that a classifier did not learn from, and honest decisions on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import NothingToLearnError, OodError
from ood_training.meta.contract import Fold, MetaFamily
from ood_training.meta.decision import choose_decision
from ood_training.meta.folds import FoldKind, fold_groups, group_folds
from ood_training.meta.table import ComponentTable

Progress = Callable[[int, int | None], None]

INNER_FOLDS = 5


@dataclass(frozen=True)
class DecisionRule:
    """A component is removed when its P(false positive) is above the decision; a tie keeps it.

    given: in [0, 1]; without effect where ``keep_objects`` is set.
    keep_objects: in (0, 1], share of the objects hit that the decision must keep where it is
        chosen, or None. Raises OodError for values outside.
    """

    given: float = 0.5
    keep_objects: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.given <= 1:
            raise OodError(f"the decision must be in [0, 1], not {self.given}")
        if self.keep_objects is not None and not 0 < self.keep_objects <= 1:
            raise OodError(
                f"the share of objects to keep must be in (0, 1], not {self.keep_objects}"
            )


@dataclass(frozen=True, eq=False)
class Validation:
    """What a classifier of one kind said of components that it did not learn from.

    probability: (n,) float64, P(false positive) in [0, 1].
    decision: (n,) float64, what it was compared with; of nested decisions one a fold.
    """

    kind: str
    probability: NDArray[np.float64]
    decision: NDArray[np.float64]

    @property
    def removed(self) -> NDArray[np.bool_]:
        """(n,) bool."""
        return self.probability > self.decision


def validate(
    family: MetaFamily,
    table: ComponentTable,
    folds: Sequence[Fold],
    by: FoldKind,
    rule: DecisionRule,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> Validation:
    """Out-of-fold probabilities of all rows, and the decision that each row meets.

    A rule with ``keep_objects`` is applied in every fold to its training rows alone: to their own
    inner out-of-fold predictions, so that no tested row has a say in its decision.

    Raises OodError for one class only, folds that leave rows untested, and a nested leave-one-out.
    """
    check_both_kinds(table)
    probability = family.fit_folds(
        table.metrics, table.false_positive, folds, seed, on_progress=on_progress
    )
    if not np.isfinite(probability).all():
        raise OodError("the folds leave components untested; give folds that test each one")
    if rule.keep_objects is None:
        return Validation(family.kind, probability, np.full(len(table), rule.given))
    decision = np.empty(len(table))
    chosen = nested_decisions(family, table, folds, by, rule.keep_objects, seed, on_progress)
    for (_, tested), value in zip(folds, chosen, strict=True):
        decision[tested] = value
    return Validation(family.kind, probability, decision)


def nested_decisions(
    family: MetaFamily,
    table: ComponentTable,
    folds: Sequence[Fold],
    by: FoldKind,
    keep_objects: float,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> list[float]:
    """One decision a fold, chosen on the inner out-of-fold predictions of its training rows.

    Raises OodError for leave-one-out, where an object's other components stay in training.
    """
    if by == "loo":
        raise OodError(
            "a decision by the objects to keep cannot be chosen out of fold with leave-one-out; "
            "give folds by sequence or image, or a decision"
        )
    groups = fold_groups(table, by)
    decisions = []
    for done, (train, _) in enumerate(folds):
        inner = group_folds(groups[train], INNER_FOLDS, by)
        probability = np.full(len(table), np.nan)
        probability[train] = family.fit_folds(
            table.metrics[train], table.false_positive[train], inner, seed
        )
        decisions.append(decision_keeping(table, probability, keep_objects))
        if on_progress is not None:
            on_progress(done + 1, len(folds))
    return decisions


def decision_keeping(
    table: ComponentTable, probability: NDArray[np.float64], keep_objects: float
) -> float:
    """The decision that `choose_decision` takes for the objects that these rows hit.

    probability: (n,) P(false positive), NaN for rows that must have no say. An object is kept when
    one of its components is: when the lowest of their probabilities is not above the decision.
    Raises OodError when these rows hit no object.
    """
    known = np.where(np.isnan(probability), np.inf, probability)
    lowest = table.lowest_by_object(known)
    lowest = lowest[np.isfinite(lowest)]
    if not lowest.size:
        raise OodError(
            "no component learned from hits an object, so no decision can be chosen by the objects "
            "to keep; give more images or a decision"
        )
    return choose_decision(lowest, keep_objects)


def check_both_kinds(table: ComponentTable) -> None:
    """Raises OodError, one line, unless there are false positives and others."""
    positive = int(np.count_nonzero(table.false_positive))
    if positive in (0, len(table)):
        raise NothingToLearnError(
            f"components of both kinds are needed, but {positive} of {len(table)} are false "
            f"positives ({table.origin.source}); change the threshold or give more images"
        )
