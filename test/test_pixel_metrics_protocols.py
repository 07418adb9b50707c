"""The pixel protocols of SegmentMeIfYouCan and of the published code, by literal slow versions."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from ood_perception.errors import OodError
from ood_training.metrics import legacy100
from ood_training.metrics.legacy100 import Legacy100
from ood_training.metrics.pixel import exact_pixel_metrics
from ood_training.metrics.smiyc_pixel import SmiycPixelCurve, SmiycPixelMetrics

Frame = tuple[np.ndarray, np.ndarray]


def random_frame(generator: np.random.Generator, size: int) -> Frame:
    unknown = generator.random(size) < generator.choice([0.0, 0.1, 0.5])
    scores = np.clip(generator.normal(0.3 + 0.2 * unknown, 0.2), 0, 1)
    return np.round(scores, generator.choice([1, 2, 6])), unknown


def slow_smiyc(frames: list[Frame]) -> tuple[list[tuple[float, int, int]], int, int]:
    """(threshold, newly found, newly false) of every bin of every frame, one pixel at a time."""
    points = []
    for scores, unknown in frames:
        stored = [float(np.float16(score)) for score in scores]
        kinds = [[s for s, u in zip(stored, unknown, strict=True) if u == k] for k in (True, False)]
        edges = {0.0, 1.0}
        for kind in kinds:
            if kind:
                count = min(384, len(kind))
                edges |= set(np.quantile(np.float32(kind), np.linspace(0, 1, count)).tolist())
        rising = sorted(edges)
        for low, high in pairwise(rising):
            last = high == rising[-1]
            inside = [sum(low <= s < high or (last and s == high) for s in kind) for kind in kinds]
            points.append((low, *inside))
    points.sort(key=lambda point: point[0])
    total = [sum(int(u == k) for _, unknown in frames for u in unknown) for k in (True, False)]
    return points[::-1], total[0], total[1]


def slow_figures(frames: list[Frame]) -> SmiycPixelMetrics:
    points, unknown_pixels, known_pixels = slow_smiyc(frames)
    found = false = 0
    area, fpr95, best, best_threshold = 0.0, None, -1.0, 0.0
    for threshold, newly_found, newly_false in points:
        found, false = found + newly_found, false + newly_false
        if found + false:
            area += newly_found / unknown_pixels * found / (found + false)
        f1 = 2 * found / (2 * found + false + unknown_pixels - found)
        if f1 > best:
            best, best_threshold = f1, threshold
        if fpr95 is None and 100 * found >= 95 * unknown_pixels:
            fpr95 = false / known_pixels
    return SmiycPixelMetrics(area, 1.0 if fpr95 is None else fpr95, best, best_threshold)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_smiyc_same_as_the_literal_version(count: int, size: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    frames = [random_frame(generator, size) for _ in range(count)]
    truth = np.concatenate([unknown for _, unknown in frames])
    assume(truth.any() and not truth.all())
    curve = SmiycPixelCurve()
    for scores, unknown in frames:
        curve.add(scores, unknown)
    measured, expected = curve.metrics(), slow_figures(frames)
    for name in ("average_precision", "fpr95", "best_f1", "best_f1_threshold"):
        assert getattr(measured, name) == pytest.approx(getattr(expected, name), abs=1e-9), name


def test_smiyc_uses_384_quantiles_of_each_kind_and_stays_near_the_exact_figures() -> None:
    generator = np.random.default_rng(5)
    curve, scores, truth = SmiycPixelCurve(), [], []
    for _ in range(5):
        unknown = generator.random(20_000) < 0.1
        frame = np.clip(generator.normal(2.0 + unknown, 0.6), 0, 8)
        curve.add(frame, unknown)
        scores.append(frame)
        truth.append(unknown)
    assert all(300 < len(one) <= 2 * 384 + 1 for one in curve._thresholds)
    exact = exact_pixel_metrics(np.concatenate(scores), np.concatenate(truth))
    measured = curve.metrics()
    assert measured.average_precision == pytest.approx(exact.average_precision, abs=5e-3)
    assert measured.fpr95 == pytest.approx(exact.fpr95, abs=5e-3)
    assert 2.0 < measured.best_f1_threshold < 4.0


def slow_samples(counts: np.ndarray, total: int, samples: int) -> list[float]:
    """The list of scores that the published code builds of a histogram."""
    rescaled: list[float] = []
    for level, count in enumerate(counts):
        rescaled += [(level + 1) / 100] * (int(count) * samples // total)
    return rescaled


def slow_legacy(
    scores: np.ndarray, unknown: np.ndarray, curve_samples: int, precision_samples: int
) -> tuple[float, float, float]:
    """Average precision, AUROC and FPR95 from lists of samples (section 9, mark [L])."""
    counts = np.zeros((2, 100), int)
    for score, kind in zip(scores, unknown, strict=True):
        counts[int(kind), next(k for k in range(100) if k == 99 or score < (k + 1) / 100)] += 1
    known_list, unknown_list = (slow_samples(row, row.sum(), curve_samples) for row in counts)
    truth = [0] * len(known_list) + [1] * len(unknown_list)
    false_rate, true_rate, _ = roc_curve(truth, known_list + unknown_list, drop_intermediate=False)
    nearest = min(range(len(true_rate)), key=lambda k: abs(true_rate[k] - 0.95))
    auroc = roc_auc_score(truth, known_list + unknown_list)
    known_list, unknown_list = (
        slow_samples(row, counts.sum(), precision_samples) for row in counts
    )
    truth = [0] * len(known_list) + [1] * len(unknown_list)
    area = average_precision_score(truth, known_list + unknown_list)
    return area, auroc, float(false_rate[nearest])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_legacy100_same_as_lists_of_samples(seed: int) -> None:
    """With fewer samples than the published 1e5 and 1e7, so that the lists stay short."""
    generator = np.random.default_rng(seed)
    unknown = generator.random(3000) < 0.2
    scores = np.clip(generator.normal(0.4 + 0.2 * unknown, 0.2), 0, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(legacy100, "_CURVE_SAMPLES", 500)
        patch.setattr(legacy100, "_PRECISION_SAMPLES", 2000)
        protocol = Legacy100()
        protocol.add(scores.reshape(50, 60), unknown.reshape(50, 60))
        measured = protocol.metrics()
    expected = slow_legacy(scores, unknown, 500, 2000)
    assert (measured.average_precision, measured.auroc, measured.fpr95) == pytest.approx(
        expected, abs=1e-9
    )


def test_legacy100_truncation_and_nearest_point_by_hand() -> None:
    """Of a million unknown pixels, 9 in a bin leave no sample of 1e5 but some of 1e7."""
    protocol = Legacy100()
    protocol.counts[1, [0, 50, 99]] = [9, 60_000, 939_991]
    protocol.counts[0, [0, 50]] = [500_000, 500_000]
    metrics = protocol.metrics()
    # Of 1e5 samples, unknown: 6000 at 0.51 and 93999 at 1.00; known: 50000 at 0.01 and at 0.51.
    ahead = 93_999 / 99_999
    assert metrics.fpr95 == 0.0  # 0.94 is nearer to 0.95 than 1.0 is
    assert metrics.auroc == pytest.approx(0.5 * (ahead + 1) / 2 + 0.5)
    # Of 1e7 samples, unknown: 45 at 0.01, 300000 and 4699955; known: 2500000 twice.
    precision_sum = 4_699_955 + 300_000 * 4_999_955 / 7_499_955 + 45 * 0.5
    assert metrics.average_precision == pytest.approx(precision_sum / 5_000_000, abs=1e-12)


def test_legacy100_bins_have_upper_edges_and_hold_both_ends() -> None:
    protocol = Legacy100()
    protocol.add(np.array([0.0, 0.005, 0.01, 0.995, 1.0]), np.array([True] * 5))
    assert protocol.counts[1, [0, 1, 99]].tolist() == [2, 1, 2]
    with pytest.raises(OodError, match=r"leave \[0, 1\]"):
        protocol.add(np.array([1.5]), np.array([True]))
    with pytest.raises(OodError, match="both unknown and known"):
        protocol.metrics()


def test_smiyc_refuses_what_it_cannot_store() -> None:
    curve = SmiycPixelCurve()
    with pytest.raises(OodError, match="both unknown and known"):
        curve.metrics()
    with pytest.raises(OodError, match="float16"):
        curve.add(np.array([1e6, 0.0]), np.array([True, False]))
    curve.add(np.array([0.2, 0.3]), np.array([False, False]))
    with pytest.raises(OodError, match="both unknown and known"):
        curve.metrics()
