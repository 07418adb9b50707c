"""SegmentMeIfYouCan's component metrics: by hand, golden, and against a literal slow version."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from component_reference import slow_components
from golden_scene import UNKNOWN, UNSURE, VOID
from hypothesis import given, settings
from hypothesis import strategies as st

from ood_perception.errors import OodError
from ood_training.metrics.smiyc_components import (
    ANOMALY_TRACK,
    OBSTACLE_TRACK,
    SizeLimits,
    SmiycComponentMetrics,
    SmiycComponents,
)

EVERY_SIZE = SizeLimits(prediction_px=0, object_px=0)
TAUS = [Fraction(percent, 100) for percent in range(25, 80, 5)]


class Masks(NamedTuple):
    predicted: np.ndarray
    unknown: np.ndarray
    ignored: np.ndarray


def measured(limits: SizeLimits, *frames: Masks) -> SmiycComponentMetrics:
    components = SmiycComponents(limits)
    for frame in frames:
        components.add(*frame)
    return components.metrics()


def rows(*texts: str) -> Masks:
    """P predicted, O object, B both, x ignored, X ignored and predicted; the rest is neither."""
    letters = np.array([list(text) for text in texts])
    return Masks(
        np.isin(letters, ["P", "B", "X"]),
        np.isin(letters, ["O", "B"]),
        np.isin(letters, ["x", "X"]),
    )


def slow_frame(masks: Masks, limits: SizeLimits) -> tuple[list[Fraction], list[Fraction]]:
    """sIoU of every object and PPV of every prediction of a frame, by sets of pixels."""
    ignored = set(map(tuple, np.argwhere(masks.ignored).tolist()))
    predictions = [set(one) for one in slow_components(masks.predicted & ~masks.ignored)]
    predictions = [one for one in predictions if len(one) >= limits.prediction_px]
    objects = [set(one) for one in slow_components(masks.unknown)]
    for one in objects:
        if len(one) < limits.object_px:
            ignored |= one
    predictions = [one - ignored for one in predictions if one - ignored]
    objects = [one - ignored for one in objects if one - ignored]
    everything = set().union(*objects)
    sious = []
    for one in objects:
        meeting = set().union(*(q for q in predictions if q & one))
        adjusted = (one | meeting) - (meeting & (everything - one))
        sious.append(Fraction(len(one & meeting), len(adjusted)))
    return sious, [Fraction(len(q & everything), len(q)) for q in predictions]


def slow_metrics(limits: SizeLimits, frames: list[Masks]) -> SmiycComponentMetrics:
    sious, ppvs = [], []
    for frame in frames:
        of_objects, of_predictions = slow_frame(frame, limits)
        sious += of_objects
        ppvs += of_predictions
    f1 = Fraction(0)
    for tau in TAUS if sious else []:
        found = sum(siou >= tau for siou in sious)
        missed = sum(siou < tau for siou in sious)
        false = sum(ppv < tau for ppv in ppvs)
        f1 += Fraction(2 * found, 2 * found + missed + false) / len(TAUS)
    return SmiycComponentMetrics(
        mean_siou=float(sum(sious) / len(sious)) if sious else None,
        mean_ppv=float(sum(ppvs) / len(ppvs)) if ppvs else 0.0,
        mean_f1=float(f1) if sious else None,
        objects=len(sious),
        predictions=len(ppvs),
    )


def assert_same(one: SmiycComponentMetrics, other: SmiycComponentMetrics) -> None:
    assert (one.objects, one.predictions) == (other.objects, other.predictions)
    assert (one.mean_siou is None) == (other.mean_siou is None) == (one.objects == 0)
    assert one.mean_ppv == pytest.approx(other.mean_ppv, abs=1e-12)
    if one.objects:
        assert one.mean_siou == pytest.approx(other.mean_siou, abs=1e-12)
        assert one.mean_f1 == pytest.approx(other.mean_f1, abs=1e-12)


def random_masks(generator: np.random.Generator) -> Masks:
    """Blocks of objects, predictions that follow them more or less, and an ignored part."""
    shape = generator.integers(1, 16, 2)
    share = generator.choice([0.1, 0.3, 0.5])
    blocks = generator.random((shape + 2) // 3) < share
    unknown = np.kron(blocks, np.ones((3, 3), bool))[: shape[0], : shape[1]].astype(bool)
    predicted = unknown ^ (generator.random(shape) < generator.choice([0.02, 0.1, 0.4]))
    ignored = (generator.random(shape) < generator.choice([0.0, 0.1, 0.3])) & ~unknown
    return Masks(predicted, unknown, ignored)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 3), st.integers(0, 12), st.integers(0, 12), st.integers(0, 2**32 - 1))
def test_same_as_the_literal_version(
    count: int, prediction_px: int, object_px: int, seed: int
) -> None:
    """Random images with ignored regions and both size filters, pooled over several images."""
    generator = np.random.default_rng(seed)
    frames = [random_masks(generator) for _ in range(count)]
    limits = SizeLimits(prediction_px, object_px)
    assert_same(measured(limits, *frames), slow_metrics(limits, frames))


def test_random_images_use_every_rule() -> None:
    """The comparison above sees matches, misses, false components and both filters at work."""
    generator = np.random.default_rng(3)
    frames = [random_masks(generator) for _ in range(40)]
    everything, filtered = (measured(SizeLimits(*px), *frames) for px in ((0, 0), (4, 10)))
    assert 0.1 < filtered.mean_f1 < 0.9
    assert 0 < filtered.objects < everything.objects
    assert 0 < filtered.predictions < everything.predictions


def test_golden_scene() -> None:
    """Section 7.3: sIoU 0 and 5/24, PPV 0, 5/17 and 0; nothing overlaps by a quarter."""
    metrics = measured(EVERY_SIZE, Masks(UNSURE, UNKNOWN, VOID))
    assert (metrics.objects, metrics.predictions) == (2, 3)
    assert metrics.mean_siou == pytest.approx(5 / 48)
    assert metrics.mean_ppv == pytest.approx(5 / 51)
    assert metrics.mean_f1 == 0


def test_golden_scene_with_size_limits() -> None:
    """The object of 2 pixels becomes ignored, the prediction of 1 pixel is removed."""
    metrics = measured(SizeLimits(2, 3), Masks(UNSURE, UNKNOWN, VOID))
    assert (metrics.objects, metrics.predictions) == (1, 2)
    assert metrics.mean_siou == pytest.approx(5 / 24)
    assert metrics.mean_ppv == pytest.approx(5 / 34)
    # At the limit itself both count.
    metrics = measured(SizeLimits(1, 2), Masks(UNSURE, UNKNOWN, VOID))
    assert (metrics.objects, metrics.predictions) == (2, 3)


def test_f1_over_the_eleven_thresholds_by_hand() -> None:
    """One object of sIoU 0.4 under a prediction of PPV 1, and one false component.

    Found at 0.25 to 0.40, the tie included: F1 = 2 / (2 + 0 + 1); from 0.45 on it is missed.
    """
    metrics = measured(EVERY_SIZE, rows("BBOOO.PP"))
    assert metrics.mean_siou == pytest.approx(0.4)
    assert metrics.mean_ppv == pytest.approx(0.5)
    assert metrics.mean_f1 == pytest.approx(4 / 11 * 2 / 3)


@pytest.mark.parametrize("twentieths", range(5, 16))
def test_an_overlap_equal_to_a_threshold_reaches_it(twentieths: int) -> None:
    """Ties are decided as for exact fractions, on the side of objects and of predictions."""
    object_side = measured(EVERY_SIZE, rows("B" * twentieths + "O" * (20 - twentieths)))
    assert object_side.mean_f1 == pytest.approx((twentieths - 4) / 11)
    prediction_side = measured(EVERY_SIZE, rows("B" * twentieths + "P" * (20 - twentieths)))
    assert prediction_side.mean_f1 == pytest.approx((twentieths - 4) / 11)


def test_ignored_pixels_belong_to_no_prediction() -> None:
    """They are taken away first: they join nothing, and what is left of a component is filtered."""
    metrics = measured(EVERY_SIZE, rows("BBXXPP"))
    assert metrics.predictions == 2
    assert (metrics.mean_siou, metrics.mean_ppv) == (1, 0.5)
    assert measured(SizeLimits(3, 0), rows("BBXXPPP")).predictions == 1


def test_a_small_object_leaves_with_what_is_predicted_on_it() -> None:
    metrics = measured(SizeLimits(0, 3), rows("PPBB..BBB"))
    assert (metrics.objects, metrics.predictions) == (1, 2)
    assert (metrics.mean_siou, metrics.mean_ppv) == (1, 0.5)
    # The size of a prediction is that before the object's pixels leave.
    assert measured(SizeLimits(4, 3), rows("PPBB..OOO")).predictions == 1


def test_nothing_predicted_has_a_precision_of_zero() -> None:
    metrics = measured(EVERY_SIZE, rows("OO..O"))
    assert metrics == SmiycComponentMetrics(0.0, 0.0, 0.0, objects=2, predictions=0)


def test_no_object_that_counts_leaves_figures_without_a_value() -> None:
    metrics = measured(SizeLimits(0, 3), rows("OO.P"))
    assert metrics == SmiycComponentMetrics(None, 0.0, None, objects=0, predictions=1)


def test_the_benchmarks_limits() -> None:
    assert SizeLimits(prediction_px=500, object_px=100) == ANOMALY_TRACK
    assert SizeLimits(prediction_px=50, object_px=10) == OBSTACLE_TRACK


def test_masks_of_different_grids_are_refused() -> None:
    mask = np.zeros((3, 4), bool)
    with pytest.raises(OodError, match="one grid"):
        SmiycComponents(EVERY_SIZE).add(mask, mask, mask.T)
