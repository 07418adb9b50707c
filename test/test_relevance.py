"""Relevance leaves nothing on the road out, and never decides on what is not known."""

import numpy as np
import pytest
from obstacle_examples import camera, edge_component, mounting, upright_component

from ood_perception.detection import Region
from ood_perception.ground_plane import place
from ood_perception.relevance import RelevanceSettings, is_relevant
from ood_perception.road_before_foot import road_before_foot_share


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


def street(hole_rim=3):
    """Road with an obstacle in it that takes the label off a rim around itself; pavement left."""
    labels = np.zeros((90, 160), np.uint8)
    labels[:40] = 2
    labels[:, :40] = 1
    labels[60 - hole_rim : 70 + hole_rim, 80 - hole_rim : 100 + hole_rim] = 3
    return labels


@pytest.mark.parametrize("rim", [0, 3, 6])
def test_the_hole_that_an_obstacle_leaves_in_the_road_does_not_hide_the_road(rim):
    edge = np.column_stack([np.arange(320.0, 400.0, 4.0) + 2, np.full(20, 280.0)])
    component = edge_component(edge, road_border_share=0.0, region=Region(320, 240, 80, 40))
    share = road_before_foot_share(component, street(rim), (360, 640), (0,))
    assert share == 1.0
    assert is_relevant(component, None, None, share)
    assert not is_relevant(component, None)


def test_what_stands_on_the_pavement_or_hangs_above_the_road_has_no_road_before_its_foot():
    beside = edge_component([[40.0 + i, 280.0] for i in range(60)], region=Region(40, 200, 60, 80))
    above = edge_component([[300.0 + i, 60.0] for i in range(60)], region=Region(300, 20, 60, 40))
    leaving = edge_component([[300.0 + i, 360.0] for i in range(60)])
    for component in (beside, above, leaving):
        assert road_before_foot_share(component, street(), (360, 640), (0,)) == 0.0
