"""Components and their metrics: golden values, a literal slow version, invariances, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from component_reference import neighbours, slow_labels, slow_metrics
from golden_scene import GOLDEN, PROBABILITIES, THRESHOLD, UNSURE, VOID
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ood_perception.components import (
    ComponentMetrics,
    border_class_share,
    bounding_boxes,
    component_metrics,
    component_pixels,
    metric_names,
    road_border_share,
    sparse_component_metrics,
)
from ood_perception.errors import OodError
from ood_perception.scores import normalized_entropy_of_probabilities


def random_probabilities(seed: int, num_classes: int, height: int, width: int) -> np.ndarray:
    """(C, H, W) float32, some pixels sharp, some flat, some exactly one-hot or tied."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(num_classes, height, width)) * generator.choice(
        [0, 1, 5, 100], size=(height, width)
    )
    exponentials = np.exp(logits - logits.max(axis=0))
    return (exponentials / exponentials.sum(axis=0)).astype(np.float32)


def column(metrics: ComponentMetrics, name: str) -> np.ndarray:
    return metrics.values[:, metrics.names.index(name)]


def block(metrics: ComponentMetrics, prefix: str) -> np.ndarray:
    chosen = [name.startswith(prefix) for name in metrics.names]
    return metrics.values[:, chosen]


def assert_same_as_slow(
    metrics: ComponentMetrics, probabilities: np.ndarray, mask: np.ndarray
) -> None:
    np.testing.assert_array_equal(metrics.labels, slow_labels(mask))
    slow = slow_metrics(probabilities, mask)
    expected = np.array([[row[name] for name in metrics.names] for row in slow])
    np.testing.assert_allclose(
        metrics.values, expected.reshape(len(slow), len(metrics.names)), rtol=0, atol=1e-9
    )


