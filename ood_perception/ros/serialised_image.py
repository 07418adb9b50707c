"""Image messages read in place: their bytes are looked at where they arrived, not copied.

Reading a raw image of 1280x720 by the generated code costs several milliseconds, all of it copying.
In CDR four bytes name the encoding of what follows; numbers are aligned to their size, counted from
behind those four; a string is its length with the closing zero, then its bytes; a sequence of bytes
is its length, then its bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from builtin_interfaces.msg import Time
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from ood_perception.errors import ImageError

_PLAIN_CDR = {b"\x00\x00": ">", b"\x00\x01": "<"}
_START = 4


@dataclass(frozen=True)
class RawImage:
    """The fields of a sensor_msgs/Image; data is a view of the message's bytes."""

    header: Header
    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: memoryview


@dataclass(frozen=True)
class PackedImage:
    """The fields of a sensor_msgs/CompressedImage; data is a view of the message's bytes."""

    header: Header
    format: str
    data: memoryview


def read_image(serialised: bytes, message_type: type[Image] | type[CompressedImage]) -> Any:
    """An object with the fields of the message. Raises ImageError when its bytes are damaged.

    What is not plain CDR is left to ROS's own code.
    """
    order = _PLAIN_CDR.get(bytes(serialised[:2]))
    if order is None:
        return deserialize_message(serialised, message_type)
    reader = _Reader(serialised, order)
    try:
        return reader.packed_image() if message_type is CompressedImage else reader.raw_image()
    except (struct.error, ValueError) as error:
        raise ImageError(
            f"image message of {len(serialised)} bytes is damaged: {error}; "
            "check the camera driver and the network"
        ) from error


class _Reader:
    """Goes through the fields from the first to the last."""

    def __init__(self, serialised: bytes, order: str) -> None:
        self._bytes = memoryview(serialised)
        self._order = order
        self._place = _START

    def raw_image(self) -> RawImage:
        return RawImage(
            header=self._header(),
            height=self._number("I"),
            width=self._number("I"),
            encoding=self._string(),
            is_bigendian=self._number("B"),
            step=self._number("I"),
            data=self._piece(self._number("I")),
        )

    def packed_image(self) -> PackedImage:
        header, format_name = self._header(), self._string()
        return PackedImage(header, format_name, self._piece(self._number("I")))

    def _header(self) -> Header:
        seconds, nanoseconds = self._number("i"), self._number("I")
        if nanoseconds >= 1_000_000_000:
            raise ValueError("these are no nanoseconds of a second")
        stamp = Time(sec=seconds, nanosec=nanoseconds)
        return Header(stamp=stamp, frame_id=self._string())

    def _number(self, kind: str) -> int:
        size = struct.calcsize(kind)
        self._place += (_START - self._place) % size
        (value,) = struct.unpack_from(self._order + kind, self._bytes, self._place)
        self._place += size
        return int(value)

    def _string(self) -> str:
        length = self._number("I")
        if length == 0:
            return ""
        return str(self._piece(length)[:-1], "utf-8")

    def _piece(self, length: int) -> memoryview:
        piece = self._bytes[self._place : self._place + length]
        if len(piece) < length:
            raise ValueError("the message is cut off")
        self._place += length
        return piece
