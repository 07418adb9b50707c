"""Overlay messages as a video that keeps their pace, or as pictures where no codec is there."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_perception.image_decoding import decode_message
from ood_perception.message_stamp import stamp_ns_of
from ood_perception.message_types import IMAGE_TYPE, message_typestore

_CODEC = "mp4v"
_LONGEST_HOLD_S = 5.0


class OverlayVideo:
    """Writes FOLDER/overlay.mp4, or FOLDER/overlay/000000.png and so on; use it in a ``with``.

    A picture is repeated where following ones are missing, so that the video runs as fast as the
    drive did. frame_rate_hz: of the camera.
    """

    def __init__(self, folder: Path, frame_rate_hz: float) -> None:
        self._folder = folder
        self._rate = frame_rate_hz
        self._video: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._first_ns: int | None = None
        self._written = 0
        self._last: NDArray[np.uint8] | None = None
        self.stamps_ns: list[int] = []
        self.path: Path | None = None

    def __enter__(self) -> OverlayVideo:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._video is not None:
            self._video.release()

    def add(self, serialised: bytes) -> None:
        """Appends a serialised sensor_msgs/Image. Raises OodError when it cannot be written."""
        message = message_typestore().deserialize_cdr(serialised, IMAGE_TYPE)
        stamp_ns = stamp_ns_of(message)
        image = decode_message(message)
        if self._first_ns is None:
            self._first_ns = stamp_ns
            self._open(image)
        self.stamps_ns.append(stamp_ns)
        height, width = self._size
        if image.shape[:2] != (height, width):
            image = np.asarray(cv2.resize(image, (width, height)), dtype=np.uint8)
        place = round((stamp_ns - self._first_ns) * 1e-9 * self._rate)
        missing = min(max(place - self._written, 0), round(_LONGEST_HOLD_S * self._rate))
        if self._video is not None and self._last is not None:
            for _ in range(missing):
                self._write(self._last)
        self._write(image)
        self._last = image

    def _open(self, image: NDArray[np.uint8]) -> None:
        self._size = (image.shape[0], image.shape[1])
        path = self._folder / "overlay.mp4"
        code = cv2.VideoWriter.fourcc(*_CODEC)
        video = cv2.VideoWriter(str(path), code, self._rate, (image.shape[1], image.shape[0]))
        if video.isOpened():
            self._video, self.path = video, path
            return
        path.unlink(missing_ok=True)
        self.path = self._folder / "overlay"
        self.path.mkdir(exist_ok=True)

    def _write(self, image: NDArray[np.uint8]) -> None:
        if self._video is not None:
            self._video.write(image)
        elif self.path is not None:
            picture = self.path / f"{self._written:06d}.png"
            if not cv2.imwrite(str(picture), image):
                raise OodError(f"cannot write {picture}: is the disk full?")
        self._written += 1
