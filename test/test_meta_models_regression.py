"""Predicted overlap of a component with a real object."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.meta.regression import (
    REGRESSION_KINDS,
    create_regression,
    r_squared,
)


def example(count: int = 400, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Overlaps that follow the first metric; the second is constant."""
    rng = np.random.default_rng(seed)
    metrics = rng.normal(3, 50, (count, 4))
    metrics[:, 1] = 1.0
    metrics[:, 0] = rng.random(count)
    return metrics, np.clip(metrics[:, 0] + rng.normal(0, 0.05, count), 0, 1)


@pytest.mark.parametrize("kind", [*REGRESSION_KINDS, "network:20-20"])
def test_overlaps_are_predicted_and_onnx_agrees(kind: str) -> None:
    family = create_regression(kind)
    assert family.kind == kind
    model = family.fit(*example())
    metrics, iou = example(seed=1)
    predicted = model.predicted_iou(metrics)
    # the small network has taken few steps yet; none of it can come from the constant
    assert r_squared(iou, predicted) > (0.2 if kind == "network:20-20" else 0.8)
    metrics[:, 1] = 1e6
    metrics[:50, 0] *= 40  # beyond all that was seen
    session = onnxruntime.InferenceSession(model.to_onnx())
    (written,) = session.run(["iou"], {"metrics": metrics})
    np.testing.assert_allclose(written, model.predicted_iou(metrics), atol=1e-9)
    np.testing.assert_allclose(written[50:], predicted[50:], atol=1e-9)
    assert 0 <= written.min() <= written.max() <= 1


@pytest.mark.parametrize("kind", REGRESSION_KINDS)
def test_a_fold_is_the_fit_on_its_rows_alone(kind: str) -> None:
    metrics, iou = example()
    rows = np.arange(400)
    folds = [(rows[150:], rows[:150]), (rows[:140], rows[150:390])]
    family, seen = create_regression(kind), []
    result = family.fit_folds(metrics, iou, folds, 5, lambda done, total: seen.append(done / total))
    for fitted, tested in folds:
        alone = family.fit(metrics[fitted], iou[fitted], 5).predicted_iou(metrics[tested])
        np.testing.assert_allclose(result[tested], alone, atol=1e-4)
    np.testing.assert_array_equal(np.isnan(result), rows >= 390)
    assert seen[-1] == 1
    assert r_squared(iou, result) > 0.5


def test_r_squared_is_the_share_of_explained_variance() -> None:
    iou = np.array([0.0, 0.5, 1.0, 0.7])
    predicted = np.array([0.25, 0.5, 0.75, np.nan])
    assert r_squared(iou, predicted) == pytest.approx(1 - 0.125 / 0.5)
    assert r_squared(iou[:3], np.full(3, 0.5)) == pytest.approx(0)
    with pytest.raises(OodError, match="at least two different overlaps"):
        r_squared(np.zeros(3), predicted[:3])


@pytest.mark.parametrize("kind", REGRESSION_KINDS)
def test_what_cannot_be_learned_from_is_one_line(kind: str) -> None:
    metrics, iou = example()
    family = create_regression(kind)
    iou[3] = -1.0
    with pytest.raises(OodError, match=r"overlap of component 3 is -1.0, not in \[0, 1\]"):
        family.fit(metrics, iou)
    with pytest.raises(OodError, match="there are none"):
        family.fit(metrics[:0], iou[:0])
    metrics[2, 2] = np.inf
    with pytest.raises(OodError, match="metric 2 of component 2 is inf"):
        family.fit(metrics, iou)


def test_few_rows_and_unknown_kinds_are_refused() -> None:
    metrics, iou = example(100)
    with pytest.raises(OodError, match="batches of 128 components, but there are only 100"):
        create_regression("network").fit(metrics, iou)
    with pytest.raises(OodError, match="unknown kind of regression 'lasso': choose one of ridge"):
        create_regression("lasso")
