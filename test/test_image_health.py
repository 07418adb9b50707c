"""A camera that sees nothing is noticed, and an ordinary image is left alone."""

import re

import cv2
import numpy as np
import pytest
from obstacle_examples import street_image

from ood_perception.errors import ImageError
from ood_perception.generated_drive import Drive, random_scene
from ood_perception.image_health import (
    FrozenDetector,
    HealthSettings,
    check_anomalous_share,
    check_image,
)


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


def test_a_change_of_a_small_part_or_of_the_size_is_no_repetition():
    frozen = FrozenDetector()
    image = np.full((720, 1280, 3), 90, np.uint8)
    assert [frozen.update(image), frozen.update(image)] == [1, 2]
    image[300:306, 500:510, 1] += 1  # in the caller's own array, which a driver may use again
    assert [frozen.update(image), frozen.update(image)] == [1, 2]
    image[301::2] += 1  # the second field of an interlaced camera
    assert frozen.update(image) == 1
    assert frozen.update(image[:-1]) == 1


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


def frozen_when_still(frozen, images, period_ns):
    """What it says after each of so many images that are all the same."""
    said = []
    for k in range(images):
        frozen.update(street_image(), k * period_ns)
        said.append(frozen.is_frozen)
    return said


def test_identical_images_over_a_second_are_frozen_however_few_they_are():
    """At 3 Hz twenty images would take seven seconds."""
    frozen = FrozenDetector(HealthSettings(frozen_frames=20, frozen_s=1.0))
    assert frozen_when_still(frozen, 6, 333_000_000) == [False] * 4 + [True] * 2
    frozen.update(street_image(1), 2_000_000_000)
    assert not frozen.is_frozen


def test_zero_seconds_leave_it_to_the_number_of_images():
    frozen = FrozenDetector(HealthSettings(frozen_frames=6, frozen_s=0.0))
    assert frozen_when_still(frozen, 6, 10_000_000_000) == [False] * 5 + [True]


def test_an_image_sent_twice_is_not_frozen_even_after_a_pause():
    frozen = FrozenDetector(HealthSettings(frozen_s=1.0))
    frozen.update(street_image(), 0)
    frozen.update(street_image(), 5_000_000_000)
    assert not frozen.is_frozen


@pytest.fixture(scope="module")
def streets():
    """Scenes of every light, night included."""
    scenes = [random_scene(seed).image for seed in range(500_000, 500_012)]
    return [*scenes, Drive(1, light="night", duration_s=0.1).frame(0).image]


def blurred(image, sigma_px):
    return cv2.GaussianBlur(image, (0, 0), sigma_px)


def veiled(image, share):
    return cv2.addWeighted(image, 1 - share, np.full_like(image, 190), share, 0)


def covered(image, share, level=60):
    """Something lit before the lens, with a sensor's noise."""
    hidden = image.copy()
    part = hidden[:, : round(share * image.shape[1])]
    noise = np.random.default_rng(0).normal(level, 2, part.shape)
    part[:] = noise.clip(0, 255).astype(np.uint8)
    return hidden


def glaring(image):
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    sun = np.exp(-((x - 320) ** 2 + (y - 110) ** 2) / (2 * 220**2)) * 640
    return (image + sun[..., None]).clip(0, 255).astype(np.uint8)


def test_streets_of_every_light_are_healthy(streets):
    assert [check_image(image).reasons for image in streets] == [()] * len(streets)


@pytest.mark.parametrize("size", [(1280, 720), (320, 180), (1920, 1208), (97, 61)])
def test_the_images_size_does_not_matter(streets, size):
    for image in streets[:4]:
        assert check_image(cv2.resize(image, size, interpolation=cv2.INTER_AREA)).ok


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda image: blurred(image, 10), "blurred"),
        (lambda image: veiled(image, 0.93), "fogged|covered|no contrast"),
        (lambda image: covered(image, 0.85), "covered"),
        (lambda image: glaring(image), "blinded|covered|blurred"),
        (lambda image: (image * 0.06).astype(np.uint8), "too dark"),
    ],
)
def test_a_spoiled_view_is_noticed_and_named(streets, spoil, reason):
    for image in streets:
        health = check_image(spoil(image))
        assert not health.ok
        assert re.search(reason, "; ".join(health.reasons))


@pytest.mark.parametrize("spoil", [lambda i: blurred(i, 1.5), lambda i: veiled(i, 0.5)])
def test_a_little_haze_or_softness_is_no_blindness(streets, spoil):
    assert all(check_image(spoil(image)).ok for image in streets)


@pytest.mark.parametrize(("share", "ok"), [(0.0, True), (0.3, True), (0.5, True), (0.51, False)])
def test_a_scene_that_the_model_hardly_knows_is_no_clear_road(share, ok):
    anomalous = np.zeros((100, 100), bool)
    anomalous.flat[: round(share * anomalous.size)] = True
    health = check_anomalous_share(anomalous, 0.5)
    assert health.ok is ok
    assert ok or "unknown to the model" in health.reasons[0]
