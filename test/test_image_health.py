"""A camera that sees nothing is noticed, and an ordinary image is left alone."""

import numpy as np
import pytest
from obstacle_examples import street_image

from ood_perception.errors import ImageError
from ood_perception.image_health import FrozenDetector, HealthSettings, check_image


def test_an_ordinary_image_is_healthy():
    health = check_image(street_image())
    assert health.ok
    assert health.reasons == ()


def test_a_night_street_with_a_few_lights_is_healthy():
    image = np.full((360, 640, 3), 4, np.uint8)
    image[100:140, 200:300] = 220
    assert check_image(image).ok


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (np.zeros((360, 640, 3), np.uint8), "too dark"),
        (np.full((360, 640, 3), 255, np.uint8), "blinded"),
        (np.full((360, 640, 3), 128, np.uint8), "no contrast"),
        (np.full((1, 1, 3), 128, np.uint8), "smaller than 16"),
        (np.zeros((0, 640, 3), np.uint8), "smaller than 16"),
    ],
)
def test_a_blind_camera_is_noticed(image, reason):
    health = check_image(image)
    assert not health.ok
    assert any(reason in line for line in health.reasons)


def test_an_image_blinded_but_for_a_corner_is_noticed():
    image = np.full((360, 640, 3), 255, np.uint8)
    image[:60, :60] = 90
    assert not check_image(image).ok


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        np.zeros((99, 99, 4), np.uint8),
        None,
    ],
)
def test_what_is_no_colour_image_is_refused(image):
    with pytest.raises(ImageError, match="expected an image"):
        check_image(image)


def test_a_frozen_camera_is_noticed_and_recovers():
    frozen = FrozenDetector(HealthSettings(frozen_frames=3))
    image = street_image()
    answers = []
    for frame in (image, image.copy(), image.copy(), image.copy(), street_image(1)):
        frozen.update(frame)
        answers.append(frozen.is_frozen)
    assert answers == [False, False, True, True, False]


def test_zero_frames_switch_the_frozen_check_off():
    frozen = FrozenDetector(HealthSettings(frozen_frames=0))
    for _ in range(5):
        frozen.update(street_image())
    assert not frozen.is_frozen


def test_sensor_noise_is_not_frozen():
    frozen = FrozenDetector(HealthSettings(frozen_frames=2))
    still, rng = street_image(), np.random.default_rng(0)
    for _ in range(4):
        noisy = still + rng.integers(0, 2, still.shape, dtype=np.uint8)
        assert frozen.update(noisy) == 1


def test_fine_stripes_are_contrast():
    image = np.full((360, 640, 3), 110, np.uint8)
    image[::2] = 130
    assert check_image(image).ok
