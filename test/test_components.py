"""The metrics of components: golden values, a literal slow version, invariances."""

from __future__ import annotations

import numpy as np
import pytest
from component_examples import block, column, random_probabilities, scenes
from component_reference import slow_labels, slow_metrics
from golden_scene import GOLDEN, PROBABILITIES, THRESHOLD, UNSURE, VOID
from hypothesis import given, settings
from hypothesis import strategies as st

from ood_perception.components import (
    ComponentMetrics,
    component_metrics,
    component_pixels,
    metric_names,
    sparse_component_metrics,
)
from ood_perception.scores import normalized_entropy_of_probabilities


def assert_same_as_slow(
    metrics: ComponentMetrics, probabilities: np.ndarray, mask: np.ndarray
) -> None:
    np.testing.assert_array_equal(metrics.labels, slow_labels(mask))
    slow = slow_metrics(probabilities, mask)
    expected = np.array([[row[name] for name in metrics.names] for row in slow])
    np.testing.assert_allclose(
        metrics.values, expected.reshape(len(slow), len(metrics.names)), rtol=0, atol=1e-9
    )


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
    monkeypatch.setattr("ood_perception.pixel_statistics._BLOCK_PIXELS", 7)
    monkeypatch.setattr("cv2.getNumThreads", lambda: threads)
    mask = np.random.default_rng(5).random((30, 30)) < 0.5
    probabilities = random_probabilities(6, 4, 30, 30)
    assert_same_as_slow(component_metrics(probabilities, mask), probabilities, mask)


def test_two_threads_give_the_same_bits_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ood_perception.pixel_statistics._BLOCK_PIXELS", 11)
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
