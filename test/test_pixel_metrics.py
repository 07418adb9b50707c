"""AP, AUROC and FPR95: golden values, ties, ignored pixels, agreement with scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from ood_perception.errors import OodError
from ood_training.metrics.pixel import ScoreHistogram, exact_pixel_metrics
from ood_training.metrics.pixel_curve import PixelMetrics
from ood_training.metrics.score_levels import score_levels

GOLDEN_SCORES = np.array([0.1, 0.2, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
GOLDEN_UNKNOWN = np.array([0, 0, 1, 0, 0, 1, 0, 1, 0, 1], bool)


def histogram_of(scores: np.ndarray, unknown: np.ndarray) -> ScoreHistogram:
    histogram = ScoreHistogram()
    histogram.add(scores, unknown)
    return histogram


def by_scikit_learn(scores: np.ndarray, unknown: np.ndarray) -> tuple[float, float, float]:
    false_rate, true_rate, _ = roc_curve(unknown, scores, drop_intermediate=False)
    first = np.argmax(np.round(true_rate * unknown.sum()) * 20 >= 19 * unknown.sum())
    return (
        average_precision_score(unknown, scores),
        roc_auc_score(unknown, scores),
        false_rate[first],
    )


def figures(metrics: PixelMetrics) -> tuple[float, float, float]:
    return metrics.average_precision, metrics.auroc, metrics.fpr95


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_golden_values(dtype: type) -> None:
    scores = GOLDEN_SCORES.astype(dtype)
    for metrics in (
        exact_pixel_metrics(scores, GOLDEN_UNKNOWN),
        histogram_of(scores, GOLDEN_UNKNOWN).metrics(),
    ):
        assert figures(metrics) == pytest.approx((0.691667, 0.708333, 0.666667), abs=5e-7)
        assert (metrics.unknown_pixels, metrics.known_pixels) == (4, 6)
    assert histogram_of(scores, GOLDEN_UNKNOWN).bounds() is None


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 300), st.integers(1, 50), st.integers(0, 2**32 - 1))
def test_same_as_scikit_learn_on_scores_with_ties_and_ignored_pixels(
    size: int, levels: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.integers(-levels, levels, size) / levels
    truth = generator.choice(np.array([0, 1, 255]), size, p=[0.5, 0.3, 0.2])
    counted = truth != 255
    scores, unknown = scores[counted], truth[counted] == 1
    assume(unknown.any() and not unknown.all())
    expected = by_scikit_learn(scores, unknown)
    assert figures(exact_pixel_metrics(scores, unknown)) == pytest.approx(expected, abs=1e-12)
    histogram = histogram_of(scores, unknown)
    assert figures(histogram.metrics()) == pytest.approx(expected, abs=1e-12)
    assert histogram.bounds() is None


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 60), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_bounds_hold_the_exact_metrics_of_scores_finer_than_the_levels(
    size: int, levels: int, seed: int
) -> None:
    """Scores that share levels in any mixture, tied or not, also at the very top and bottom."""
    generator = np.random.default_rng(seed)
    coarse = 0.5 + generator.integers(0, levels, size) / 64
    scores = coarse * (1 + generator.integers(0, 4, size) * 2.0**-20)
    unknown = generator.random(size) < generator.choice([0.1, 0.5, 0.9])
    assume(unknown.any() and not unknown.all())
    histogram = histogram_of(scores, unknown)
    bounds, exact = histogram.bounds(), exact_pixel_metrics(scores, unknown)
    if bounds is None:
        assert figures(histogram.metrics()) == pytest.approx(figures(exact), abs=1e-12)
        return
    for name in ("average_precision", "auroc", "fpr95"):
        lowest, highest = getattr(bounds, name)
        assert lowest - 1e-12 <= getattr(exact, name) <= highest + 1e-12
        assert lowest <= getattr(histogram.metrics(), name) <= highest


def test_bounds_are_reached_by_the_worst_and_the_best_order() -> None:
    unknown = np.array([True, False, True, False])
    level = np.array([1.0, 1.0, 0.5, 0.5])
    worst = level * (1 + 2.0**-20 * ~unknown)
    best = level * (1 + 2.0**-20 * unknown)
    for scores in (worst, best):
        bounds = histogram_of(scores, unknown).bounds()
        assert bounds is not None
        assert bounds.auroc == pytest.approx((0.25, 0.75))
        assert bounds.fpr95 == pytest.approx((0.5, 1.0))
        assert bounds.average_precision[1] == pytest.approx((1 + 2 / 3) / 2)
        assert bounds.average_precision[0] == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert exact_pixel_metrics(worst, unknown).average_precision == pytest.approx(0.5)
    assert exact_pixel_metrics(best, unknown).average_precision == pytest.approx(5 / 6)


def test_continuous_scores_have_narrow_bounds() -> None:
    generator = np.random.default_rng(1)
    unknown = generator.random((300, 400)) < 0.02
    scores = 1 / (1 + np.exp(-generator.normal(size=unknown.shape) - 2 * unknown))
    histogram = histogram_of(scores, unknown)
    bounds, exact = histogram.bounds(), exact_pixel_metrics(scores, unknown)
    assert bounds is not None
    for name in ("average_precision", "auroc", "fpr95"):
        lowest, highest = getattr(bounds, name)
        assert lowest <= getattr(exact, name) <= highest
        assert highest - lowest < 2e-3
        assert getattr(histogram.metrics(), name) == pytest.approx(getattr(exact, name), abs=5e-5)


def test_scores_of_16_bits_have_a_level_each() -> None:
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    halves = np.sort(halves[~np.isnan(halves)].astype(np.float64))
    halves = halves[np.append(True, np.diff(halves, append=0)[:-1] != 0)]  # one zero, ends kept
    for rising in (
        np.unique(halves[np.isfinite(halves)]),
        np.arange(1 << 16),
        np.arange(1 << 16) / 65535,
        (np.arange(1 << 16) / 65535).astype(np.float32),
        np.arange(1 << 16) / 65536,
    ):
        levels = score_levels(rising).astype(np.int64)
        assert (np.diff(levels) > 0).all()


def test_order_is_kept_across_zero_and_infinity() -> None:
    scores = np.array([-np.inf, -1e9, -3.0, -0.5, -0.0, 0.0, 1e-7, 2.0, 7e4, np.inf])
    unknown = np.array([0, 1, 0, 1, 0, 1, 1, 0, 1, 1], bool)
    histogram = histogram_of(scores, unknown)
    assert figures(histogram.metrics()) == pytest.approx(
        figures(exact_pixel_metrics(scores, unknown))
    )
    assert histogram.bounds() is None


def test_images_pool_and_histograms_merge() -> None:
    generator = np.random.default_rng(2)
    scores = generator.random(1000).astype(np.float32)
    unknown = generator.random(1000) < 0.2
    first, second = ScoreHistogram(), ScoreHistogram()
    first.add(scores[:300].reshape(30, 10), unknown[:300].reshape(30, 10))
    first.add(scores[300:500], unknown[300:500])
    first.add(scores[:0], unknown[:0])
    second.add(scores[500:], unknown[500:])
    first.merge(second)
    whole = histogram_of(scores, unknown)
    assert first.metrics() == whole.metrics()
    assert first.bounds() == whole.bounds()
    curve = first.curve()
    assert (np.diff(curve.thresholds) < 0).all()


def test_all_scores_equal_is_one_threshold() -> None:
    metrics = exact_pixel_metrics(np.ones(10), np.arange(10) < 3)
    assert figures(metrics) == pytest.approx((0.3, 0.5, 1.0))


def test_fpr95_takes_the_first_threshold_that_reaches_exactly_95_percent() -> None:
    """19 of 20 is 0.95, which floating point may place just above."""
    scores = np.concatenate([np.linspace(1, 0.6, 19), [0.5, 0.4, 0.1]])
    unknown = np.array([True] * 19 + [False, False, True])
    assert exact_pixel_metrics(scores, unknown).fpr95 == 0
    assert histogram_of(scores, unknown).metrics().fpr95 == 0


@pytest.mark.parametrize(
    ("scores", "unknown", "complaint"),
    [
        (np.ones(3), np.ones(2, bool), r"shape \(3,\)"),
        (np.ones(3), np.ones(3), "give bool"),
        (np.array([0.5, np.nan]), np.array([True, False]), "NaN"),
        (np.array([0.5, 0.6]), np.array([True, True]), "both unknown and known"),
        (np.array([]), np.array([], bool), "both unknown and known"),
    ],
)
def test_bad_input_is_refused(scores: np.ndarray, unknown: np.ndarray, complaint: str) -> None:
    with pytest.raises(OodError, match=complaint):
        exact_pixel_metrics(scores, unknown)
    with pytest.raises(OodError, match=complaint):
        histogram_of(scores, unknown).metrics()
