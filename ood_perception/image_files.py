"""Pictures on disk: which ones a path means, read with an error that helps, written whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import ImageError, OodError
from ood_perception.image_decoding import decode_compressed

EXTENSIONS = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
# Formats whose decoder is checked for files that end too early.
_CHECKED_EXTENSIONS = (".jpeg", ".jpg", ".png")


def list_images(paths: Sequence[Path]) -> list[Path]:
    """The image files that files and folders mean, folders sorted by name.

    Raises:
        ImageError: a path does not exist, or a folder holds no image.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in EXTENSIONS)
            if not inside:
                raise ImageError(f"folder {path} holds no image ({', '.join(EXTENSIONS)})")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise ImageError(f"{path} does not exist: give images or a folder of images")
    return found


def read_image(path: Path) -> NDArray[np.uint8]:
    """An image file as (H,W,3) uint8 BGR.

    Raises:
        ImageError: the file cannot be read as an image.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"image {path} cannot be read: {error.strerror}") from error
    if path.suffix.lower() in _CHECKED_EXTENSIONS:
        try:
            return decode_compressed(data)
        except ImageError as error:
            raise ImageError(f"image {path}: {error}") from error
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if image is None:
        raise ImageError(f"image {path} cannot be decoded: damaged, or no image")
    return np.asarray(image, np.uint8)


def write_image(path: Path, image: NDArray[Any]) -> None:
    """Write an image; the format follows the name's ending.

    Raises:
        OodError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        written = cv2.imwrite(str(temporary), image)
        if written:
            temporary.replace(path)
    except OSError as error:
        raise OodError(f"cannot write {path}: {error.strerror}") from error
    if not written:
        raise OodError(f"cannot write {path}: is the disk full or the folder read-only?")
