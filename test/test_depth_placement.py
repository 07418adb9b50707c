"""Measured distances place an obstacle where it stands, also where the road is not flat."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from depth_scenes import board_points, depth_image, optical
from obstacle_examples import (
    HEIGHT,
    LENSES,
    UNCALIBRATED_BUNDLE,
    WIDTH,
    camera,
    detection,
    mounting,
    street_image,
    upright_component,
)

from ood_perception.camera_pipeline import CameraPipeline
from ood_perception.depth_placement import (
    DepthError,
    place_by_depth,
    view_of_depth_image,
    view_of_points,
)
from ood_perception.ground_plane import GroundPlaneSettings, RangeSource, place
from ood_perception.image_geometry import ImageGeometry

SETTINGS = GroundPlaneSettings()


def by_depth(component, view, model, mount, settings=SETTINGS):
    by_plane = place(component, model, mount, settings)
    return place_by_depth(component, model, mount, settings, view, by_plane)


@pytest.mark.parametrize("lens", LENSES)
def test_points_of_another_sensor_place_the_obstacle(lens):
    model, mount = camera(lens), mounting()
    component = upright_component(14.0, 0.8, 0.6, 0.5, model, mount)
    view = view_of_points(optical(board_points(14.0, 0.8), mount), model, 0)
    spot = by_depth(component, view, model, mount)
    np.testing.assert_allclose(spot.position, [14.0, 0.8, 0.0], atol=0.1)
    assert spot.width_m == pytest.approx(0.6, abs=0.12)
    assert spot.height_m == pytest.approx(0.5, abs=0.06)
    assert spot.source is RangeSource.DEPTH
    assert 0 < spot.distance_stddev_m < 0.3


@pytest.mark.parametrize("scale", [1, 2])
def test_a_depth_image_of_another_size_places_the_obstacle(scale):
    model, mount = camera(), mounting()
    view = view_of_depth_image(depth_image(model, mount, 9.0, scale), model, 0, step_px=2)
    component = upright_component(9.0, 0.0, 1.0, 0.8, model, mount)
    spot = by_depth(component, view, model, mount)
    assert spot.distance_m == pytest.approx(9.0, abs=0.05)


def test_a_road_that_rises_does_not_deceive_measured_distances():
    """A board 1 m above the plane looks far to the plane; it stands at 15 m."""
    model, mount = camera(), mounting()
    component = upright_component(15.0, 0.0, 0.6, 0.5, model, mount)
    up_px = 576.0 / 15.0
    raised = replace(
        component,
        lower_edge=component.lower_edge - [0.0, up_px],
        contour=component.contour - np.array([0, round(up_px)], np.int32),
        region=component.region._replace(y=component.region.y - up_px),
    )
    view = view_of_points(optical(board_points(15.0, 0.0, base_m=1.0), mount), model, 0)
    by_plane = ImageGeometry(model, mount, 1.0, SETTINGS).place(raised)
    by_depth = ImageGeometry(model, mount, 1.0, SETTINGS, depth=view).place(raised)
    assert by_plane is None or by_plane.distance_m > 30.0
    assert by_depth.distance_m == pytest.approx(15.0, abs=0.2)


def test_without_enough_points_on_it_the_plane_answers():
    model, mount = camera(), mounting()
    component = upright_component(14.0, 0.0, 0.6, 0.5, model, mount)
    ground_only = board_points(14.0, 0.0)[143:]
    view = view_of_points(optical(ground_only, mount), model, 0)
    assert by_depth(component, view, model, mount) is None
    spot = ImageGeometry(model, mount, 1.0, SETTINGS, depth=view).place(component)
    assert spot.source is RangeSource.GROUND_PLANE


def test_a_few_stray_points_before_it_do_not_decide():
    model, mount = camera(), mounting()
    component = upright_component(14.0, 0.0, 0.6, 0.5, model, mount)
    points = board_points(14.0, 0.0)
    rain = 0.4 * optical(points[:6], mount)
    view = view_of_points(np.concatenate([optical(points, mount), rain]), model, 0)
    assert by_depth(component, view, model, mount).distance_m == pytest.approx(14, abs=0.1)


def test_beyond_the_range_there_is_no_place():
    model, mount = camera(), mounting()
    component = upright_component(14.0, 0.0, 0.6, 0.5, model, mount)
    view = view_of_points(optical(board_points(14.0, 0.0), mount), model, 0)
    assert by_depth(component, view, model, mount, GroundPlaneSettings(max_range_m=10)) is None


def test_holes_and_what_lies_outside_the_image_are_left_out():
    model = camera()
    points = np.array([[0, 0, 5.0], [np.nan, 0, 5], [0, 0, -5], [100, 0, 5], [0, 0, np.inf]])
    assert len(view_of_points(points, model, 0).points) == 1
    depth = np.full((HEIGHT, WIDTH), np.nan)
    depth[0, :4] = [0.0, -1.0, np.inf, 4.0]
    assert len(view_of_depth_image(depth, model, 0).points) == 1


def test_what_cannot_be_a_view_of_the_camera_is_refused_in_one_line():
    for make, words in (
        (lambda: view_of_points(np.zeros((4, 2)), camera(), 0), "optical frame"),
        (lambda: view_of_depth_image(np.ones((480, 640)), camera(), 0), "aspect"),
        (lambda: view_of_depth_image(np.ones(5), camera(), 0), "metres"),
    ):
        with pytest.raises(DepthError, match=words) as caught:
            make()
        assert "\n" not in str(caught.value)


def seen_with(depth):
    """The scene of a board at 9.2 m, by a pipeline that is given measured distances."""
    board = upright_component(9.2, 0.0, 0.6, 0.5, camera(), mounting())
    detector = SimpleNamespace(bundle=UNCALIBRATED_BUNDLE, detect=lambda image: detection([board]))
    return CameraPipeline(detector).process(street_image(), 0, camera(), mounting(), depth=depth)


def test_measured_distances_are_used_before_the_plane():
    wall = np.array([[x, 0.8, 9.0] for x in np.linspace(-0.2, 0.2, 9)])
    scene = seen_with(lambda lens, mounted: view_of_points(wall, lens, 0))
    assert scene.obstacles[0].placement.source is RangeSource.DEPTH


def test_without_measured_distances_the_plane_places_and_a_note_says_so():
    def none_near(lens, mounted):
        raise DepthError("nothing was measured")

    scene = seen_with(none_near)
    assert scene.obstacles[0].placement.source is RangeSource.GROUND_PLANE
    assert scene.notes == ("nothing was measured",)
