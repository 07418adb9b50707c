"""Learned on one set of tables, tested on another."""

from __future__ import annotations

import numpy as np

from ood_perception.errors import OodError
from ood_training.meta.contract import MetaFamily
from ood_training.meta.folds import fold_groups, group_folds, widest_unit
from ood_training.meta.table import ComponentTable, join_tables
from ood_training.meta.validation import (
    INNER_FOLDS,
    DecisionRule,
    Progress,
    Validation,
    check_both_kinds,
    decision_keeping,
)


def fit_and_test(
    family: MetaFamily,
    training: ComponentTable,
    test: ComponentTable,
    rule: DecisionRule,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> Validation:
    """Fit on all training rows and predict all test rows.

    A decision by ``keep_objects`` is chosen on predictions of the training rows out of folds by
    sequence, or by image where they have one sequence only. Raises OodError as `check_separate`,
    and for one class only.
    """
    check_separate(training, test)
    check_both_kinds(training)
    check_both_kinds(test)
    decision = rule.given
    if rule.keep_objects is not None:
        unit = widest_unit(training)
        inner = group_folds(fold_groups(training, unit), INNER_FOLDS, unit)
        known = family.fit_folds(
            training.metrics, training.false_positive, inner, seed, on_progress=on_progress
        )
        decision = decision_keeping(training, known, rule.keep_objects)
    model = family.fit(training.metrics, training.false_positive, seed)
    probability = model.false_positive_probability(test.metrics)
    return Validation(family.kind, probability, np.full(len(test), decision))


def check_separate(training: ComponentTable, test: ComponentTable) -> None:
    """Raises OodError when the tables are of two bundles, or share components."""
    join_tables([training, test])
    learned = {row.tobytes() for row in training.metrics}
    shared = sum(row.tobytes() in learned for row in test.metrics)
    if shared:
        raise OodError(
            f"{shared} of {len(test)} components of the test tables are learned from as well; "
            "give test tables of other images"
        )
