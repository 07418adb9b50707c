"""Only what was measured on an obstacle places it: not what is seen beside, through or past it.

A black or wet surface, a hole of the stereo matching or a scanner's drop-out gives no distance; the
background then is all that was measured near it, and would put it 25 m farther than it is.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from depth_scenes import SHAPES, depth_image, optical, shaped_component
from obstacle_examples import camera, mounting, upright_component

from ood_perception.bundle import NetworkSpec
from ood_perception.component_description import describe_components
from ood_perception.component_labels import component_pixels
from ood_perception.depth_placement import place_by_depth, view_of_depth_image, view_of_points
from ood_perception.detection import Region
from ood_perception.filled_outline import FilledOutline
from ood_perception.ground_plane import GroundPlaneSettings, RangeSource, place
from ood_perception.image_geometry import ImageGeometry
from ood_perception.letterbox import Letterbox

SETTINGS = GroundPlaneSettings()
MODEL, MOUNT = camera(), mounting()


def placed(component, view):
    return ImageGeometry(MODEL, MOUNT, 1.0, SETTINGS, depth=view).place(component)


def seen_before_a_wall(shape, x_m, wall_m, measured):
    """The component and the view of a shape whose pixels were measured, or left without depth."""
    component, mask = shaped_component(shape, x_m, 1.4, 1.4, MODEL, MOUNT)
    depth = depth_image(MODEL, MOUNT, wall_m)
    depth[mask] = depth_image(MODEL, MOUNT, x_m)[mask] if measured else 0.0
    return component, view_of_depth_image(depth, MODEL, 0, step_px=2)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("x_m", "wall_m"), [(10.0, 35.0), (12.0, 60.0), (20.0, 24.0)])
def test_the_corners_of_its_box_do_not_place_what_gave_no_distance(shape, x_m, wall_m):
    spot = placed(*seen_before_a_wall(shape, x_m, wall_m, measured=False))
    assert spot.source is RangeSource.GROUND_PLANE
    assert spot.distance_m == pytest.approx(x_m, rel=0.04)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_was_measured_of_any_shape_places_it(shape):
    spot = placed(*seen_before_a_wall(shape, 10.0, 35.0, measured=True))
    assert spot.source is RangeSource.DEPTH
    assert spot.distance_m == pytest.approx(10.0, abs=0.05)
    assert spot.width_m == pytest.approx(1.4, abs=0.2)


def with_a_hole(hole_share, wall_m, x_m=10.0):
    """A disc whose middle gave no distance; around it, inside the outline, the wall is seen."""
    component, mask = shaped_component("disc", x_m, 1.4, 1.4, MODEL, MOUNT)
    rows, columns = np.nonzero(mask)
    middle = round(columns.mean()), round(rows.mean())
    hole = np.zeros(mask.shape, np.uint8)
    cv2.circle(hole, middle, round(np.sqrt(hole_share * mask.sum() / np.pi)), 1, -1)
    # It reaches below the foot: the ground there is no obstacle's, measured or not.
    hole[middle[1] :, columns.min() : columns.max() + 1] = 1
    depth = depth_image(MODEL, MOUNT, wall_m)
    depth[(hole > 0) & mask] = 0.0
    return component, view_of_depth_image(depth, MODEL, 0)


def test_a_rim_of_background_inside_the_outline_does_not_place_it():
    """An outline is never exact. The wall is near enough that the plane alone would believe it."""
    component, view = with_a_hole(0.75, wall_m=11.5)
    assert placed(component, view).source is RangeSource.GROUND_PLANE
    measured = with_a_hole(0.0, wall_m=11.5)[1]
    assert placed(component, measured).distance_m == pytest.approx(11.5, abs=0.1), "the same wall"


def test_a_hole_in_what_was_measured_costs_nothing():
    component, mask = shaped_component("disc", 10.0, 1.4, 1.4, MODEL, MOUNT)
    depth = np.where(mask, depth_image(MODEL, MOUNT, 10.0), depth_image(MODEL, MOUNT, 35.0))
    speckled = np.random.default_rng(0).random(depth.shape) < 0.6
    depth[speckled] = np.nan
    spot = placed(component, view_of_depth_image(depth, MODEL, 0))
    assert spot.source is RangeSource.DEPTH
    assert spot.distance_m == pytest.approx(10.0, abs=0.05)


def scan(x_m, columns_m, heights_m):
    """Points of a scanner's few lines on an upright plane, optical frame."""
    y, z = (v.ravel() for v in np.meshgrid(columns_m, heights_m))
    return optical(np.column_stack([np.full(y.size, x_m), y, z]), MOUNT)


@pytest.mark.parametrize(("x_m", "wall_m"), [(8.0, 12.0), (10.0, 35.0), (20.0, 60.0)])
def test_what_lies_far_behind_its_foot_is_not_the_obstacle(x_m, wall_m):
    """A scanner on the roof looks over the obstacle: its points lie all over the outline."""
    component, _ = shaped_component("disc", x_m, 1.4, 1.4, MODEL, MOUNT)
    y, z = np.linspace(-3.0, 3.0, 200), np.linspace(-1.5, 3.0, 100)
    view = view_of_points(scan(wall_m, y, z), MODEL, 0)
    outline = FilledOutline(component, 640, 360)
    assert outline.share_of_columns(view.pixels[outline.holds(view.pixels)]) == 1.0
    assert placed(component, view).source is RangeSource.GROUND_PLANE


