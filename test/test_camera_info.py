"""The intrinsics of a camera_info are those of the images that come with it."""

from types import SimpleNamespace

import numpy as np
import pytest
from obstacle_examples import HEIGHT, LENSES, WIDTH, camera

from ood_perception.camera_info import camera_of_info, is_rectified_topic
from ood_perception.errors import CameraError

SPOT = np.array([[120.0, 90.0], [500.0, 300.0]])


def info(lens="plumb_bob", roi=(0, 0, 0, 0), binning=(0, 0), p=None):
    model = camera(lens)
    x, y, width, height = roi
    return SimpleNamespace(
        width=WIDTH,
        height=HEIGHT,
        k=model.matrix.ravel().tolist(),
        d=model.distortion.tolist(),
        p=[0.0] * 12 if p is None else p,
        distortion_model="" if lens == "none" else lens,
        binning_x=binning[0],
        binning_y=binning[1],
        roi=SimpleNamespace(x_offset=x, y_offset=y, width=width, height=height),
    )


@pytest.mark.parametrize("lens", LENSES)
def test_a_region_sees_each_spot_in_the_same_direction(lens):
    whole = camera_of_info(info(lens))
    part = camera_of_info(info(lens, roi=(100, 60, 500, 280)))
    assert (part.width, part.height) == (500, 280)
    np.testing.assert_allclose(part.rays(SPOT - [100, 60]), whole.rays(SPOT), atol=1e-9)


@pytest.mark.parametrize("lens", LENSES)
def test_binning_sees_each_spot_in_the_same_direction(lens):
    whole = camera_of_info(info(lens))
    binned = camera_of_info(info(lens, binning=(2, 4)))
    assert (binned.width, binned.height) == (WIDTH // 2, HEIGHT // 4)
    corner = SPOT + 0.5
    np.testing.assert_allclose(binned.rays(corner / [2, 4] - 0.5), whole.rays(SPOT), atol=1e-9)


def test_a_binned_region_is_cut_before_it_is_binned():
    whole = camera_of_info(info())
    part = camera_of_info(info(roi=(100, 60, 500, 280), binning=(2, 2)))
    assert (part.width, part.height) == (250, 140)
    np.testing.assert_allclose(
        part.rays((SPOT - [100, 60] + 0.5) / 2 - 0.5), whole.rays(SPOT), atol=1e-9
    )


@pytest.mark.parametrize("changes", [{"roi": (160, 90, 320, 180)}, {"binning": (2, 2)}])
def test_whole_images_are_taken_as_whole_whatever_the_message_says(changes):
    part = camera_of_info(info(**changes))
    whole = part.scaled_to(WIDTH, HEIGHT)
    np.testing.assert_allclose(whole.rays(SPOT), camera_of_info(info()).rays(SPOT))


def test_a_rectified_image_has_no_distortion_left_whatever_the_message_says():
    p = [500.0, 0, 310, 0, 0, 500, 170, 0, 0, 0, 1, 0]
    model = camera_of_info(info("rational_polynomial", p=p), rectified=True)
    expected = (SPOT - [310, 170]) / 500
    np.testing.assert_allclose(model.rays(SPOT)[:, :2], expected, atol=1e-9)
    raw = camera_of_info(info("rational_polynomial", p=p))
    assert np.abs(raw.rays(SPOT) - model.rays(SPOT)).max() > 0.01


def test_without_a_projection_a_rectified_image_has_the_matrix_and_no_distortion():
    model = camera_of_info(info(), rectified=True)
    np.testing.assert_allclose(model.rays(SPOT), camera().rays(SPOT))


def test_a_rectified_region_is_cut_too():
    p = [500.0, 0, 310, 0, 0, 500, 170, 0, 0, 0, 1, 0]
    part = camera_of_info(info(roi=(100, 60, 500, 280), p=p), rectified=True)
    np.testing.assert_allclose(
        part.rays(SPOT - [100, 60])[:, :2], (SPOT - [310, 170]) / 500, atol=1e-9
    )


def test_a_region_outside_of_the_image_is_refused_in_one_line():
    with pytest.raises(CameraError, match="not inside") as caught:
        camera_of_info(info(roi=(400, 0, 400, 100)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("topic", "rectified"),
    [
        ("/front/image_rect", True),
        ("/front/image_rect_color", True),
        ("/front/image_rect/compressed", True),
        ("/front/rectified/image", True),
        ("/front/image_raw", False),
        ("/ood_perception/camera/image", False),
        ("/direct/image", False),
        ("/rectangle/image", False),
    ],
)
def test_the_topics_name_tells_of_rectified_images(topic, rectified):
    assert is_rectified_topic(topic) is rectified
