"""Memory stays where it is over many changing frames; the check itself can fail."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "benchmarks"))

from changing_frames import changing_frames  # noqa: E402
from memory_slope import memory_slope  # noqa: E402

FRAMES, WARMUP = 300, 120
LEAK = 1 << 18
"""Bytes a frame: what a forgotten image of 256x340 would take."""


def soaked(leaked_bytes: int) -> dict:
    command = [sys.executable, HERE / "soaked_process.py", FRAMES, WARMUP, leaked_bytes]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_memory_stays_over_many_changing_frames() -> None:
    figures = soaked(leaked_bytes=0)
    assert figures["refused"] < FRAMES / 10
    assert figures["components"] > FRAMES
    assert figures["obstacles"] > FRAMES / 4
    assert figures["bytes_per_frame"] < LEAK / 10


def test_a_detector_that_keeps_memory_is_found() -> None:
    figures = soaked(leaked_bytes=LEAK)
    assert figures["grows"]
    low, high = figures["interval_95"]
    assert low < 1.1 * LEAK
    assert high > 0.9 * LEAK
    assert figures["bytes_per_frame"] > 0.8 * LEAK


def test_one_step_and_noise_are_no_slope_but_a_small_steady_leak_is() -> None:
    rng = np.random.default_rng(1)
    noise = 300e6 + rng.normal(0, 100e3, 9500)
    assert not memory_slope(noise.astype(int).tolist()).is_growth
    step = noise + np.where(np.arange(9500) > 4000, 3e6, 0)
    assert not memory_slope(step.astype(int).tolist()).is_growth
    leak = memory_slope((noise + 100 * np.arange(9500)).astype(int).tolist())
    assert leak.is_growth
    assert leak.low < 100 < leak.high


def steps(rng: np.random.Generator, count: int) -> np.ndarray:
    """An allocator that keeps up to 8 MB more for hundreds of frames, then hands it all back."""
    resident: list[np.ndarray] = []
    while sum(map(len, resident)) < count:
        frames = np.arange(int(rng.integers(10, 600)))
        resident.append(400e6 + rng.uniform(0, 8e6) * (1 - np.exp(-frames / 100)))
    return np.concatenate(resident)[:count]


@pytest.mark.parametrize("seed", range(5))
def test_memory_that_is_kept_and_handed_back_is_no_growth_but_a_leak_below_it_is(seed: int) -> None:
    resident = steps(np.random.default_rng(seed), 16000)
    assert not memory_slope(resident.astype(int).tolist()).is_growth
    leak = memory_slope((resident + 300 * np.arange(16000)).astype(int).tolist())
    assert leak.is_growth
    assert leak.low < 300 < leak.high


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
