"""Writes ROS 2 bags without ROS, whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import StoragePlugin, Writer, WriterError

from ood_perception import __version__
from ood_perception.camera import CameraModel
from ood_perception.errors import BagError
from ood_perception.message_types import (
    CAMERA_INFO_TYPE,
    COMPRESSED_IMAGE_TYPE,
    IMAGE_TYPE,
    make_message,
    message_typestore,
)
from ood_perception.obstacle_message_fields import time_fields

Storage = Literal["mcap", "sqlite3"]

STORAGES = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}

# Humble reads QoS profiles as a string, which version 9 no longer writes; Jazzy reads both.
_METADATA_VERSION: Literal[8] = 8

_UNLIMITED = QosTime(sec=9223372036, nsec=854775807)
_RELIABLE = Qos(
    history=QosHistory.KEEP_LAST,
    depth=10,
    reliability=QosReliability.RELIABLE,
    durability=QosDurability.VOLATILE,
    deadline=_UNLIMITED,
    lifespan=_UNLIMITED,
    liveliness=QosLiveliness.AUTOMATIC,
    liveliness_lease_duration=_UNLIMITED,
    avoid_ros_namespace_conventions=False,
)


class BagWriter:
    """A new bag folder; use it in a ``with`` statement.

    The bag is written beside its destination and moved there when the block ends well; when an
    error ends it, nothing is left and what stood there before stays. Topics are offered reliable,
    volatile, keep last 10, so that a player publishes them like that.

    destination: folder of the new bag. storage: "mcap" or "sqlite3". overwrite: replace a bag that
    already stands there; anything else is never replaced.

    Raises BagError when the destination is taken or cannot be written.
    """

    def __init__(
        self, destination: Path | str, *, storage: str = "mcap", overwrite: bool = False
    ) -> None:
        self.destination = Path(destination)
        if storage not in STORAGES:
            raise BagError(f"unknown bag storage {storage!r}; known are {', '.join(STORAGES)}")
        _check_destination(self.destination, overwrite)
        self._storage = STORAGES[storage]
        self._stack = ExitStack()
        self._connections: dict[tuple[str, str], Connection] = {}
        self.counts: dict[str, int] = {}

    def __enter__(self) -> BagWriter:
        parent = self.destination.absolute().parent
        try:
            parent.mkdir(parents=True, exist_ok=True)
            work = tempfile.mkdtemp(prefix=f".{self.destination.name}.", dir=parent)
            self._stack.callback(shutil.rmtree, work, ignore_errors=True)
            # The storage file and metadata.yaml take their names from the folder's last part.
            self._folder = Path(work) / self.destination.name
            self._writer = Writer(
                self._folder, version=_METADATA_VERSION, storage_plugin=self._storage
            )
            self._writer.set_custom_data("written_by", f"ood_perception {__version__}")
            self._writer.open()
        except (OSError, WriterError) as error:
            self._stack.close()
            raise BagError(f"bag {self.destination} cannot be written: {error}") from error
        return self

    def add_topic(self, topic: str, typename: str) -> None:
        """Announces a topic, so that it stands in the bag also when nothing is written to it."""
        if (topic, typename) not in self._connections:
            self._connections[topic, typename] = self._writer.add_connection(
                topic, typename, typestore=message_typestore(), offered_qos_profiles=[_RELIABLE]
            )
            self.counts.setdefault(topic, 0)

    def write(self, topic: str, typename: str, time_ns: int, message: Any) -> None:
        """Writes a message of ``message_types.make_message``; time_ns is when it was recorded."""
        self.add_topic(topic, typename)
        raw = message_typestore().serialize_cdr(message, typename)
        self.write_serialised(topic, typename, time_ns, raw)

    def add_foreign_topic(self, connection: Connection, definition: str, type_hash: str) -> None:
        """Announces a topic of another bag, with that bag's definition of its type."""
        key = (connection.topic, connection.msgtype)
        if key in self._connections:
            return
        profiles = getattr(connection.ext, "offered_qos_profiles", None) or [_RELIABLE]
        self._connections[key] = self._writer.add_connection(
            *key, msgdef=definition, rihs01=type_hash, offered_qos_profiles=profiles
        )
        self.counts.setdefault(connection.topic, 0)

    def write_serialised(
        self, topic: str, typename: str, time_ns: int, raw: bytes | memoryview
    ) -> None:
        """Writes a CDR-serialised message of a topic that was announced before."""
        if time_ns < 0:
            raise BagError(f"bag {self.destination}: stamp {time_ns} ns of {topic} is negative")
        try:
            self._writer.write(self._connections[topic, typename], time_ns, raw)
        except OSError as error:
            raise BagError(f"bag {self.destination} cannot be written: {error}") from error
        self.counts[topic] += 1

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._stack:
            if error_type is not None:
                self._writer.abort()
                return
            try:
                self._writer.close()
                if self.destination.exists():
                    self.destination.rename(self._folder.with_name("replaced"))
                self._folder.rename(self.destination)
            except OSError as problem:
                raise BagError(f"bag {self.destination} cannot be written: {problem}") from problem


