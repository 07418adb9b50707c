"""Frames of a video, a picture, a folder of pictures or a program, each with its stamp."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import BagError
from ood_perception.image_files import EXTENSIONS, list_images, read_image

Frame = tuple[int, NDArray[np.uint8]]
"""Stamp in nanoseconds and (H, W, 3) uint8 BGR."""

FOLDER_FRAMES_PER_SECOND = 10.0
"""Rate given to a folder of images, which has none of its own."""


@dataclass(frozen=True)
class FrameSource:
    """Frames to come; total: how many, where that is known (a video's header may err)."""

    frames: Iterator[Frame]
    total: int | None


def open_frames(
    source: Path | str | Iterable[Frame], *, fps: float | None = None, start_ns: int | None = None
) -> FrameSource:
    """Frames of a video file, an image file, a folder of images, or an iterable of frames.

    fps: frames per second of the stamps; without it a video's own rate, and 10 for images.
    start_ns: stamp of the first frame; without it the present time. An iterable brings its own
    stamps, so that both are refused with it.

    Raises BagError or ImageError when nothing can be read: missing, unreadable, without images or
    frames.
    """
    if fps is not None and not (fps > 0 and isfinite(fps)):
        raise BagError(f"frames per second must be positive, not {fps}")
    if not isinstance(source, str | Path):
        if fps is not None or start_ns is not None:
            raise BagError("frames that bring their own stamps take neither a rate nor a start")
        total = len(source) if isinstance(source, list | tuple) else None
        return FrameSource(iter(source), total)
    path = Path(source)
    start = time.time_ns() if start_ns is None else start_ns
    if not path.exists():
        raise BagError(f"{path} does not exist")
    if path.is_dir():
        return _from_images(list_images([path]), fps, start)
    if path.suffix.lower() in EXTENSIONS:
        return _from_images([path], fps, start)
    return _from_video(path, fps, start)


def _from_images(paths: list[Path], fps: float | None, start_ns: int) -> FrameSource:
    rate = fps or FOLDER_FRAMES_PER_SECOND
    stamps = (_stamp_ns(start_ns, index, rate) for index in range(len(paths)))
    frames = ((stamp, read_image(path)) for stamp, path in zip(stamps, paths, strict=True))
    return FrameSource(frames, len(paths))


def _from_video(path: Path, fps: float | None, start_ns: int) -> FrameSource:
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise BagError(f"{path} cannot be opened as a video: damaged, or no video")
    rate = fps or capture.get(cv2.CAP_PROP_FPS)
    if not (rate > 0 and isfinite(rate)):
        capture.release()
        raise BagError(f"video {path} does not say its frame rate; give the frames per second")
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    return FrameSource(_video_frames(capture, path, rate, start_ns), count if count > 0 else None)


def _video_frames(
    capture: cv2.VideoCapture, path: Path, rate: float, start_ns: int
) -> Iterator[Frame]:
    try:
        index = 0
        while True:
            read, image = capture.read()
            if not read:
                break
            yield _stamp_ns(start_ns, index, rate), np.asarray(image, dtype=np.uint8)
            index += 1
    finally:
        capture.release()
    if index == 0:
        raise BagError(f"video {path} holds no frame that can be decoded")


def _stamp_ns(start_ns: int, index: int, fps: float) -> int:
    return start_ns + round(index * 1e9 / fps)
