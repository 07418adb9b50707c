"""Reads the images of one camera from a ROS 2 bag, without ROS."""

from __future__ import annotations

import sqlite3
import struct
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader, ReaderError
from rosbags.serde import SerdeError

from ood_perception.errors import BagError, ImageError
from ood_perception.image_decoding import decode_message
from ood_perception.message_stamp import stamp_ns_of
from ood_perception.message_types import (
    CAMERA_INFO_TYPE,
    COMPRESSED_IMAGE_TYPE,
    IMAGE_TYPE,
    message_typestore,
)

IMAGE_TYPES = (IMAGE_TYPE, COMPRESSED_IMAGE_TYPE)
_STORAGE_SUFFIXES = (".mcap", ".db3")
_SQLITE_ERRORS: tuple[type[Exception], ...] = (sqlite3.Error,)
if find_spec("apsw") is not None:  # newer versions of rosbags read with it
    _SQLITE_ERRORS += (import_module("apsw").Error,)

# What rosbags lets through when a storage file is cut off or overwritten.
_READ_ERRORS: tuple[type[Exception], ...] = (
    ReaderError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    MemoryError,
    AssertionError,
    struct.error,
    *_SQLITE_ERRORS,
)


@dataclass(frozen=True)
class BagTopic:
    """A topic of a bag: its name, message type and number of messages."""

    name: str
    typename: str
    count: int


