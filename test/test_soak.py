"""Memory stays where it is over many changing frames; the check itself can fail."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from color_bundle import BLUE, GREEN, GREY

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "benchmarks"))

from changing_frames import changing_frames  # noqa: E402
from memory_slope import memory_slope  # noqa: E402
from soak import soak, summary  # noqa: E402

SIZE = (256, 128)
FRAMES, WARMUP = 300, 120
FRAME_BYTES = SIZE[0] * SIZE[1] * 3
SMALLEST_LEAK = FRAME_BYTES // 20


def color_frames():
    """Grey blocks and specks that come and go before green and blue."""
    rng = np.random.default_rng(0)
    while True:
        image = np.empty((SIZE[1], SIZE[0], 3), np.uint8)
        image[:64], image[64:] = GREEN, BLUE
        for _ in range(int(rng.integers(1, 12))):
            x, y = rng.integers(0, SIZE).tolist()
            side = int(rng.integers(4, 40))
            cv2.rectangle(image, (x, y), (x + side, y + side), GREY, -1)
        yield image + rng.integers(0, 5, image.shape, np.uint8)


class LeakingDetector:
    """Keeps a copy of every image, as a forgotten cache would."""

    def __init__(self, detector) -> None:
        self.detector, self.bundle = detector, detector.bundle
        self.kept: list[np.ndarray] = []

    def detect(self, image):
        self.kept.append(image.copy())
        return self.detector.detect(image)


def test_memory_stays_over_many_changing_frames(color_detector) -> None:
    resident, seen = soak(color_detector, color_frames(), SIZE, FRAMES)
    slope, _ = summary(resident, WARMUP)
    assert seen["refused"] < FRAMES / 10
    assert seen["components"] > FRAMES
    assert seen["obstacles"] > FRAMES / 4
    assert slope.bytes_per_frame < SMALLEST_LEAK


def test_a_detector_that_keeps_its_images_is_found(color_detector) -> None:
    resident, _ = soak(LeakingDetector(color_detector), color_frames(), SIZE, FRAMES)
    slope, figures = summary(resident, WARMUP)
    assert slope.is_growth
    assert figures["grows"]
    assert slope.low < 1.2 * FRAME_BYTES
    assert slope.high > 0.8 * FRAME_BYTES
    assert slope.bytes_per_frame > SMALLEST_LEAK


def test_one_step_and_noise_are_no_slope_but_a_small_steady_leak_is() -> None:
    rng = np.random.default_rng(1)
    noise = 300e6 + rng.normal(0, 100e3, 9500)
    assert not memory_slope(noise.astype(int).tolist()).is_growth
    step = noise + np.where(np.arange(9500) > 4000, 3e6, 0)
    assert not memory_slope(step.astype(int).tolist()).is_growth
    leak = memory_slope((noise + 100 * np.arange(9500)).astype(int).tolist())
    assert leak.is_growth
    assert leak.low < 100 < leak.high


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Resident memory that wanders without a trend is called growing about once in 40 times."""
    rng = np.random.default_rng(2)
    found = 0
    for _ in range(400):
        wandering = 300e6 + 4096 * np.cumsum(rng.integers(-3, 4, 2000))
        found += memory_slope(wandering.astype(int).tolist()).is_growth
    assert 1 <= found <= 25


def test_too_few_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="at least"):
        memory_slope([1] * 20)


def test_frames_change_and_repeat_with_the_same_arguments() -> None:
    first, second = changing_frames((96, 64), 2), changing_frames((96, 64), 2)
    seen = [next(first) for _ in range(6)]
    assert all(image.shape == (64, 96, 3) and image.dtype == np.uint8 for image in seen)
    assert len({image.tobytes() for image in seen}) == 6
    assert all(np.array_equal(image, next(second)) for image in seen)


def test_real_pictures_take_every_other_place(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    cv2.imwrite(str(tmp_path / "below" / "red.png"), np.full((40, 60, 3), (0, 0, 200), np.uint8))
    frames = changing_frames((96, 64), 1, tmp_path)
    reds = [np.median(next(frames)[..., 0]) < 20 for _ in range(6)]
    assert reds[::2] == [True] * 3
    assert not any(reds[1::2])
