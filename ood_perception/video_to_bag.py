"""Makes a bag from a video, a folder of images or frames of a program."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_perception.bag_writing import (
    BagWriter,
    camera_info_message,
    compressed_image_message,
    image_message,
)
from ood_perception.camera import CameraModel
from ood_perception.errors import BagError
from ood_perception.frame_sources import Frame, open_frames
from ood_perception.message_types import CAMERA_INFO_TYPE, COMPRESSED_IMAGE_TYPE, IMAGE_TYPE

Progress = Callable[[int, int | None], None]
"""Called after each frame with the frames done and their total, where that is known."""

_TOPIC_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(/[A-Za-z][A-Za-z0-9_]*)*")


@dataclass(frozen=True)
class Intrinsics:
    """A camera's intrinsics for images of the size that goes into the bag.

    fx, fy, cx, cy: pixels. distortion: none, or 4, 5 (plumb_bob), 8, 12 or 14 coefficients
    (rational_polynomial) in OpenCV's order.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    distortion: Sequence[float] = ()

    def for_image(self, width: int, height: int) -> CameraModel:
        """The camera of images of this size. Raises CameraError on impossible values."""
        matrix = np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]])
        count = len(self.distortion)
        model = "none" if not count else "plumb_bob" if count <= 5 else "rational_polynomial"
        return CameraModel(width, height, matrix, np.array(self.distortion, np.float64), model)


@dataclass(frozen=True)
class BagSummary:
    """What was written: the bag's folder, its topics with message counts, and its length."""

    path: Path
    frames: int
    topics: dict[str, int]
    duration_s: float
    size_bytes: int

    def to_json(self) -> dict[str, Any]:
        """A dict for JSON with the same names."""
        return {
            "path": str(self.path),
            "frames": self.frames,
            "topics": self.topics,
            "duration_s": round(self.duration_s, 6),
            "size_bytes": self.size_bytes,
        }


def make_bag(
    source: Path | str | Iterable[Frame],
    destination: Path | str,
    *,
    storage: str = "mcap",
    compressed: bool = False,
    quality: int = 90,
    camera_name: str = "camera",
    frame_id: str | None = None,
    fps: float | None = None,
    camera: Intrinsics | CameraModel | None = None,
    start_ns: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> BagSummary:
    """Writes a bag with the topics of one camera.

    source: a video file, an image file, a folder of images, or an iterable of (stamp in
    nanoseconds, (H, W, 3) uint8 BGR). Its frames become ``/NAME/image`` (bgr8) or, compressed,
    ``/NAME/image/compressed`` (JPEG of the given quality, 1 to 100), and with a camera each has
    its ``/NAME/camera_info``. frame_id: of the headers, NAME_optical_frame by default. fps and
    start_ns: see ``frame_sources.open_frames``. A CameraModel is scaled to the frames.

    Raises BagError (nothing to read, destination taken, bad option), CameraError (intrinsics that
    cannot be, or of another aspect); nothing is left behind then.
    """
    if not _TOPIC_NAME.fullmatch(camera_name):
        raise BagError(
            f"camera name {camera_name!r} cannot stand in a topic: use letters, digits, _"
        )
    if not 1 <= quality <= 100:
        raise BagError(f"JPEG quality must be from 1 to 100, not {quality}")
    frames = open_frames(source, fps=fps, start_ns=start_ns)
    stamps: list[int] = []
    with BagWriter(destination, storage=storage, overwrite=overwrite) as writer:
        camera_writer = _CameraWriter(
            writer,
            f"/{camera_name}",
            frame_id or f"{camera_name.replace('/', '_')}_optical_frame",
            quality if compressed else None,
            camera,
        )
        for stamp_ns, image in frames.frames:
            camera_writer.write(stamp_ns, image)
            stamps.append(stamp_ns)
            if progress is not None:
                progress(len(stamps), frames.total)
        if not stamps:
            raise BagError("there is no frame to write into the bag")
    path = Path(destination)
    return BagSummary(
        path=path,
        frames=len(stamps),
        topics=dict(writer.counts),
        duration_s=(max(stamps) - min(stamps)) / 1e9,
        size_bytes=sum(file.stat().st_size for file in path.iterdir()),
    )


class _CameraWriter:
    """Writes the frames of one camera; quality None means raw."""

    def __init__(
        self,
        writer: BagWriter,
        namespace: str,
        frame_id: str,
        quality: int | None,
        camera: Intrinsics | CameraModel | None,
    ) -> None:
        self._writer = writer
        self._namespace = namespace
        self._frame_id = frame_id
        self._quality = quality
        self._camera = camera

    def write(self, stamp_ns: int, image: NDArray[np.uint8]) -> None:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise BagError(f"a frame must be (H, W, 3) uint8 BGR, not {image.shape} {image.dtype}")
        self._write_camera_info(stamp_ns, image)
        if self._quality is None:
            topic, typename = f"{self._namespace}/image", IMAGE_TYPE
            message = image_message(image, stamp_ns, self._frame_id)
        else:
            topic, typename = f"{self._namespace}/image/compressed", COMPRESSED_IMAGE_TYPE
            message = compressed_image_message(image, stamp_ns, self._frame_id, self._quality)
        self._writer.write(topic, typename, stamp_ns, message)

    def _write_camera_info(self, stamp_ns: int, image: NDArray[np.uint8]) -> None:
        """Before its image, so that whoever plays the bag knows the camera when the image comes."""
        if self._camera is None:
            return
        height, width = image.shape[:2]
        if isinstance(self._camera, Intrinsics):
            self._camera = self._camera.for_image(width, height)
        camera = self._camera.scaled_to(width, height)
        message = camera_info_message(camera, stamp_ns, self._frame_id)
        topic = f"{self._namespace}/camera_info"
        self._writer.write(topic, CAMERA_INFO_TYPE, stamp_ns, message)
