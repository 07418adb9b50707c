"""Masks and probabilities that cannot be measured are refused in one line."""

from __future__ import annotations

import numpy as np
import pytest

from ood_perception.components import (
    component_metrics,
    component_pixels,
    sparse_component_metrics,
)
from ood_perception.errors import OodError

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
    monkeypatch.setattr("ood_perception.pixel_statistics._BLOCK_PIXELS", 1)
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
