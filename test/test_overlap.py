"""Overlap of predictions with real objects: golden values and a literal slow version."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from component_reference import neighbours, slow_components
from golden_scene import UNKNOWN, UNSURE, VOID
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ood_perception.components import component_pixels
from ood_perception.errors import OodError
from ood_training.metrics.overlap import benchmark_overlap, prediction_overlap


def slow_iou(
    component: list[tuple[int, int]], predicted: np.ndarray, unknown: np.ndarray
) -> Fraction:
    """I / U of the method, by walking through missed unknown pixels one step at a time."""
    common = sum(bool(unknown[pixel]) for pixel in component)
    if not common:
        return Fraction(0)
    reached: set[tuple[int, int]] = set()
    waiting = list(component)
    while waiting:
        for other in neighbours(*waiting.pop(), *predicted.shape):
            if unknown[other] and not predicted[other] and other not in reached:
                reached.add(other)
                waiting.append(other)
    return Fraction(common, len(component) + len(reached))


def slow_siou(
    real: set[tuple[int, int]],
    predictions: list[set[tuple[int, int]]],
    unknown: set[tuple[int, int]],
) -> Fraction:
    meeting = set().union(*(one for one in predictions if one & real))
    elsewhere = meeting & (unknown - real)
    return Fraction(len(real & meeting), len((real | meeting) - elsewhere))


masks = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape), arrays(bool, shape))
)


def test_golden_prediction_side() -> None:
    overlap = prediction_overlap(component_pixels(UNSURE, VOID), UNKNOWN)
    assert overlap.common_pixels.tolist() == [0, 5, 0]
    assert overlap.iou == pytest.approx([0, 5 / 26, 0])
    assert overlap.false_positive.tolist() == [True, False, True]


def test_golden_object_side() -> None:
    predicted, real = component_pixels(UNSURE, VOID), component_pixels(UNKNOWN)
    overlap = benchmark_overlap(predicted.labels, real.labels)
    assert overlap.object_area.tolist() == [2, 12]
    assert overlap.object_found_pixels.tolist() == [0, 5]
    assert overlap.false_negative.tolist() == [True, False]
    assert overlap.siou == pytest.approx([0, 5 / 24])
    assert overlap.prediction_area.tolist() == [6, 17, 1]
    assert overlap.ppv == pytest.approx([0, 5 / 17, 0])


@settings(max_examples=100, deadline=None)
@given(masks)
def test_prediction_side_same_as_the_literal_version(
    scene: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    mask, unknown, _ = scene
    overlap = prediction_overlap(component_pixels(mask), unknown)
    components = slow_components(mask)
    assert len(overlap.iou) == len(components)
    for k, component in enumerate(components):
        iou = slow_iou(component, mask, unknown)
        assert overlap.iou[k] == pytest.approx(float(iou))
        assert overlap.false_positive[k] == (iou == 0)


@settings(max_examples=100, deadline=None)
@given(masks)
def test_benchmark_same_as_the_literal_version(
    scene: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    mask, unknown, inside = scene
    overlap = benchmark_overlap(
        component_pixels(mask).labels, component_pixels(unknown).labels, inside
    )
    kept = set(map(tuple, np.argwhere(inside).tolist()))
    predictions = [set(one) & kept for one in slow_components(mask)]
    objects = [set(one) & kept for one in slow_components(unknown)]
    everything = set().union(*objects)
    assert overlap.object_area.tolist() == [len(one) for one in objects]
    assert overlap.prediction_area.tolist() == [len(one) for one in predictions]
    for k, real in enumerate(objects):
        expected = slow_siou(real, predictions, everything) if real else 0
        assert overlap.siou[k] == pytest.approx(float(expected))
        assert overlap.false_negative[k] == (bool(real) and expected == 0)
    for q, one in enumerate(predictions):
        expected = Fraction(len(one & everything), max(len(one), 1))
        assert overlap.ppv[q] == pytest.approx(float(expected))


def test_a_prediction_is_not_blamed_for_another_object_that_it_covers() -> None:
    """The adjustment of sIoU: a bar across two objects lowers neither's score for the other."""
    real = np.array([[1, 1, 0, 2, 2]])
    overlap = benchmark_overlap(np.ones((1, 5), int), real)
    assert overlap.siou == pytest.approx([2 / 3, 2 / 3])
    assert overlap.ppv == pytest.approx([4 / 5])


def test_nothing_predicted_and_nothing_there() -> None:
    empty, some = np.zeros((3, 4), bool), np.eye(3, 4, dtype=bool)
    nothing = component_pixels(empty)
    assert prediction_overlap(nothing, some).iou.shape == (0,)
    assert prediction_overlap(component_pixels(some), empty).false_positive.tolist() == [True]
    overlap = benchmark_overlap(nothing.labels, component_pixels(some).labels)
    assert overlap.false_negative.tolist() == [True]
    assert overlap.siou.tolist() == [0]
    assert overlap.ppv.shape == (0,)


def test_maps_of_different_grids_are_refused() -> None:
    pixels = component_pixels(np.eye(3, 4, dtype=bool))
    with pytest.raises(OodError, match="one grid"):
        prediction_overlap(pixels, np.ones((4, 3), bool))
    with pytest.raises(OodError, match="give bool"):
        prediction_overlap(pixels, np.ones((3, 4), np.uint8))
    with pytest.raises(OodError, match="one grid"):
        benchmark_overlap(pixels.labels, np.ones((4, 3), int))
    with pytest.raises(OodError, match="one grid"):
        benchmark_overlap(pixels.labels, pixels.labels, np.ones((4, 3), bool))
