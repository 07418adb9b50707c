"""Validation of meta classifiers: honest folds and decisions, counts and intervals by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meta_examples import ExampleFamily, example_table, tiny_table

from ood_perception.errors import OodError
from ood_training.meta.confidence import SequenceBootstrap, clopper_pearson, percentile_interval
from ood_training.meta.cross_data import fit_and_test
from ood_training.meta.figures import (
    average_precision,
    decision_figures,
    probability_figures,
    trade_off,
)
from ood_training.meta.folds import make_folds
from ood_training.meta.table import ComponentTable, join_tables
from ood_training.meta.validation import (
    DecisionRule,
    decision_keeping,
    nested_decisions,
    validate,
)


def with_rows(table: ComponentTable, rows: np.ndarray, **changes: Any) -> ComponentTable:
    """The table with other values in some rows."""
    values = {}
    for name, new in changes.items():
        values[name] = getattr(table, name).copy()
        values[name][rows] = new
    return replace(table, **values)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    sequences=st.integers(2, 9),
    count=st.integers(2, 12),
    by=st.sampled_from(["sequence", "image"]),
)
def test_folds_keep_groups_together_and_test_every_row_once(
    seed: int, sequences: int, count: int, by: Any
) -> None:
    table = example_table(np.random.default_rng(seed), components=40, sequences=sequences)
    groups = table.sequence if by == "sequence" else table.frame
    folds = make_folds(table, by, count)
    assert len(folds) == min(count, len(np.unique(groups)))
    for train, test in folds:
        assert not set(groups[train]) & set(groups[test])
        assert len(train) + len(test) == len(table)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(len(table)))
    again = make_folds(table, by, count)
    assert all(
        np.array_equal(a, b)
        for one, two in zip(folds, again, strict=True)
        for a, b in zip(one, two, strict=True)
    )


def test_leave_one_out_tests_each_component_alone() -> None:
    folds = make_folds(tiny_table(), "loo")
    assert [test.tolist() for _, test in folds] == [[row] for row in range(7)]
    assert folds[2][0].tolist() == [0, 1, 3, 4, 5, 6]


def test_folds_of_too_few_groups_are_refused_in_one_line() -> None:
    table = example_table(np.random.default_rng(0), components=20, sequences=1)
    with pytest.raises(OodError, match="at least 2 sequences, but the table has 1"):
        make_folds(table, "sequence")
    with pytest.raises(OodError, match="at least 2 folds, not 1"):
        make_folds(table, "image", 1)
    with pytest.raises(OodError, match="no folds by 'scene'"):
        make_folds(table, "scene")  # type: ignore[arg-type]


def test_counts_at_a_decision_are_those_counted_by_hand() -> None:
    """Object 0 loses one of its two components, object 1 its only one, object 2 none, 3 had none"""
    removed = np.array([True, False, True, False, True, True, False])
    found = decision_figures(tiny_table(), removed)
    assert (found.false_positives_kept, found.false_positives_removed) == (1, 2)
    assert (found.true_positives_kept, found.true_positives_removed) == (2, 2)
    assert (found.objects, found.objects_hit, found.objects_newly_missed) == (4, 3, 1)
    assert (found.objects_missed_before, found.objects_missed_after) == (1, 2)
    assert found.f1_before == pytest.approx(6 / (6 + 3 + 1))
    assert found.f1_after == pytest.approx(4 / (4 + 1 + 2))
    assert (found.error_before, found.error_after) == (4, 3)
    assert found.error_reduction == pytest.approx(0.25)


def test_probability_figures_are_those_counted_by_hand() -> None:
    """Ranked: false, true, false, true; the bins 0.1 and 0.9 are each off by what is written."""
    false_positive = np.array([False, False, True, True])
    probability = np.array([0.15, 0.85, 0.65, 0.95])
    found = probability_figures(false_positive, probability)
    assert found.auroc == pytest.approx(3 / 4)
    assert found.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert found.accuracy == pytest.approx(3 / 4)
    assert found.brier_score == pytest.approx((0.15**2 + 0.85**2 + 0.35**2 + 0.05**2) / 4)
    assert found.expected_calibration_error == pytest.approx((0.15 + 0.85 + 0.35 + 0.05) / 4)
    assert [point.components for point in found.reliability] == [1, 1, 1, 1]


def test_weights_of_average_precision_count_as_repeated_rows() -> None:
    rng = np.random.default_rng(3)
    positive, probability = rng.random(30) < 0.5, rng.random(30).round(1)
    weights = rng.integers(0, 4, 30)
    repeated = np.repeat(np.arange(30), weights)
    assert average_precision(positive, probability, weights.astype(float)) == pytest.approx(
        average_precision(positive[repeated], probability[repeated])
    )
    assert np.isnan(average_precision(positive, probability, np.where(positive, 1.0, 0.0)))


def test_trade_off_agrees_with_the_counts_at_each_decision() -> None:
    table = example_table(np.random.default_rng(4), components=60)
    probability = np.random.default_rng(5).random(60).round(1)
    curve = trade_off(table, probability)
    assert curve.decision[0] == 1.0
    assert curve.objects_newly_missed[0] == 0
    assert all(a > b for a, b in pairwise(curve.decision))
    for index, decision in enumerate(curve.decision):
        found = decision_figures(table, probability > decision)
        assert curve.false_positives_removed[index] == found.false_positives_removed
        assert curve.objects_newly_missed[index] == found.objects_newly_missed


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), keep=st.floats(0.05, 1.0))
def test_a_chosen_decision_keeps_the_share_and_a_lower_one_does_not(seed: int, keep: float) -> None:
    table = example_table(np.random.default_rng(seed), components=50)
    probability = np.random.default_rng(seed + 1).random(50)
    decision = decision_keeping(table, probability, keep)
    hit = table.hit().sum()
    assert table.hit(probability <= decision).sum() >= keep * hit - 1e-6
    assert decision == 0.5 or table.hit(probability < decision).sum() < keep * hit


def test_nested_decisions_do_not_change_with_the_rows_that_they_are_tested_on() -> None:
    table = example_table(np.random.default_rng(6), components=150, sequences=6)
    family = ExampleFamily()
    folds = make_folds(table, "sequence", 3)
    before = nested_decisions(family, table, folds, "sequence", 0.9)
    for number, (_, tested) in enumerate(folds):
        # Labels turned over, and metrics of noise.
        changed = with_rows(
            table,
            tested,
            metrics=np.random.default_rng(7).random((len(tested), table.metrics.shape[1])),
            false_positive=~table.false_positive[tested],
        )
        after = nested_decisions(family, changed, folds, "sequence", 0.9)
        assert after[number] == before[number]
        assert any(
            a != b for i, (a, b) in enumerate(zip(after, before, strict=True)) if i != number
        )


def test_each_row_meets_the_decision_of_its_fold() -> None:
    table = example_table(np.random.default_rng(8), components=120, sequences=6)
    family = ExampleFamily()
    folds = make_folds(table, "sequence", 3)
    rule = DecisionRule(keep_objects=0.8)
    found = validate(family, table, folds, "sequence", rule)
    chosen = nested_decisions(family, table, folds, "sequence", 0.8)
    for (_, tested), decision in zip(folds, chosen, strict=True):
        assert (found.decision[tested] == decision).all()
    assert np.array_equal(found.removed, found.probability > found.decision)
    with pytest.raises(OodError, match="cannot be chosen out of fold with leave-one-out"):
        validate(family, table, make_folds(table, "loo"), "loo", rule)


def test_one_class_and_rows_without_a_fold_are_refused() -> None:
    table = example_table(np.random.default_rng(9), components=40)
    folds = make_folds(table, "sequence", 4)
    one = replace(table, false_positive=np.ones(len(table), np.bool_))
    with pytest.raises(OodError, match="both kinds are needed, but 40 of 40"):
        validate(ExampleFamily(), one, folds, "sequence", DecisionRule())
    with pytest.raises(OodError, match="leave components untested"):
        validate(ExampleFamily(), table, folds[1:], "sequence", DecisionRule())


def test_learned_elsewhere_is_a_fit_on_the_other_table_alone() -> None:
    learned = example_table(np.random.default_rng(10), components=150)
    test = example_table(np.random.default_rng(11), components=80)
    family = ExampleFamily()
    found = fit_and_test(family, learned, test, DecisionRule(0.4))
    joined = join_tables([learned, test])
    rows = np.arange(len(joined))
    expected = family.fit_folds(
        joined.metrics, joined.false_positive, [(rows[: len(learned)], rows[len(learned) :])]
    )
    assert found.probability == pytest.approx(expected[len(learned) :])
    assert (found.decision == 0.4).all()


def test_learned_elsewhere_refuses_shared_components_and_other_bundles() -> None:
    table = example_table(np.random.default_rng(12), components=60)
    family = ExampleFamily()
    with pytest.raises(OodError, match="60 of 60 components of the test tables are learned"):
        fit_and_test(family, table, table, DecisionRule())
    other = example_table(np.random.default_rng(13), model_id="another")
    with pytest.raises(OodError, match="tables of two bundles"):
        fit_and_test(family, table, other, DecisionRule())


def test_bootstrap_is_deterministic_and_draws_whole_sequences() -> None:
    table = example_table(np.random.default_rng(14), components=60, sequences=5)

    def first_sequence(components: np.ndarray, objects: np.ndarray) -> float:
        inside = components[table.sequence == "000"]
        assert (inside == inside[0]).all()
        assert (objects[table.object_sequence == "000"] == inside[0]).all()
        return float(inside[0])

    values = SequenceBootstrap(table, 400, seed=1).values(first_sequence)
    assert np.array_equal(values, SequenceBootstrap(table, 400, seed=1).values(first_sequence))
    assert not np.array_equal(values, SequenceBootstrap(table, 400, 2).values(first_sequence))
    assert values.mean() == pytest.approx(1.0, abs=0.15)
    one = example_table(np.random.default_rng(14), components=20, sequences=1)
    with pytest.raises(OodError, match="needs at least 2, but the table has 1"):
        SequenceBootstrap(one, 10)


def test_intervals_are_those_of_their_definitions() -> None:
    """No event in n trials: the exact upper end is 1 - (alpha / 2) ** (1 / n)."""
    none = clopper_pearson(0, 148)
    assert none is not None
    assert none.low == 0.0
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 148))
    assert clopper_pearson(0, 0) is None
    found = percentile_interval(np.append(np.arange(101.0), np.nan))
    assert found is not None
    assert (found.low, found.high) == pytest.approx((2.5, 97.5))
    assert percentile_interval(np.array([0.5, np.nan, np.nan, np.nan])) is None
