"""The camera model inverts its own projection, and refuses what no camera can be."""

import numpy as np
import pytest
from obstacle_examples import HEIGHT, LENSES, WIDTH, camera

from ood_perception.camera import CameraError, CameraModel, Mounting


@pytest.mark.parametrize("lens", LENSES)
def test_rays_and_projection_are_inverse(lens):
    model = camera(lens)
    points = np.random.default_rng(1).uniform([0, 0], [WIDTH, HEIGHT], (200, 2))
    rays = model.rays(points)
    np.testing.assert_array_equal(rays[:, 2], 1)
    np.testing.assert_allclose(model.project(rays), points, atol=1e-6)
    np.testing.assert_allclose(model.project(7.5 * rays), points, atol=1e-6)


def test_rays_of_a_pinhole_are_the_textbook_formula():
    np.testing.assert_allclose(
        camera().rays([[319.5, 179.5], [319.5 + 288, 179.5 - 57.6]]), [[0, 0, 1], [0.5, -0.1, 1]]
    )


@pytest.mark.parametrize("lens", ["plumb_bob", "rational_polynomial", "equidistant"])
def test_distortion_moves_pixels(lens):
    corner = np.array([[0.0, 0.0]])
    assert np.abs(camera(lens).rays(corner) - camera().rays(corner)).max() > 1e-3


def test_a_pixel_that_the_lens_model_cannot_invert_has_no_ray():
    matrix = [300, 0, 320, 0, 300, 180, 0, 0, 1]
    model = CameraModel.from_camera_info(640, 360, matrix, [-0.4, 0, 0, 0], "plumb_bob")
    rays = model.rays([[0, 0], [320, 180]])
    assert np.isnan(rays[0]).all()
    np.testing.assert_allclose(rays[1], [0, 0, 1], atol=1e-9)


def test_points_behind_the_camera_have_no_pixel():
    seen = camera().project([[0, 0, -1], [0, 0, 2], [0, 0, 0]])
    assert np.isnan(seen[[0, 2]]).all()
    assert np.isfinite(seen[1]).all()


def test_no_points_make_no_rays():
    assert camera().rays(np.empty((0, 2))).shape == (0, 3)
    assert camera().project(np.empty((0, 3))).shape == (0, 2)


@pytest.mark.parametrize("lens", LENSES)
def test_scaling_keeps_the_direction_of_the_same_spot(lens):
    model = camera(lens)
    large = model.scaled_to(2 * WIDTH, 2 * HEIGHT)
    corners = np.array([[0.0, 0.0], [100.0, 250.0], [WIDTH, HEIGHT]])  # counted from the corner
    np.testing.assert_allclose(large.rays(2 * corners - 0.5), model.rays(corners - 0.5), atol=1e-9)


def test_an_image_of_another_aspect_is_refused():
    with pytest.raises(CameraError, match="aspect"):
        camera().scaled_to(640, 480)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": [0] * 9}, "focal length"),
        ({"k": [-500, 0, 320, 0, 500, 180, 0, 0, 1]}, "focal length"),
        ({"k": [float("nan"), 0, 320, 0, 500, 180, 0, 0, 1]}, "finite"),
        ({"k": [500, 0, 320, 0, 500, 180]}, "instead of 9"),
        ({"k": [500, 3, 320, 0, 500, 180, 0, 0, 1]}, "matrix"),
        ({"d": [0.1, 0.2, 0.3], "model": "plumb_bob"}, "coefficients"),
        ({"d": [0.1] * 4, "model": "kannala"}, "unknown distortion model 'kannala'"),
        ({"width": 0}, "not positive"),
    ],
)
def test_impossible_intrinsics_are_refused_in_one_line(changes, message):
    good = {"width": 640, "height": 360, "k": [500, 0, 320, 0, 500, 180, 0, 0, 1]}
    with pytest.raises(CameraError, match=message) as caught:
        CameraModel.from_camera_info(**{**good, "d": [], "model": "plumb_bob", **changes})
    assert "\n" not in str(caught.value)


def test_camera_info_without_coefficients_means_no_distortion():
    k = [500, 0, 320, 0, 500, 180, 0, 0, 1]
    for d, model in (([], "plumb_bob"), ([], ""), ([0.0] * 5, "")):
        assert CameraModel.from_camera_info(640, 360, k, d, model).distortion_model == "none"


def test_signs_of_the_mounting_angles():
    forward, right = np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0])
    np.testing.assert_allclose(Mounting.from_angles(1.5, 0).rotation @ forward, [1, 0, 0])
    np.testing.assert_allclose(Mounting.from_angles(1.5, 0).rotation @ right, [0, -1, 0])
    assert (Mounting.from_angles(1.5, 0.1).rotation @ forward)[2] < 0, "positive pitch looks down"
    assert (Mounting.from_angles(1.5, 0, yaw_rad=0.1).rotation @ forward)[1] > 0, "yaw looks left"
    assert (Mounting.from_angles(1.5, 0, roll_rad=0.1).rotation @ right)[2] < 0, "leans right"
    nodded = Mounting.from_angles(1.5, 0.1).moved(pitch_rad=0.02, height_m=-0.1)
    expected = Mounting.from_angles(1.4, 0.12)
    np.testing.assert_allclose(nodded.rotation, expected.rotation, atol=1e-12)
    np.testing.assert_allclose(nodded.translation, expected.translation, atol=1e-12)


@pytest.mark.parametrize(
    ("rotation", "translation", "deviation", "message"),
    [
        (np.eye(3), [0, 0, 0], 0.0, "above the ground"),
        (np.eye(3), [0, 0, -1.5], 0.0, "above the ground"),
        (np.eye(3) * 2, [0, 0, 1.5], 0.0, "rotation"),
        (np.diag([1, 1, -1]), [0, 0, 1.5], 0.0, "rotation"),
        (np.eye(3), [0, 0, 1.5], -0.1, "negative"),
    ],
)
def test_impossible_mountings_are_refused(rotation, translation, deviation, message):
    with pytest.raises(CameraError, match=message):
        Mounting(rotation, np.array(translation), pitch_stddev_rad=deviation)
