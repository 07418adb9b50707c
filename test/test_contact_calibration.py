"""Soft lower edges make distances less certain, by as much as calibration found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstacle_examples import camera, edge_component, mounting, pixels

from ood_perception.edge_softness import MOST_CELLS, edge_softness
from ood_perception.ground_plane import GroundPlaneSettings, place
from ood_training.contact_calibration import fit_contact

THRESHOLD = 0.8


def ramp(cells_of_haze: int, foot: int = 30, height: int = 60) -> np.ndarray:
    """A column of score: certain down to the foot, then a haze, then road."""
    score = np.full((height, 1), 0.05, np.float32)
    score[: foot + 1] = 1.0
    score[foot + 1 : foot + 1 + cells_of_haze] = 0.6
    return score


@pytest.mark.parametrize(("haze", "softness"), [(0, 1), (3, 4), (8, 9), (50, MOST_CELLS)])
def test_softness_counts_the_rows_over_which_the_score_falls(haze: int, softness: int) -> None:
    cells = np.array([[30, 0]])
    assert edge_softness(ramp(haze), cells, THRESHOLD).tolist() == [softness]


def test_the_image_border_ends_an_edge() -> None:
    score = np.ones((10, 1), np.float32)
    assert edge_softness(score, np.array([[9, 0]]), THRESHOLD).tolist() == [1]


@given(st.integers(0, 59), st.floats(0.05, 0.95), st.integers(0, 2**32 - 1))
def test_softness_stays_in_its_range(row: int, threshold: float, seed: int) -> None:
    score = np.random.default_rng(seed).random((60, 3), np.float32)
    soft = edge_softness(score, np.array([[row, 0], [row, 2]]), threshold)
    assert ((soft >= 1) & (soft <= 2 * MOST_CELLS)).all()


def test_a_soft_edge_widens_the_deviation_and_moves_nothing() -> None:
    model, mount = camera(), mounting()
    settings = GroundPlaneSettings(contact_sharp_cells=4.0, contact_softness_gain=0.5)
    seen = pixels([[15.0, 0.0, 0.0]], model, mount)[0] + 0.5
    spots = [
        place(
            edge_component([seen] * 4, lower_edge_softness=np.full(4, softness)),
            model, mount, settings, grid_cell_px=1.0,
        )
        for softness in (1.0, 4.0, 10.0)
    ]  # fmt: skip
    sharp, as_sharp, soft = (spot.distance_stddev_m for spot in spots)
    assert sharp == as_sharp
    assert soft > 1.5 * sharp
    assert len({spot.distance_m for spot in spots}) == 1


def test_calibration_finds_the_errors_that_were_put_in() -> None:
    rng = np.random.default_rng(0)
    softness = rng.uniform(1, 11, 20_000)
    blur = np.maximum(softness - 6, 0)
    errors = 2.0 + rng.normal(size=softness.size) * np.hypot(1.0, 0.7 * blur)
    spec = fit_contact(errors, softness, vehicle_variance=0.25)
    assert spec.offset_cells == pytest.approx(2.0, abs=0.05)
    assert spec.stddev_cells == pytest.approx(np.sqrt(1.0 - 0.25), abs=0.05)
    assert spec.sharp_cells == pytest.approx(6.0, abs=0.1)
    assert spec.softness_gain == pytest.approx(0.7, abs=0.05)
