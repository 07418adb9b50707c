"""Which pixels make a component, its order, its border, and what surrounds it."""

from __future__ import annotations

import numpy as np
import pytest
from component_examples import block, column, random_probabilities
from component_reference import neighbours, slow_labels
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ood_perception.components import (
    border_class_share,
    bounding_boxes,
    component_metrics,
    component_pixels,
    road_border_share,
    sparse_component_metrics,
)


def test_labels_follow_the_first_pixel_not_the_top_left_block() -> None:
    """The second component starts in an earlier column block but a later row."""
    mask = np.zeros((4, 9), bool)
    mask[0, 7] = mask[1, 0] = mask[3, 4] = mask[1, 3] = True
    labels = component_pixels(mask).labels
    assert labels.dtype == np.int32
    assert (labels[0, 7], labels[1, 0], labels[1, 3], labels[3, 4]) == (1, 2, 3, 4)


@settings(max_examples=60, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 20), st.integers(1, 20))))
def test_pixels_are_grouped_by_component_and_inner_before_boundary(mask: np.ndarray) -> None:
    pixels = component_pixels(mask)
    height, width = mask.shape
    np.testing.assert_array_equal(pixels.labels, slow_labels(mask))
    np.testing.assert_array_equal(pixels.labels[pixels.rows, pixels.columns], pixels.component + 1)
    assert pixels.areas.sum() == pixels.rows.size == mask.sum()
    for k in range(pixels.count):
        for start, stop, is_boundary in (
            (pixels.starts[k], pixels.boundary_starts[k], False),
            (pixels.boundary_starts[k], pixels.starts[k + 1], True),
        ):
            part = pixels.positions[start:stop]
            assert np.all(np.diff(part) > 0)
            assert np.all(pixels.component[start:stop] == k)
            for position in part:
                around = neighbours(*divmod(int(position), width), height, width)
                assert any(not mask[other] for other in around) == is_boundary


@settings(max_examples=60, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 15), st.integers(1, 15))))
def test_boxes_and_border_shares(mask: np.ndarray) -> None:
    pixels = component_pixels(mask)
    class_map = np.arange(mask.size, dtype=np.uint8).reshape(mask.shape) % 5
    metrics = sparse_component_metrics(pixels, np.full((5, mask.sum()), 0.2), class_map)
    shares = column(metrics, "ndist0") + column(metrics, "ndist3")
    np.testing.assert_allclose(border_class_share(pixels, class_map, (0, 3)), shares, atol=1e-12)
    np.testing.assert_array_equal(
        road_border_share(pixels, class_map, {4}), column(metrics, "ndist4")
    )
    boxes = bounding_boxes(pixels)
    assert boxes.shape == (pixels.count, 4)
    for label, (left, top, width, height) in enumerate(boxes, start=1):
        rows, columns = np.nonzero(pixels.labels == label)
        assert (left, top) == (columns.min(), rows.min())
        assert (width, height) == (np.ptp(columns) + 1, np.ptp(rows) + 1)


def test_a_filled_image_has_no_boundary_and_no_surroundings() -> None:
    metrics = component_metrics(random_probabilities(0, 3, 6, 7), np.ones((6, 7), bool))
    assert column(metrics, "S_bd")[0] == 0
    assert column(metrics, "S_rel")[0] == column(metrics, "S_in")[0] == 42
    assert np.all(block(metrics, "ndist") == 0)


@pytest.mark.parametrize("ignore", [None, np.ones((5, 4), np.uint8) * 255])
def test_without_components_the_table_is_empty(ignore: np.ndarray | None) -> None:
    mask = np.full((5, 4), ignore is not None)
    metrics = component_metrics(random_probabilities(0, 11, 5, 4), mask, ignore=ignore)
    assert metrics.values.shape == (0, 59)
    assert metrics.values.dtype == np.float64
    assert metrics.labels.dtype == np.int32
    assert not metrics.labels.any()


def test_integer_masks_count_as_set_where_they_are_not_zero() -> None:
    mask = np.array([[0, 255, 1], [0, 0, 0], [256, 0, -1]])
    probabilities = random_probabilities(0, 3, 3, 3)
    np.testing.assert_array_equal(
        component_metrics(probabilities, mask).values,
        component_metrics(probabilities, mask != 0).values,
    )
