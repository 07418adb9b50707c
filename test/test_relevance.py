"""Relevance leaves nothing on the road out, and never decides on what is not known."""

import numpy as np
import pytest
from obstacle_examples import camera, mounting, upright_component

from ood_perception.ground_plane import place
from ood_perception.relevance import RelevanceSettings, is_relevant


@pytest.mark.parametrize(("share", "relevant"), [(0.0, False), (0.14, False), (0.15, True)])
def test_the_road_around_it_decides(share, relevant):
    component = upright_component(10, 0, 0.5, 0.5, camera(), mounting(), road_border_share=share)
    assert is_relevant(component, None) is relevant


@pytest.mark.parametrize(
    ("y_m", "relevant"), [(0.0, True), (2.2, True), (-2.2, True), (3.5, False), (-3.5, False)]
)
def test_a_corridor_keeps_what_reaches_into_it(y_m, relevant):
    component = upright_component(10, y_m, 1.0, 0.5, camera(), mounting())
    spot = place(component, camera(), mounting())
    settings = RelevanceSettings(corridor_half_width_m=2.0)
    assert is_relevant(component, spot, settings) is relevant
    assert is_relevant(component, spot), "without a corridor the road alone decides"


def test_an_obstacle_without_a_place_counts_as_inside_the_corridor():
    component = upright_component(10, 9.0, 1.0, 0.5, camera(), mounting())
    assert is_relevant(component, None, RelevanceSettings(corridor_half_width_m=1.0))


def test_an_uncertain_place_widens_the_corridor():
    component = upright_component(30, 2.6, 1.0, 0.5, camera(), mounting())
    spot = place(component, camera(), mounting())
    inner = float(np.abs(spot.footprint[:, 1]).min())
    settings = RelevanceSettings(corridor_half_width_m=inner - spot.lateral_stddev_m / 2)
    assert is_relevant(component, spot, settings)
