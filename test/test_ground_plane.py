"""Places on the ground are exact where the geometry is, and as uncertain as they claim."""

from dataclasses import replace

import numpy as np
import pytest
from obstacle_examples import (
    HEIGHT,
    LENSES,
    WIDTH,
    camera,
    edge_component,
    mounting,
    pixels,
    upright_component,
)

from ood_perception.ground_plane import GroundPlaneSettings, is_beyond_range, place
from ood_perception.ground_projection import ground_points, left_of, unit_xy

POSES = [
    {},
    {"roll_rad": 0.03, "yaw_rad": -0.1},
    {"height_m": 2.1, "x_m": 1.7, "y_m": -0.4, "pitch_rad": 0.12},
]


@pytest.mark.parametrize("angle_rad", [0.0, 1.0, 3.0, -2.0])
def test_left_is_a_quarter_turn_on_from_the_direction_of_a_vector(angle_rad):
    across = [np.cos(angle_rad + np.pi / 2), np.sin(angle_rad + np.pi / 2)]
    vector = 3.0 * np.array([np.cos(angle_rad), np.sin(angle_rad)])
    assert left_of(vector) == pytest.approx(3.0 * np.array(across))
    assert left_of(unit_xy(vector)) == pytest.approx(np.array(across))


def test_what_has_no_length_points_forward():
    assert list(unit_xy(np.zeros(2))) == [1.0, 0.0]


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("lens", LENSES)
def test_known_ground_points_are_recovered(lens, pose):
    model, mount = camera(lens), mounting(**pose)
    truth = np.array([[8.0, 0.0], [12.0, 2.5], [20.0, -3.0], [45.0, 4.0]])
    seen = pixels(np.column_stack([truth, np.zeros(4)]), model, mount)
    np.testing.assert_allclose(ground_points(seen, model, mount), truth, atol=1e-6)


@pytest.mark.parametrize("pose", POSES)
def test_an_upright_board_is_placed_and_measured(pose):
    model, mount = camera(), mounting(**pose)
    spot = place(upright_component(15.0, 0.5, 0.8, 0.6, model, mount), model, mount)
    exact = "roll_rad" not in pose  # a rolled board has no level lower edge
    np.testing.assert_allclose(spot.position[:2], [15.0, 0.5], atol=1e-6 if exact else 0.3)
    assert spot.position[2] == 0
    assert spot.distance_m == pytest.approx(np.hypot(*spot.position[:2]))
    assert spot.width_m == pytest.approx(0.8, rel=0.05)
    assert spot.height_m == pytest.approx(0.6, rel=0.05)
    assert not spot.truncated


def test_footprint_is_near_left_near_right_far_right_far_left():
    model, mount = camera(), mounting()
    settings = GroundPlaneSettings(footprint_depth_m=0.4)
    component = upright_component(10.0, 0.0, 1.0, 0.5, model, mount)
    spot = place(component, model, mount, settings)
    expected = [[10, 0.5], [10, -0.5], [10.4, -0.5], [10.4, 0.5]]
    np.testing.assert_allclose(spot.footprint, expected, atol=5e-3)


@pytest.mark.parametrize("position", [(8.0, 1.0), (20.0, -2.0), (30.0, 0.0)])
@pytest.mark.parametrize("pose", POSES)
def test_standard_deviations_agree_with_monte_carlo(position, pose):
    model, mount = camera("plumb_bob"), mounting(**pose, height_stddev_m=0.03)
    settings = GroundPlaneSettings(contact_stddev_px=0.8, contact_stddev_cells=0.0)
    seen = pixels([[*position, 0.0]], model, mount)[0]
    component = edge_component([seen + 0.5] * 4)
    spot = place(component, model, mount, settings, grid_cell_px=2.0)
    rng, draws = np.random.default_rng(3), 1000
    noise_px = rng.normal(size=(draws, 2)) * np.hypot(0.8, 2.0 / np.sqrt(12))
    nods = rng.normal(size=draws) * mount.pitch_stddev_rad
    lifts = rng.normal(size=draws) * mount.height_stddev_m
    points = np.concatenate(
        [
            ground_points((seen + shift)[None], model, mount.moved(nod, lift))
            for shift, nod, lift in zip(noise_px, nods, lifts, strict=True)
        ]
    )
    direction = np.array(position) / np.hypot(*position)
    along = points @ direction
    across = points @ left_of(direction)
    assert spot.distance_stddev_m == pytest.approx(along.std(), rel=0.1)
    assert spot.lateral_stddev_m == pytest.approx(across.std(), rel=0.1)


def test_each_error_grows_as_the_textbook_says():
    model, level = camera(), mounting(pitch_rad=0.0, height_stddev_m=0, pitch_stddev_rad=0)
    range_m, height_m, focal_px = 20.0, 1.4, 576.0
    component = upright_component(range_m, 0.0, 0.5, 0.5, model, level)

    def sigma(pixel=0.0, **changes):
        settings = GroundPlaneSettings(contact_stddev_px=pixel, contact_stddev_cells=0.0)
        return place(component, model, replace(level, **changes), settings, 0.0).distance_stddev_m

    assert sigma(pixel=1.0) == pytest.approx(range_m**2 / (height_m * focal_px), rel=1e-3)
    assert sigma(pitch_stddev_rad=0.01) == pytest.approx(0.01 * range_m**2 / height_m, rel=0.01)
    assert sigma(height_stddev_m=0.05) == pytest.approx(0.05 * range_m / height_m, rel=1e-3)
    assert sigma() == pytest.approx(0, abs=1e-9)


def test_default_uncertainty_at_20_m_is_below_5_percent():
    model, mount = camera(), mounting()
    spot = place(upright_component(20.0, 0.0, 0.5, 0.5, model, mount), model, mount)
    assert 0.01 < spot.distance_stddev_m / spot.distance_m < 0.05


