"""The promise: at most alpha of the real obstacles that the score hits are dropped, on average.

A decision that drops more would lose obstacles behind a stated bound; one that drops far fewer
would keep false alarms that it may drop.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.meta.promise import (
    PromiseRequest,
    dropped_share,
    make_promise,
    needed_objects,
    promised_decision,
)
from ood_training.meta.table import ComponentTable, TableOrigin

SPLITS = 200
PROBABILITIES = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.7, 1.0]), min_size=9, max_size=60)


def large_table(rng: np.random.Generator, sequences: int = 6000) -> tuple[ComponentTable, NDArray]:
    """One to three objects a sequence, each missed or hit by one to three components, which may
    touch a neighbour as well; false positives besides. With P(false positive) of each component."""
    sequence_of_object = np.repeat(np.arange(sequences), rng.integers(1, 4, sequences))
    objects = len(sequence_of_object)
    pair_object = np.repeat(np.arange(objects), rng.integers(0, 4, objects))
    pair_component = np.arange(len(pair_object))
    hits = len(pair_object)
    sequence = np.concatenate([sequence_of_object[pair_object], rng.integers(0, sequences, hits)])
    false_positive = np.arange(2 * hits) >= hits
    log_odds = rng.normal(np.where(false_positive, 1.5, -1.5), 1.5)
    names = np.array([f"{number:05d}" for number in range(sequences)])
    table = ComponentTable(
        origin=TableOrigin("model", "entropy", 0.7, "generated", ("E",)),
        metrics=log_odds[:, None],
        false_positive=false_positive,
        iou=np.where(false_positive, 0.0, 0.5),
        ignored=np.zeros(2 * hits, bool),
        frame=names[sequence],
        sequence=names[sequence],
        area_cells=np.ones(2 * hits, np.int64),
        object_frame=names[sequence_of_object],
        object_sequence=names[sequence_of_object],
        object_area_cells=np.ones(objects, np.int64),
        pair_component=pair_component,
        pair_object=pair_object,
    )
    return table, 1 / (1 + np.exp(-log_odds))


@pytest.mark.parametrize(
    ("alpha", "calibration_sequences"), [(0.05, 30), (0.1, 12), (0.02, 400), (0.1, 1500)]
)
def test_the_promise_holds_on_fresh_sequences_and_is_used_up(
    alpha: float, calibration_sequences: int
) -> None:
    rng = np.random.default_rng(11)
    table, probability = large_table(rng)
    lowest = table.lowest_by_object(probability)
    hit = table.hit()
    names = np.unique(table.sequence)
    dropped, slack = np.empty(SPLITS), np.empty(SPLITS)
    for split in range(SPLITS):
        chosen = rng.permutation(names)[:calibration_sequences]
        calibration = np.isin(table.object_sequence, chosen)
        decision = promised_decision(lowest[hit & calibration], alpha)
        dropped[split] = dropped_share(lowest[hit & ~calibration], decision)
        slack[split] = 2 / (np.count_nonzero(hit & calibration) + 1)
    error = dropped.std(ddof=1) / np.sqrt(SPLITS)
    assert dropped.mean() <= alpha + 2 * error
    assert dropped.mean() >= alpha - slack.mean() - 2 * error
    assert error < alpha / 5, "too noisy to protect anything"


def test_the_bound_is_that_of_the_smallest_possible_split() -> None:
    """With n = 1 / alpha - 1 no calibration object may go: the decision is the highest of them."""
    lowest = np.array([0.3, 0.8, 0.1, 0.2, 0.5, 0.6, 0.4, 0.7, 0.05])
    assert promised_decision(lowest, 0.1) == 0.8
    assert promised_decision(lowest, 0.2) == 0.7
    assert promised_decision(lowest, 0.299) == 0.7


@given(PROBABILITIES, st.sampled_from([0.1, 0.15, 0.2, 0.3, 0.5, 0.9]))
def test_it_is_the_smallest_decision_that_satisfies_the_definition(
    values: list[float], alpha: float
) -> None:
    """Ties included: every candidate is tried by the definition, with its strict comparison."""
    lowest, count = np.array(values), len(values)

    def satisfies(decision: float) -> bool:
        risk = sum(value > decision for value in values) / count
        return count / (count + 1) * risk + 1 / (count + 1) <= alpha + 1e-12

    decision = promised_decision(lowest, alpha)
    assert satisfies(decision)
    assert not any(satisfies(value) for value in np.linspace(0, 1, 101) if value < decision - 1e-9)


@given(PROBABILITIES, st.floats(0.1, 0.99), st.floats(0.1, 0.99))
def test_a_weaker_promise_never_keeps_more(values: list[float], one: float, other: float) -> None:
    lowest = np.array(values)
    weak, strong = max(one, other), min(one, other)
    assert promised_decision(lowest, weak) <= promised_decision(lowest, strong)


def test_an_object_on_the_decision_stays_kept() -> None:
    lowest = np.array([0.5] * 12 + [0.9] * 8)
    assert promised_decision(lowest, 0.1) == 0.9, "all eight or none: eight are too many"
    assert dropped_share(lowest, 0.9) == 0
    assert promised_decision(lowest, 0.43) == 0.5
    assert dropped_share(lowest, 0.5) == 0.4


@pytest.mark.parametrize(("alpha", "needed"), [(0.1, 9), (0.05, 19), (0.01, 99), (0.3, 3)])
def test_a_split_too_small_is_refused_with_the_number_needed(alpha: float, needed: int) -> None:
    assert needed_objects(alpha) == needed
    promised_decision(np.full(needed, 0.5), alpha)
    with pytest.raises(OodError, match=rf"at least {needed} objects .* has {needed - 1}") as caught:
        promised_decision(np.full(needed - 1, 0.5), alpha)
    assert "\n" not in str(caught.value)


def test_decimal_fractions_are_taken_as_written() -> None:
    """0.29 * 100 is less than 29 in binary: 28 of 99 objects may go, not 27."""
    lowest = np.arange(1, 100) / 100
    assert np.count_nonzero(lowest > promised_decision(lowest, 0.29)) == 28


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_an_alpha_outside_is_refused(alpha: float) -> None:
    with pytest.raises(OodError, match=r"in \(0, 1\)"):
        promised_decision(np.full(100, 0.5), alpha)


def test_a_probability_that_is_none_is_refused() -> None:
    with pytest.raises(OodError, match=r"in \[0, 1\]"):
        promised_decision(np.array([np.nan] + [0.5] * 30), 0.1)


def test_the_unit_is_the_object_that_the_score_hit() -> None:
    """Missed objects do not count, and an object goes only with the last of its components."""
    table, probability = large_table(np.random.default_rng(3), sequences=40)
    decision, promise = make_promise(PromiseRequest(0.1, table), probability)
    components = Counter(table.pair_object.tolist())
    assert promise.objects == len(components) < table.objects
    kept = table.hit(probability <= decision)
    assert promise.risk == pytest.approx(1 - kept.sum() / len(components))
    assert promise.sequences == len(set(table.object_sequence[list(components)].tolist()))
    assert (promise.alpha, promise.source) == (0.1, "generated")
