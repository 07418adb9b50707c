"""Anomaly scores against their formulas, in plain Python, and at the edges of floating point."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ood_perception import scores

LOGITS = [2.0, -1.0, 0.5]
EXPONENTIALS = [math.exp(z) for z in LOGITS]
SOFTMAX = [value / sum(EXPONENTIALS) for value in EXPONENTIALS]

EXPECTED = {
    "normalized_entropy": -sum(p * math.log(p) for p in SOFTMAX) / math.log(3),
    "max_softmax": 1 - max(SOFTMAX),
    "max_logit": -2.0,
    "energy": -math.log(sum(EXPONENTIALS)),
    "max_min_logit": -3.0,
}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_score_follows_its_formula(name: str) -> None:
    logits = np.broadcast_to(np.array(LOGITS)[:, None, None], (3, 2, 4))
    score = getattr(scores, name)(logits)
    assert score.shape == (2, 4)
    np.testing.assert_allclose(score, EXPECTED[name], rtol=1e-12)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_an_unsure_pixel_scores_higher_than_a_sure_one(name: str) -> None:
    logits = np.array([[9.0, 0.1], [0.0, 0.0], [-3.0, 0.0]], np.float32)
    sure, unsure = getattr(scores, name)(logits)
    assert unsure > sure


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_float32_stays_float32_and_large_logits_stay_finite(name: str) -> None:
    logits = np.array([[1e4, -1e4], [-1e4, -1e4]], np.float32)
    score = getattr(scores, name)(logits)
    assert score.dtype == np.float32
    assert np.isfinite(score).all()


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_nan_logit_shows_in_the_score(name: str) -> None:
    with np.errstate(invalid="ignore"):
        score = getattr(scores, name)(np.array([[np.nan, 1.0], [0.0, 0.0]]))
    assert np.isnan(score[0])
    assert np.isfinite(score[1])


@pytest.mark.parametrize("num_classes", range(2, 20))
def test_entropy_never_leaves_zero_to_one(num_classes: int) -> None:
    """Rounding alone lifts float32 entropy of uniform logits above one for some class counts."""
    generator = np.random.default_rng(num_classes)
    uniform = np.full((num_classes, 1000), 1.7, np.float32)
    nearly = uniform + 1e-4 * generator.normal(size=uniform.shape).astype(np.float32)
    sharp = np.where(np.arange(num_classes)[:, None] == 0, 200, uniform).astype(np.float32)
    for logits in (uniform, nearly, sharp):
        entropy = scores.normalized_entropy(logits)
        assert entropy.min() >= 0
        assert entropy.max() <= 1
    assert scores.normalized_entropy(uniform) == pytest.approx(1, abs=1e-6)
    assert scores.normalized_entropy(sharp) == pytest.approx(0, abs=1e-6)


def test_entropy_of_probabilities_is_that_of_their_logits() -> None:
    logits = np.random.default_rng(0).normal(size=(11, 30, 20)) * 4
    probabilities = np.exp(logits)
    np.testing.assert_allclose(
        scores.normalized_entropy_of_probabilities(probabilities),
        scores.normalized_entropy(logits),
        atol=1e-12,
    )


def test_entropy_of_probabilities_takes_zero_probability_for_no_surprise() -> None:
    probabilities = np.array([[1.0, 0.5, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.0]])
    entropy = scores.normalized_entropy_of_probabilities(probabilities)
    assert entropy[:2] == pytest.approx([0, math.log(2) / math.log(3)])
    assert np.isnan(entropy[2])


@pytest.mark.parametrize("logits", [np.float32(1.0), np.zeros((1, 4)), np.zeros((3, 4), int)])
@pytest.mark.parametrize("name", [*sorted(EXPECTED), "normalized_entropy_of_probabilities"])
def test_wrong_input_is_refused(name: str, logits: np.ndarray) -> None:
    with pytest.raises(ValueError, match="scores need"):
        getattr(scores, name)(np.asarray(logits))


def test_standardized_max_logit_is_in_deviations_of_the_best_class() -> None:
    """Best classes 0 and 2: (5 - 3) / 2 = 1 above, (1 - 4) / 0.5 = 6 below what is usual."""
    logits = np.array([[5.0, 0.0], [4.0, 0.5], [0.0, 1.0]])
    score = scores.standardized_max_logit(logits, [3.0, 9.0, 4.0], [2.0, 9.0, 0.5])
    assert score.tolist() == [-1.0, 6.0]
    with pytest.raises(ValueError, match="3 classes, but 2 means and 3 deviations"):
        scores.standardized_max_logit(logits, [1.0, 1.0], [1.0, 1.0, 1.0])


def test_kernel_distance_is_one_minus_the_largest_kernel() -> None:
    kernels = np.array([[0.25, 1.0, 1e-30], [0.75, 0.5, 0.0]])
    with np.errstate(divide="ignore"):
        score = scores.kernel_distance(np.log(kernels))
    assert score == pytest.approx([0.25, 0.0, 1.0])


def test_smoothing_weighs_neighbours_by_a_gaussian_and_borders_by_what_is_there() -> None:
    """Against its definition, cell by cell."""
    score = np.random.default_rng(0).normal(size=(7, 9))
    deviation, radius = 0.8, 3
    expected = np.zeros_like(score)
    for row in range(7):
        for column in range(9):
            total = weights = 0.0
            for y in range(max(0, row - radius), min(7, row + radius + 1)):
                for x in range(max(0, column - radius), min(9, column + radius + 1)):
                    distance = (y - row) ** 2 + (x - column) ** 2
                    weight = math.exp(-distance / (2 * deviation**2))
                    total, weights = total + weight * score[y, x], weights + weight
            expected[row, column] = total / weights
    np.testing.assert_allclose(scores.smoothed(score, deviation), expected, rtol=1e-9)
    assert scores.smoothed(score, 0.0) is score
    level = np.full((5, 6), 0.3, np.float32)
    smooth = scores.smoothed(level, 2.0)
    assert smooth.dtype == np.float32
    np.testing.assert_allclose(smooth, level, rtol=1e-6)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=50), st.floats(0.1, 100))
def test_the_unit_range_keeps_the_order(values: list[float], scale: float) -> None:
    rising = np.sort(np.array(values))
    mapped = scores.to_unit_range(rising, 0.0, scale)
    assert (np.diff(mapped) >= 0).all()
    assert 0.0 <= mapped.min() <= mapped.max() <= 1.0
    assert scores.to_unit_range(np.array(3.0), 3.0, scale) == 0.5
    one = scores.to_unit_range(np.array(3.0 + scale), 3.0, scale)
    assert one == pytest.approx(1 / (1 + math.exp(-1)))
