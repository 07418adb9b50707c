"""What a benchmark looks at: pictures of the user, or generated scenes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_perception.generated_drive import CameraSetup, random_scene
from ood_perception.image_files import list_images, read_image

_JPEG_QUALITY = 95
_SMALLEST, _LARGEST = 32, 8192


def parse_size(size: str) -> tuple[int, int]:
    """(width, height) of "WIDTHxHEIGHT". Raises OodError for anything else."""
    try:
        width, height = (int(part) for part in size.lower().split("x"))
    except ValueError as error:
        raise OodError(f"--size {size!r} is not WIDTHxHEIGHT, such as 1280x720") from error
    if not all(_SMALLEST <= side <= _LARGEST for side in (width, height)):
        raise OodError(f"--size {size}: both sides must lie between {_SMALLEST} and {_LARGEST}")
    return width, height


def pictures_from_files(
    paths: Sequence[Path], limit: int, size: tuple[int, int] | None = None
) -> list[bytes]:
    """The first `limit` images of files and folders, each as a JPEG or PNG file in memory.

    size: (width, height) to which they are scaled; None leaves JPEG and PNG files as they are.
    Raises ImageError for a path without images and for a file that is none.
    """
    return [_picture(path, size) for path in islice(list_images(paths), limit)]


def generated_pictures(
    count: int,
    size: tuple[int, int],
    after_each: Callable[[], None] = lambda: None,
) -> list[bytes]:
    """So many generated scenes of (width, height) as JPEG files; always the same ones."""
    camera = CameraSetup.default(*size)
    pictures = []
    for seed in range(count):
        pictures.append(_jpeg(random_scene(seed, camera=camera, obstacle_count=2).image))
        after_each()
    return pictures


def _picture(path: Path, size: tuple[int, int] | None) -> bytes:
    image = read_image(path)
    if size is None and path.suffix.lower() in (".jpg", ".jpeg", ".png"):
        return path.read_bytes()
    if size is not None and (image.shape[1], image.shape[0]) != size:
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return _jpeg(image)


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return bytes(data.tobytes())
