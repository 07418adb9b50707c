"""Reading pictures, with one clear line when one cannot be read."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError


def read_color(path: Path) -> NDArray[np.uint8]:
    """A picture as (H, W, 3) uint8 BGR; OodError when it is missing, cut short or no picture."""
    return _decode(path, cv2.IMREAD_COLOR)


def read_labels(path: Path) -> NDArray[np.uint8]:
    """A one-channel 8-bit picture as (H, W) uint8; OodError when it is anything else."""
    labels = _decode(path, cv2.IMREAD_UNCHANGED)
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise OodError(
            f"{path}: label pictures have one channel of 8 bits, this one is "
            f"{labels.shape} {labels.dtype}"
        )
    return labels


def _decode(path: Path, flags: int) -> NDArray[np.uint8]:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise OodError(f"{path}: no such picture") from error
    except OSError as error:
        raise OodError(f"{path}: cannot be read: {error.strerror}") from error
    # Decoders fill what is missing with grey and only grumble on stderr.
    if _is_cut_short(content):
        raise OodError(f"{path}: the file ends too early; fetch it again")
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), flags) if content else None
    if picture is None:
        raise OodError(f"{path}: cannot be decoded as an image; fetch the file again")
    return np.asarray(picture)


def _is_cut_short(content: bytes) -> bool:
    """Whether the end mark of a JPEG, PNG or WebP file is missing; notes may follow the mark."""
    if content.startswith(b"\xff\xd8\xff"):
        # After the last scan's start: a preview inside the header has an end mark of its own.
        return content.find(b"\xff\xd9", content.rfind(b"\xff\xda")) < 0
    if content.startswith(b"\x89PNG"):
        return b"IEND" not in content
    if content.startswith(b"RIFF"):
        return int.from_bytes(content[4:8], "little") + 8 > len(content)
    return False


def add_overlay(image: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
    """Add the array ``rgb`` of an ``.npz`` file, (H, W, 3) signed and RGB, to a BGR picture.

    The sum is cut to 0..255, as Fishyscapes Static is made. Raises OodError when the file cannot
    be read or does not fit the picture.
    """
    try:
        with np.load(path) as archive:
            overlay = archive["rgb"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise OodError(f"{path}: not an overlay with an array 'rgb': {error}") from error
    if overlay.shape != image.shape:
        raise OodError(f"{path}: an overlay of {overlay.shape} does not fit {image.shape}")
    changed = image.astype(np.int64) + overlay[..., ::-1].astype(np.int64)
    return np.clip(changed, 0, 255).astype(np.uint8)