@dataclass(frozen=True, eq=False)
class BagImage:
    """One image message.

    stamp_ns, frame_id: of its header; log_time_ns: when it was recorded. message: with the fields
    of sensor_msgs/Image or CompressedImage. camera_info: the CameraInfo of the same camera with
    the same stamp, else the last one before it, else the first one; None without any.
    defect: why the message itself cannot be read (stamp_ns is then log_time_ns), else empty.
    """

    topic: str
    stamp_ns: int
    log_time_ns: int
    frame_id: str
    message: Any
    camera_info: Any
    defect: str = ""

    def decode(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 BGR, perhaps read-only. Raises ImageError."""
        if self.defect:
            raise ImageError(self.defect)
        return decode_message(self.message)


def list_topics(bag: Path | str) -> tuple[BagTopic, ...]:
    """All topics of a bag (a bag folder, or a bare .mcap or .db3 file), by name.

    Raises BagError when it is none, or damaged.
    """
    with open_bag(bag) as reader:
        return _topics(reader)


def choose_image_topic(bag: Path | str, topic: str | None = None) -> BagTopic:
    """The named image topic, or the only one that the bag has.

    Raises BagError naming the topics when there is none, no such one, or several to choose from.
    """
    topics = list_topics(bag)
    images = [entry for entry in topics if entry.typename in IMAGE_TYPES]
    if topic is not None:
        for entry in images:
            if entry.name == topic:
                return entry
        raise BagError(f"bag {bag} has no image topic {topic}; {_describe(topics, images)}")
    if len(images) != 1:
        what = "several image topics, choose one" if images else "no image topic"
        raise BagError(f"bag {bag} has {what}; {_describe(topics, images)}")
    return images[0]


def read_images(bag: Path | str, topic: str | None = None) -> Iterator[BagImage]:
    """The images of one topic in the order of recording; the only image topic by default.

    Raises BagError as ``choose_image_topic`` does, and where the bag is damaged.
    """
    chosen = choose_image_topic(bag, topic)
    with open_bag(bag) as reader:
        infos = _CameraInfos(bag, reader, camera_info_topic(chosen.name))
        connections = [
            c for c in reader.connections if (c.topic, c.msgtype) == (chosen.name, chosen.typename)
        ]
        for connection, log_time_ns, raw in iterate(bag, reader, connections):
            yield _read_image(connection, log_time_ns, raw, infos)


@contextmanager
def open_bag(bag: Path | str) -> Iterator[Reader]:
    """The open reader of a bag. Raises BagError when it is none, or damaged."""
    path = Path(bag)
    if not path.exists():
        raise BagError(f"bag {path} does not exist")
    if path.is_dir() and not (path / "metadata.yaml").is_file():
        path = _only_storage_file(path)
    elif path.is_file() and path.suffix not in _STORAGE_SUFFIXES:
        raise BagError(f"{path} is not a ROS 2 bag: expected a bag folder, an .mcap or a .db3 file")
    try:
        reader = Reader(path)
        reader.open()
    except _READ_ERRORS as error:
        raise BagError(f"bag {path} cannot be opened: {_one_line(error)}") from error
    try:
        yield reader
    finally:
        reader.close()


def iterate(
    bag: Path | str, reader: Reader, connections: list[Connection]
) -> Iterator[tuple[Connection, int, bytes]]:
    """(connection, time in nanoseconds, serialised message) in order. Raises BagError."""
    if not connections:
        return
    messages = reader.messages(connections)
    while True:
        try:
            entry = next(messages, None)
        except _READ_ERRORS as error:
            raise BagError(f"bag {bag} is damaged: {_one_line(error)}") from error
        if entry is None:
            return
        yield entry


def _only_storage_file(folder: Path) -> Path:
    """A recorder that was killed leaves no metadata.yaml, but perhaps a readable file."""
    files = [p for p in sorted(folder.iterdir()) if p.suffix in _STORAGE_SUFFIXES]
    if len(files) != 1:
        raise BagError(f"{folder} is not a ROS 2 bag: it has no metadata.yaml")
    return files[0]


def _topics(reader: Reader) -> tuple[BagTopic, ...]:
    counts: dict[tuple[str, str], int] = {}
    for connection in reader.connections:
        key = (connection.topic, connection.msgtype)
        counts[key] = counts.get(key, 0) + connection.msgcount
    return tuple(
        BagTopic(name, typename, count) for (name, typename), count in sorted(counts.items())
    )


def _describe(topics: tuple[BagTopic, ...], images: list[BagTopic]) -> str:
    if images:
        return "its image topics are " + ", ".join(entry.name for entry in images)
    if not topics:
        return "it has no topics at all"
    return "its topics are " + ", ".join(f"{entry.name} ({entry.typename})" for entry in topics)


def image_base_topic(topic: str) -> str:
    """The topic without the suffix of a compressed transport."""
    return topic.removesuffix("/compressed")


def camera_info_topic(topic: str) -> str:
    """Where ROS looks for the camera_info of an image topic: beside it."""
    return image_base_topic(topic).rpartition("/")[0] + "/camera_info"


def camera_name(topic: str) -> str:
    """The camera of an image topic: "front" of /sensors/front/image_raw/compressed."""
    return image_base_topic(topic).rpartition("/")[0].rpartition("/")[2] or "camera"


class _CameraInfos:
    """The camera_info messages of one topic by their stamps; small enough to hold all of them."""

    def __init__(self, bag: Path | str, reader: Reader, topic: str) -> None:
        wanted = [
            c for c in reader.connections if (c.topic, c.msgtype) == (topic, CAMERA_INFO_TYPE)
        ]
        by_stamp: dict[int, Any] = {}
        for _, _, raw in iterate(bag, reader, wanted):
            try:
                message: Any = message_typestore().deserialize_cdr(raw, CAMERA_INFO_TYPE)
            except SerdeError as error:
                raise BagError(f"bag {bag}: a message of {topic} is damaged") from error
            by_stamp[stamp_ns_of(message)] = message
        self._stamps = sorted(by_stamp)
        self._messages = [by_stamp[stamp] for stamp in self._stamps]

    def at(self, stamp_ns: int) -> Any:
        if not self._messages:
            return None
        return self._messages[max(0, bisect_right(self._stamps, stamp_ns) - 1)]


def _read_image(
    connection: Connection, log_time_ns: int, raw: bytes, infos: _CameraInfos
) -> BagImage:
    try:
        message: Any = message_typestore().deserialize_cdr(raw, connection.msgtype)
    except SerdeError as error:
        defect = f"image message of {connection.topic} is damaged: {_one_line(error)}"
        info = infos.at(log_time_ns)
        return BagImage(connection.topic, log_time_ns, log_time_ns, "", None, info, defect)
    stamp = stamp_ns_of(message)
    frame_id = message.header.frame_id
    return BagImage(connection.topic, stamp, log_time_ns, frame_id, message, infos.at(stamp))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