def test_a_road_that_falls_is_measured_and_not_taken_for_background():
    """At 20 m it lies 0.5 m below the plane, which puts the foot at 15 m: depth is believed."""
    component, mask = shaped_component("triangle", 20.0, 1.4, 1.4, MODEL, MOUNT, foot_m=-0.5)
    depth = np.where(
        mask, depth_image(MODEL, MOUNT, 20.0, ground_m=-0.5), depth_image(MODEL, MOUNT, 60.0)
    )
    by_plane = ImageGeometry(MODEL, MOUNT, 1.0, SETTINGS).place(component)
    assert by_plane.distance_m < 16.0
    spot = placed(component, view_of_depth_image(depth, MODEL, 0))
    assert spot.source is RangeSource.DEPTH
    assert spot.distance_m == pytest.approx(20.0, abs=0.1)


def test_two_lines_of_a_scanner_across_it_are_enough():
    component, _ = shaped_component("disc", 10.0, 1.4, 1.4, MODEL, MOUNT)
    view = view_of_points(scan(10.0, np.linspace(-0.8, 0.8, 60), [0.5, 0.9]), MODEL, 0)
    assert placed(component, view).source is RangeSource.DEPTH


def test_points_at_one_end_of_it_are_of_something_else():
    component, _ = shaped_component("disc", 10.0, 1.4, 1.4, MODEL, MOUNT)
    view = view_of_points(scan(11.0, np.linspace(0.62, 0.75, 30), [0.6, 0.7, 0.8]), MODEL, 0)
    assert len(FilledOutline(component, 640, 360).holds(view.pixels)) >= 10
    assert placed(component, view).source is RangeSource.GROUND_PLANE


@pytest.mark.parametrize(("x_m", "truncated"), [(3.5, True), (10.0, False)])
def test_an_obstacle_that_leaves_the_image_below_is_truncated(x_m, truncated):
    """The tracker must know that it may reach nearer than what was measured."""
    component, view = seen_before_a_wall("disc", x_m, 60.0, measured=True)
    spot = placed(component, view)
    assert spot.source is RangeSource.DEPTH
    assert spot.truncated is truncated


def test_an_obstacle_behind_the_own_bonnet_is_truncated():
    component, view = seen_before_a_wall("triangle", 10.0, 60.0, measured=True)
    rim = np.full(640, component.lower_edge[:, 1].max() - 5.0)
    by_plane = place(component, MODEL, MOUNT, SETTINGS, 1.0, rim)
    spot = place_by_depth(component, MODEL, MOUNT, SETTINGS, view, by_plane)
    assert spot.source is RangeSource.DEPTH
    assert spot.truncated


def test_without_an_outline_the_box_stands_for_it():
    component = upright_component(10.0, 0.0, 1.0, 1.0, MODEL, MOUNT, contour=np.empty((0, 2)))
    view = view_of_depth_image(depth_image(MODEL, MOUNT, 10.0), MODEL, 0)
    assert placed(component, view).source is RangeSource.DEPTH


def test_an_outline_beyond_the_images_edge_holds_what_is_inside():
    contour = np.array([[-20, 340], [40, 340], [40, 400], [-20, 400]], np.int32)
    component = upright_component(
        3.0,
        0.0,
        1.0,
        1.0,
        MODEL,
        MOUNT,
        region=Region(-20, 340, 61, 61),
        contour=contour,
        lower_edge=np.empty((0, 2)),
    )
    pixels = np.array([[0.0, 359.0], [40.0, 340.0], [41.0, 345.0], [10.0, 339.0]])
    assert FilledOutline(component, 640, 360).holds(pixels).tolist() == [0, 1]


@pytest.mark.parametrize(("rows", "holds_its_border"), [(1, True), (6, False)])
def test_what_is_one_cell_high_is_filled_to_its_cells_borders(rows, holds_its_border):
    """Its contour, through the cells' centres, would be a line that hardly a point falls on."""
    cells = np.ones((rows, 12), np.uint8)
    grid = np.pad(cells, ((40, 50 - rows), (60, 88)))  # (90, 160), cells of 4 x 4 pixels
    network = NetworkSpec(
        file="none", input_height=360, input_width=640, grid_height=90, grid_width=160
    )
    (component,) = describe_components(
        component_pixels(grid > 0),
        Letterbox.fit(network, 360, 640),
        np.full(grid.shape, 0.9, np.float32),
        np.zeros(grid.shape, np.uint8),
        (),
    )
    x, y, width, height = component.region
    border = np.array([[x + width / 2, y + 0.0], [x + width / 2, y + height - 1.0]])
    outline = FilledOutline(component, 640, 360)
    assert (len(outline.holds(border)) == 2) is holds_its_border
    assert len(outline.holds(border - [width, 0.0])) == 0
    assert len(outline.holds(border.mean(axis=0, keepdims=True))) == 1