def test_a_foot_at_or_above_the_horizon_has_no_place():
    model, mount = camera(), mounting(pitch_rad=0.0)
    for row in (180.0, 120.0):
        assert place(edge_component([[300 + i, row] for i in range(9)]), model, mount) is None


def test_beyond_range_is_told_apart_from_unknown():
    model, mount = camera(), mounting()
    settings = GroundPlaneSettings(max_range_m=40.0)
    near = upright_component(39.0, 0.0, 1.0, 1.0, model, mount)
    far = upright_component(60.0, 0.0, 1.0, 1.0, model, mount)
    horizon_row = pixels([[1e9, 0.0, 0.0]], model, mount)[0, 1] + 0.5
    at_horizon = edge_component([[300 + i, horizon_row - 1.0] for i in range(9)])
    hanging = edge_component([[300 + i, horizon_row - 40] for i in range(9)])
    assert place(near, model, mount, settings) is not None
    for component in (far, at_horizon, hanging):
        assert place(component, model, mount, settings) is None
    answers = [is_beyond_range(c, model, mount, settings) for c in (near, far, at_horizon, hanging)]
    assert answers == [False, True, True, False]


def test_a_component_at_the_lower_edge_is_truncated_and_placed_where_it_is_last_seen():
    model, mount = camera(), mounting()
    spot = place(edge_component([[300 + i, HEIGHT] for i in range(9)]), model, mount)
    assert spot.truncated
    lowest = ground_points(np.array([[304.0, HEIGHT - 0.5]]), model, mount)[0]
    assert spot.distance_m == pytest.approx(np.hypot(*lowest), rel=1e-3)
    above = place(edge_component([[300 + i, HEIGHT - 3] for i in range(9)]), model, mount)
    assert not above.truncated


def test_one_stray_column_does_not_move_the_foot():
    model, mount = camera(), mounting()
    edge = np.array([[300.5 + i, 240.0] for i in range(60)])
    clean = place(edge_component(edge), model, mount)
    edge[7, 1] = 275.0
    stray = place(edge_component(edge), model, mount)
    np.testing.assert_allclose(stray.position, clean.position, rtol=0.01, atol=0.01)


def test_the_nearest_part_decides_not_the_average():
    model, mount = camera(), mounting()
    edge = np.array([[300.5 + i, 220.0] for i in range(60)])
    edge[10:20, 1] = 260.0  # a leg that reaches down
    legged = place(edge_component(edge), model, mount)
    expected = ground_points(np.array([[314.5, 259.5]]), model, mount)[0]
    np.testing.assert_allclose(legged.position[:2], expected, rtol=0.02)


def test_a_known_halo_is_taken_off():
    model, mount = camera(), mounting()
    truth = upright_component(18.0, 0.0, 0.6, 0.4, model, mount)
    halo = replace(truth, lower_edge=truth.lower_edge + np.array([0.0, 2.0]))
    biased = place(halo, model, mount)
    corrected = place(halo, model, mount, GroundPlaneSettings(contact_offset_px=2.0))
    assert biased.distance_m < 17.5
    assert corrected.distance_m == pytest.approx(18.0, abs=1e-6)


def test_whole_pixels_keep_the_distance_within_its_deviation():
    """What a perfect segmentation on a pixel grid leaves of the accuracy, over many distances."""
    model, mount = camera(), mounting()
    distances = np.linspace(5, 20, 60)
    spots = []
    for x in distances:
        exact = upright_component(x, 0.7, 0.5, 0.4, model, mount)
        rows = np.floor(exact.lower_edge[:, 1] - 0.5) + 1  # last pixel whose centre is covered
        edge = np.column_stack([exact.lower_edge[:, 0], rows])
        spots.append(place(replace(exact, lower_edge=edge), model, mount))
    truth = np.hypot(distances, 0.7)
    error = np.array([s.distance_m for s in spots]) - truth
    sigma = np.array([s.distance_stddev_m for s in spots])
    assert np.median(np.abs(error) / truth) < 0.02
    assert np.abs(np.mean(error / truth)) < 0.01, "no bias from pixel conventions"
    assert (np.abs(error) < 2 * sigma).mean() >= 0.9


def test_a_component_outside_of_the_lens_model_has_no_place():
    model = replace(
        camera(focal_px=300.0), distortion=[-0.4, 0, 0, 0], distortion_model="plumb_bob"
    )
    edge = [[1.0 + i, HEIGHT - 1.0] for i in range(3)]
    assert place(edge_component(edge), model, mounting()) is None
    assert place(edge_component([[WIDTH / 2 + i, 300.0] for i in range(9)]), model, mounting())


def test_a_camera_looking_straight_down_still_places():
    model, mount = camera(), mounting(height_m=5.0, pitch_rad=np.pi / 2)
    spot = place(edge_component([[316.0 + i, 180.0] for i in range(9)]), model, mount)
    np.testing.assert_allclose(spot.position, [0, 0, 0], atol=0.02)


@pytest.mark.parametrize("right_px", range(380, 640, 20))
def test_what_reaches_across_a_wide_view_is_wide_but_not_without_bound(right_px):
    """Square to the line of sight an end has no place: neither none at all nor endless points."""
    model, mount = camera(focal_px=150.0), mounting()
    board = upright_component(5.0, 6.0, 0.5, 0.5, model, mount)
    region = board.region._replace(width=right_px - board.region.x)
    spot = place(replace(board, region=region), model, mount)
    assert 9.0 < spot.width_m <= 2 * GroundPlaneSettings().max_range_m
    assert spot.footprint[:, 1].min() < 0, "it reaches across the vehicle's way"