def _check_destination(destination: Path, overwrite: bool) -> None:
    if not destination.name:
        raise BagError(f"{destination} is no name for a bag folder")
    if not destination.exists():
        return
    if not overwrite:
        raise BagError(f"{destination} already exists; choose another name or allow overwriting")
    if not (destination / "metadata.yaml").is_file():
        raise BagError(f"{destination} is not a bag and will not be overwritten; remove it first")


def image_message(image: NDArray[np.uint8], stamp_ns: int, frame_id: str) -> Any:
    """A sensor_msgs/Image of encoding bgr8 from (H, W, 3) uint8 BGR."""
    height, width = image.shape[:2]
    return make_message(
        IMAGE_TYPE,
        {
            "header": {"stamp": time_fields(stamp_ns), "frame_id": frame_id},
            "height": height,
            "width": width,
            "encoding": "bgr8",
            "is_bigendian": 0,
            "step": width * 3,
            "data": np.ascontiguousarray(image).ravel(),
        },
    )


def compressed_image_message(
    image: NDArray[np.uint8], stamp_ns: int, frame_id: str, quality: int = 90
) -> Any:
    """A sensor_msgs/CompressedImage with a JPEG of (H, W, 3) uint8 BGR; quality 1 to 100."""
    done, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise BagError(f"an image of {image.shape[1]}x{image.shape[0]} cannot be written as JPEG")
    return make_message(
        COMPRESSED_IMAGE_TYPE,
        {
            "header": {"stamp": time_fields(stamp_ns), "frame_id": frame_id},
            "format": "bgr8; jpeg compressed bgr8",
            "data": np.asarray(jpeg, dtype=np.uint8).ravel(),
        },
    )


def camera_info_message(camera: CameraModel, stamp_ns: int, frame_id: str) -> Any:
    """A sensor_msgs/CameraInfo of an unrectified camera with these intrinsics."""
    # ROS has no name for "no distortion": plumb_bob with zeros is what its tools expect.
    is_straight = camera.distortion_model == "none"
    projection = np.hstack([camera.matrix, np.zeros((3, 1))])
    return make_message(
        CAMERA_INFO_TYPE,
        {
            "header": {"stamp": time_fields(stamp_ns), "frame_id": frame_id},
            "height": camera.height,
            "width": camera.width,
            "distortion_model": "plumb_bob" if is_straight else camera.distortion_model,
            "d": np.zeros(5) if is_straight else camera.distortion,
            "k": camera.matrix.ravel(),
            "r": np.eye(3).ravel(),
            "p": projection.ravel(),
            "binning_x": 0,
            "binning_y": 0,
            "roi": {"x_offset": 0, "y_offset": 0, "height": 0, "width": 0, "do_rectify": False},
        },
    )