@st.composite
def scenes(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, mask and ignore of a small image, of 2 to 19 classes."""
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    num_classes = draw(st.integers(2, 19))
    mask = draw(arrays(bool, (height, width)))
    ignore = draw(arrays(bool, (height, width), fill=st.just(False)))
    seed = draw(st.integers(0, 2**32 - 1))
    return random_probabilities(seed, num_classes, height, width), mask, ignore


# Names


@pytest.mark.parametrize(("num_classes", "count"), [(2, 41), (11, 59), (19, 75)])
def test_there_are_37_and_2c_names_in_ascii_order(num_classes: int, count: int) -> None:
    names = metric_names(num_classes)
    assert len(names) == len(set(names)) == count
    assert list(names) == sorted(names)


def test_names_of_19_classes_stand_in_the_published_order() -> None:
    names = metric_names(19)
    assert names[:10] == (
        "D", "D_bd", "D_in", "D_rel", "D_rel_in", "D_var", "D_var_bd", "D_var_in", "D_var_rel",
        "D_var_rel_in",
    )  # fmt: skip
    assert names[20:25] == ("S", "S_bd", "S_in", "S_rel", "S_rel_in")
    assert names[35:38] == ("cprob0", "cprob1", "cprob10")
    assert names[53:56] == ("cprob9", "mean_x", "mean_y")
    assert names[-1] == "ndist9"


# Golden values


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_golden_example(name: str, dtype: type) -> None:
    mask = normalized_entropy_of_probabilities(PROBABILITIES) >= THRESHOLD
    metrics = component_metrics(PROBABILITIES.astype(dtype), mask, ignore=VOID)
    assert column(metrics, name) == pytest.approx(GOLDEN[name], rel=5e-6, abs=1e-9)


def test_golden_table_is_whole_and_its_mask_is_the_thresholded_entropy() -> None:
    assert set(GOLDEN) == set(metric_names(3))
    entropy = normalized_entropy_of_probabilities(PROBABILITIES)
    np.testing.assert_array_equal(entropy >= THRESHOLD, UNSURE)
    labels = component_metrics(PROBABILITIES, UNSURE, ignore=VOID).labels
    assert (labels[0, 8], labels[1, 1], labels[5, 5], labels[7, 7], labels[7, 0]) == (1, 2, 2, 3, 0)


# Against the literal version


@settings(max_examples=100, deadline=None)
@given(scenes())
def test_same_as_the_literal_version(scene: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    probabilities, mask, ignore = scene
    metrics = component_metrics(probabilities, mask, ignore=ignore)
    assert_same_as_slow(metrics, probabilities, mask & ~ignore)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.97, 1.0])
def test_same_as_the_literal_version_on_larger_masks(share: float) -> None:
    mask = np.random.default_rng(3).random((40, 55)) < share
    probabilities = random_probabilities(4, 5, 40, 55)
    assert_same_as_slow(component_metrics(probabilities, mask), probabilities, mask)


@pytest.mark.parametrize("threads", [1, 2])
def test_components_larger_than_one_block_are_summed_across_blocks(
    monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    monkeypatch.setattr("ood_perception.components._READ_PIXELS", 20)
    monkeypatch.setattr("ood_perception.pixel_statistics._BLOCK_PIXELS", 7)
    monkeypatch.setattr("cv2.getNumThreads", lambda: threads)
    mask = np.random.default_rng(5).random((30, 30)) < 0.5
    probabilities = random_probabilities(6, 4, 30, 30)
    assert_same_as_slow(component_metrics(probabilities, mask), probabilities, mask)


def test_two_threads_give_the_same_bits_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ood_perception.components._READ_PIXELS", 11)
    mask = np.ones((40, 40), bool)
    probabilities = random_probabilities(14, 5, 40, 40)
    tables = []
    for threads in (1, 2, 2, 2):
        monkeypatch.setattr("cv2.getNumThreads", lambda threads=threads: threads)
        tables.append(component_metrics(probabilities, mask).values)
    for table in tables[1:]:
        np.testing.assert_array_equal(table, tables[0])


def test_variances_do_not_cancel() -> None:
    """Nearly equal probabilities: a one-pass variance would be rounding noise."""
    generator = np.random.default_rng(7)
    first = 0.6 + 1e-6 * generator.random((50, 50))
    probabilities = np.stack([first, 1 - first])
    metrics = component_metrics(probabilities, np.ones((50, 50), bool))
    assert column(metrics, "V_var")[0] == pytest.approx(np.var(first), rel=1e-6)


def test_array_order_in_memory_does_not_matter() -> None:
    probabilities = random_probabilities(8, 6, 20, 30)
    mask = np.random.default_rng(9).random((20, 30)) < 0.4
    expected = component_metrics(probabilities, mask).values
    transposed = np.ascontiguousarray(probabilities.transpose(1, 2, 0)).transpose(2, 0, 1)
    np.testing.assert_array_equal(
        component_metrics(transposed, np.asfortranarray(mask)).values, expected
    )


def test_sparse_form_needs_probabilities_at_components_only() -> None:
    probabilities = random_probabilities(10, 7, 25, 35)
    mask = np.random.default_rng(11).random((25, 35)) < 0.3
    pixels = component_pixels(mask)
    metrics = sparse_component_metrics(
        pixels,
        probabilities[:, pixels.rows, pixels.columns],
        probabilities.argmax(axis=0).astype(np.uint8),
    )
    np.testing.assert_array_equal(metrics.values, component_metrics(probabilities, mask).values)


# Labels and pixels


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


# Invariances


@settings(max_examples=60, deadline=None)
@given(scenes())
def test_distributions_sum_to_one(scene: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    probabilities, mask, ignore = scene
    metrics = component_metrics(probabilities, mask, ignore=ignore)
    np.testing.assert_allclose(block(metrics, "cprob").sum(axis=1), 1, atol=1e-5)
    has_boundary = column(metrics, "S_bd") > 0
    np.testing.assert_allclose(block(metrics, "ndist").sum(axis=1), has_boundary, atol=1e-12)
    variances = [i for i, name in enumerate(metrics.names) if "_var" in name]
    assert np.all(metrics.values[:, variances] >= 0)


@settings(max_examples=60, deadline=None)
@given(scenes())
def test_a_mirror_changes_nothing_but_the_mean_column(
    scene: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    probabilities, mask, _ = scene
    metrics = component_metrics(probabilities, mask)
    mirrored = component_metrics(probabilities[:, :, ::-1], mask[:, ::-1])
    # The mirrored image numbers its components otherwise: match them through the label maps.
    partner = np.zeros(len(metrics.values), int)
    partner[metrics.labels[mask] - 1] = mirrored.labels[:, ::-1][mask] - 1
    values = mirrored.values[partner]
    mean_y = metrics.names.index("mean_y")
    values[:, mean_y] = mask.shape[1] - 1 - values[:, mean_y]
    np.testing.assert_allclose(values, metrics.values, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(scenes(), st.randoms(use_true_random=False))
def test_renaming_classes_only_moves_class_columns(scene, random) -> None:  # type: ignore[no-untyped-def]
    probabilities, mask, _ = scene
    # Ties between classes are broken by their number, so they are taken out.
    ramp = np.arange(len(probabilities), dtype=np.float32)[:, None, None]
    probabilities = (probabilities + 1e-4 * ramp) / (1 + 1e-4 * ramp.sum())
    order = random.sample(range(len(probabilities)), len(probabilities))
    metrics = component_metrics(probabilities, mask)
    renamed = component_metrics(probabilities[order], mask)
    for name in metrics.names:
        source = name
        if name.startswith(("cprob", "ndist")):
            source = name[:5] + str(order[int(name[5:])])
        np.testing.assert_allclose(column(renamed, name), column(metrics, source), atol=1e-9)


# Bad input


PROBABILITIES_OK = np.full((3, 4, 5), 1 / 3, np.float32)
MASK_OK = np.eye(4, 5, dtype=bool)


@pytest.mark.parametrize(
    ("probabilities", "mask", "ignore", "complaint"),
    [
        (PROBABILITIES_OK[0], MASK_OK, None, r"shape \(4, 5\); give \(classes, height, width\)"),
        (PROBABILITIES_OK[:1], MASK_OK, None, "at least 2 classes"),
        (PROBABILITIES_OK.astype(int), MASK_OK, None, "dtype int64; give float32"),
        (PROBABILITIES_OK.astype(np.float16), MASK_OK, None, "dtype float16"),
        (PROBABILITIES_OK, MASK_OK.T, None, r"\(3, 4, 5\) but the mask has \(5, 4\)"),
        (PROBABILITIES_OK, MASK_OK[None], None, r"mask has shape \(1, 4, 5\)"),
        (PROBABILITIES_OK, MASK_OK.astype(np.float32), None, "mask has dtype float32"),
        (PROBABILITIES_OK, np.zeros((0, 5), bool), None, "both at least 1"),
        (PROBABILITIES_OK, MASK_OK, MASK_OK.T, r"ignore has shape \(5, 4\)"),
        (PROBABILITIES_OK, MASK_OK, MASK_OK * 0.5, "ignore has dtype float64"),
    ],
)
def test_wrong_shapes_and_dtypes_are_refused_in_one_line(
    probabilities: np.ndarray, mask: np.ndarray, ignore: np.ndarray | None, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        component_metrics(probabilities, mask, ignore=ignore)
    assert isinstance(caught.value, OodError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.01, 7.0])
def test_a_component_without_real_probabilities_is_refused(
    value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    probabilities = PROBABILITIES_OK.copy()
    probabilities[1, 2, 2] = value
    monkeypatch.setattr("ood_perception.components._READ_PIXELS", 1)
    with pytest.raises(ValueError, match=r"component 1 has probability .* for class 1"):
        component_metrics(probabilities, MASK_OK)


def test_nan_next_to_a_component_is_refused_and_has_no_effect_elsewhere() -> None:
    probabilities = PROBABILITIES_OK.copy()
    probabilities[0, 0, 1] = np.nan
    with pytest.raises(ValueError, match="next to a component"):
        component_metrics(probabilities, MASK_OK)
    far = PROBABILITIES_OK.copy()
    far[:, 3, 0] = np.nan
    np.testing.assert_array_equal(
        component_metrics(far, MASK_OK).values,
        component_metrics(PROBABILITIES_OK, MASK_OK).values,
    )


def test_sparse_form_refuses_what_does_not_fit() -> None:
    pixels = component_pixels(MASK_OK)
    probabilities = np.full((3, 4), 1 / 3, np.float32)
    class_map = np.zeros((4, 5), np.uint8)
    with pytest.raises(ValueError, match="3 pixels but the components have 4"):
        sparse_component_metrics(pixels, probabilities[:, :3], class_map)
    with pytest.raises(ValueError, match=r"class map has shape \(5, 4\)"):
        sparse_component_metrics(pixels, probabilities, class_map.T)
    with pytest.raises(ValueError, match="integer class ids"):
        sparse_component_metrics(pixels, probabilities, class_map.astype(np.float32))
    with pytest.raises(ValueError, match="class 255 next to a component"):
        sparse_component_metrics(pixels, probabilities, class_map + np.uint8(255))
