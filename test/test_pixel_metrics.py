"""AP, AUROC, FPR95 and mIoU: golden values, ties, and agreement with scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, jaccard_score, roc_auc_score, roc_curve

from ood_perception.errors import OodError
from ood_training.metrics.pixel import PixelMetrics, ScoreHistogram, exact_pixel_metrics
from ood_training.metrics.segmentation import class_ious, confusion_matrix, mean_iou

GOLDEN_SCORES = np.array([0.1, 0.2, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
GOLDEN_UNKNOWN = np.array([0, 0, 1, 0, 0, 1, 0, 1, 0, 1], bool)


def counted(scores: np.ndarray, unknown: np.ndarray, score_range: str) -> PixelMetrics:
    histogram = ScoreHistogram(score_range)  # type: ignore[arg-type]
    histogram.add(scores, unknown)
    return histogram.metrics()


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


@pytest.mark.parametrize("score_range", ["exact", "unit", "any"])
def test_golden_values(score_range: str) -> None:
    if score_range == "exact":
        metrics = exact_pixel_metrics(GOLDEN_SCORES, GOLDEN_UNKNOWN)
    else:
        metrics = counted(GOLDEN_SCORES, GOLDEN_UNKNOWN, score_range)
    assert figures(metrics) == pytest.approx((0.691667, 0.708333, 0.666667), abs=5e-7)
    assert (metrics.unknown_pixels, metrics.known_pixels) == (4, 6)


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 300), st.integers(1, 50), st.integers(0, 2**32 - 1))
def test_same_as_scikit_learn_on_scores_with_ties(size: int, levels: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, levels, size) / levels
    unknown = generator.random(size) < 0.3
    assume(unknown.any() and not unknown.all())
    expected = by_scikit_learn(scores, unknown)
    assert figures(exact_pixel_metrics(scores, unknown)) == pytest.approx(expected, abs=1e-12)
    for score_range in ("unit", "any"):
        assert figures(counted(scores, unknown, score_range)) == pytest.approx(expected, abs=1e-12)


def test_histograms_of_unbounded_scores_keep_order_across_zero_and_infinity() -> None:
    scores = np.array([-np.inf, -1e9, -3.0, -0.5, -0.0, 0.0, 1e-7, 2.0, 7e4, np.inf])
    unknown = np.array([0, 1, 0, 1, 0, 1, 1, 0, 1, 1], bool)
    with np.errstate(over="ignore"):
        halves = scores.astype(np.float16)
    assert figures(counted(scores, unknown, "any")) == pytest.approx(
        figures(exact_pixel_metrics(halves, unknown))
    )


def test_histogram_is_close_to_exact_on_continuous_scores() -> None:
    generator = np.random.default_rng(1)
    unknown = generator.random((300, 400)) < 0.02
    scores = 1 / (1 + np.exp(-generator.normal(size=unknown.shape) - 2 * unknown))
    exact = figures(exact_pixel_metrics(scores, unknown))
    assert figures(counted(scores, unknown, "unit")) == pytest.approx(exact, abs=2e-4)
    assert figures(counted(scores, unknown, "any")) == pytest.approx(exact, abs=2e-3)


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
    assert first.metrics() == counted(scores, unknown, "unit")


def test_all_scores_equal_is_one_threshold() -> None:
    metrics = exact_pixel_metrics(np.ones(10), np.arange(10) < 3)
    assert figures(metrics) == pytest.approx((0.3, 0.5, 1.0))


def test_fpr95_takes_the_first_threshold_that_reaches_exactly_95_percent() -> None:
    """19 of 20 is 0.95, which floating point may place just above."""
    scores = np.concatenate([np.linspace(1, 0.6, 19), [0.5, 0.4, 0.1]])
    unknown = np.array([True] * 19 + [False, False, True])
    assert exact_pixel_metrics(scores, unknown).fpr95 == 0


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
        counted(scores, unknown, "unit")


def test_scores_that_leave_the_histograms_range_are_refused() -> None:
    histogram = ScoreHistogram()
    with pytest.raises(OodError, match=r"leave \[0, 1\]"):
        histogram.add(np.array([0.2, 1.5]), np.array([True, False]))
    assert not histogram.counts.any()
    with pytest.raises(OodError, match="cannot be merged"):
        histogram.merge(ScoreHistogram("any"))
    with pytest.raises(OodError, match="unknown; give"):
        ScoreHistogram("percent")  # type: ignore[arg-type]


def test_confusion_matrix_and_ious() -> None:
    labels = np.array([[0, 0, 1], [1, 255, 254]], np.uint8)
    predicted = np.array([[0, 1, 1], [1, 0, 2]], np.uint8)
    confusion = confusion_matrix(predicted, labels, 4, ignored_labels=(254, 255))
    assert confusion.tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(class_ious(confusion), [1 / 2, 2 / 3, np.nan, np.nan])
    assert mean_iou(confusion) == pytest.approx(7 / 12)
    assert np.isnan(mean_iou(np.zeros((4, 4), np.int64)))


def test_mean_iou_is_the_mean_jaccard_score() -> None:
    generator = np.random.default_rng(3)
    labels, predicted = generator.integers(0, 5, (2, 40, 30))
    expected = jaccard_score(labels.ravel(), predicted.ravel(), average="macro")
    assert mean_iou(confusion_matrix(predicted, labels, 5)) == pytest.approx(expected)


def test_labels_that_are_no_class_are_refused_unless_ignored() -> None:
    labels = np.array([0, 1, 254], np.uint8)
    with pytest.raises(OodError, match="label 254 is none of the 2 classes"):
        confusion_matrix(np.zeros(3, np.uint8), labels, 2)
    with pytest.raises(OodError, match="predicted class 2"):
        confusion_matrix(np.array([0, 2, 0]), labels, 2, ignored_labels=(254,))
    with pytest.raises(OodError, match="one grid"):
        confusion_matrix(np.zeros(2, np.uint8), labels, 2)
