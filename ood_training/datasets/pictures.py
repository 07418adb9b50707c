"""Reading pictures, with one clear line when one cannot be read."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError


def read_color(path: Path) -> NDArray[np.uint8]:
    """A picture as (H, W, 3) uint8 BGR; OodError when it is missing or cannot be decoded."""
    if not path.is_file():
        raise OodError(f"{path}: no such image")
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise OodError(f"{path}: cannot be decoded as an image; fetch the file again")
    return np.asarray(image, np.uint8)


def read_labels(path: Path) -> NDArray[np.uint8]:
    """A one-channel 8-bit picture as (H, W) uint8; OodError when it is anything else."""
    if not path.is_file():
        raise OodError(f"{path}: no such label picture")
    labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if labels is None:
        raise OodError(f"{path}: cannot be decoded as an image; fetch the file again")
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise OodError(
            f"{path}: label pictures have one channel of 8 bits, this one is "
            f"{labels.shape} {labels.dtype}"
        )
    return np.asarray(labels, np.uint8)
