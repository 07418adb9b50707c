"""Frames of which no two are alike: generated scenes or pictures, changed anew for every frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.generated_drive import CameraSetup, random_scene
from ood_perception.image_files import list_images, read_image

_NOISE_EVERY = 97
"""One frame in so many is noise: many components, and memory that a quiet road never asks for."""


def changing_frames(
    size: tuple[int, int],
    scenes: int,
    folder: Path | None = None,
    after_each_scene: Callable[[], None] = lambda: None,
) -> Iterator[NDArray[np.uint8]]:
    """Endless frames (H, W, 3) uint8 BGR of (width, height), the same ones for the same arguments.

    scenes: so many different generated scenes, all made before the first frame, so that keeping
        them is not mistaken for growth. folder: every other frame is one of its pictures instead
        (also of the folders below it).
    Raises ImageError for a folder without pictures.
    """
    rng = np.random.default_rng(0)
    pictures = [] if folder is None else _pictures(folder)
    camera = CameraSetup.default(*size)
    made: list[NDArray[np.uint8]] = []
    for seed in range(scenes):
        made.append(random_scene(seed, camera=camera).image)
        after_each_scene()
    for number in count(1):
        if number % _NOISE_EVERY == 0:
            yield rng.integers(0, 256, (size[1], size[0], 3), np.uint8)
            continue
        if pictures and number % 2:
            image = read_image(pictures[int(rng.integers(len(pictures)))])
        else:
            image = made[int(rng.integers(len(made)))]
        yield _changed(image, size, rng)


def _changed(
    image: NDArray[np.uint8], size: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """A random part of it, perhaps mirrored, lighter or darker, with a few bright patches."""
    height, width = image.shape[:2]
    share = rng.uniform(0.7, 1.0)
    rows, columns = max(int(height * share), 1), max(int(width * share), 1)
    top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
    part = image[top : top + rows, left : left + columns]
    changed = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    if rng.random() < 0.5:
        changed = changed[:, ::-1]
    changed = np.asarray(cv2.convertScaleAbs(changed, alpha=rng.uniform(0.7, 1.3)), np.uint8)
    for _ in range(int(rng.integers(0, 8))):
        centre = (int(rng.integers(size[0])), int(rng.integers(size[1])))
        colour = rng.integers(0, 256, 3).tolist()
        cv2.circle(changed, centre, int(rng.integers(2, max(3, size[1] // 12))), colour, -1)
    return changed


def _pictures(folder: Path) -> list[Path]:
    folders = [folder, *sorted(path for path in folder.rglob("*") if path.is_dir())]
    found = [path for path in folder.rglob("*") if path.is_file()]
    holding = {path.parent for path in found if path.suffix.lower() in (".png", ".jpg", ".jpeg")}
    wanted = [place for place in folders if place in holding]
    return list_images(wanted or [folder])
