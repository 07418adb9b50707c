"""Frames, folders of images and videos for the tests of bags."""

from pathlib import Path

import cv2
import numpy as np

from ood_perception.bags import Intrinsics

STORAGES = ["mcap", "sqlite3"]
START_NS = 1_700_000_000_123_456_789
LENS = Intrinsics(50.0, 51.0, 20.5, 15.25, (0.1, -0.05, 0.001, 0.002, 0.0))


def frames(count: int = 4, height: int = 30, width: int = 40) -> list:
    random = np.random.default_rng(7)
    return [
        (START_NS + index * 100_000_000, random.integers(0, 256, (height, width, 3), np.uint8))
        for index in range(count)
    ]


def write_images(folder: Path, count: int = 3, suffix: str = ".png") -> list:
    folder.mkdir()
    images = [image for _, image in frames(count)]
    for index, image in enumerate(images):
        assert cv2.imwrite(str(folder / f"frame_{index:03d}{suffix}"), image)
    return images


def write_video(path: Path, count: int = 5) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20.0, (64, 48))
    for index in range(count):
        writer.write(np.full((48, 64, 3), 20 * index, np.uint8))
    writer.release()
    return path
