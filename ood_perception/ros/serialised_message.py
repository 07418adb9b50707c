"""Messages as bytes from plain nested dicts, without a Python object for every point of a contour.

rclpy's own way makes an object for each point, which it then reads field by field: a millisecond
for three obstacles. In CDR four bytes name the encoding of what follows; numbers are aligned to
their size, counted from behind those four; a string is its length with the closing zero, then its
bytes; a sequence is its length, then its elements; a message is its fields.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from ood_perception.ros.message_classes import message_class

_LITTLE_ENDIAN = b"\x00\x01\x00\x00"
_CODES = {
    "boolean": "?",
    **{"uint8": "B", "int8": "b", "uint16": "H", "int16": "h"},
    **{"uint32": "I", "int32": "i", "uint64": "Q", "int64": "q"},
    **{"float": "f", "double": "d"},
}
_PADDING = [bytes(count) for count in range(8)]

Write = Callable[[bytearray, Any], None]
"""Adds a value to the bytes so far, whose first four name the encoding."""


def serialised(message_type: type, fields: dict[str, Any]) -> bytes:
    """The bytes of a message with these fields, as ``rclpy.serialization`` would give them.

    fields: every field of the message: nested dicts for messages, lists for sequences. Raises
    ValueError when one is missing or too many, and struct.error for a number that does not fit.
    """
    out = bytearray(_LITTLE_ENDIAN)
    _message_writer(message_type)(out, fields)
    return bytes(out)


@cache
def _message_writer(message_type: Any) -> Write:
    types = message_type.get_fields_and_field_types()
    names, writers = types.keys(), [(name, _writer(kind)) for name, kind in types.items()]

    def write(out: bytearray, fields: dict[str, Any]) -> None:
        if fields.keys() != names:
            wrong = ", ".join(sorted(fields.keys() ^ names))
            raise ValueError(f"{message_type.__name__}: missing or unknown fields: {wrong}")
        for name, write_field in writers:
            write_field(out, fields[name])

    return write


@cache
def _writer(kind: str) -> Write:
    """kind: a field's type as messages tell it, such as "sequence<geometry_msgs/Point32>"."""
    if kind in _CODES:
        return _number_writer(_CODES[kind])
    if kind == "string":
        return _write_string
    if kind.startswith("sequence<"):
        return _sequence_writer(kind.removeprefix("sequence<").rstrip(">").partition(",")[0])
    if "/" in kind and not kind.endswith("]"):
        return _message_writer(_class_of(kind))
    raise ValueError(f"fields of type {kind} are not written here")


def _number_writer(code: str) -> Write:
    one = struct.Struct(f"<{code}")
    size, pack = one.size, one.pack

    def write(out: bytearray, value: Any) -> None:
        out += _PADDING[(4 - len(out)) % size] + pack(value)

    return write


_write_length = _number_writer("I")


def _write_string(out: bytearray, value: str) -> None:
    raw = value.encode()
    _write_length(out, len(raw) + 1)
    out += raw + b"\0"


def _sequence_writer(kind: str) -> Write:
    names, code = _numbers_of(kind)
    if names or kind in _CODES:
        return _block_writer(names, code)
    write_element = _writer(kind)

    def write(out: bytearray, values: Sequence[Any]) -> None:
        _write_length(out, len(values))
        for value in values:
            write_element(out, value)

    return write


def _block_writer(names: tuple[str, ...], code: str) -> Write:
    """Of numbers, or of messages that are nothing but numbers of one size, all at once."""
    size = struct.calcsize(code)

    def write(out: bytearray, values: Sequence[Any]) -> None:
        _write_length(out, len(values))
        if not len(values):
            return
        if names:
            values = [value[name] for value in values for name in names]
        out += _PADDING[(4 - len(out)) % size] + struct.pack(f"<{len(values)}{code}", *values)

    return write


def _numbers_of(kind: str) -> tuple[tuple[str, ...], str]:
    """The fields of a message that is nothing but numbers of one type, and its code."""
    if kind in _CODES:
        return (), _CODES[kind]
    types = _class_of(kind).get_fields_and_field_types() if "/" in kind else {}
    codes = {_CODES.get(of_field, "") for of_field in types.values()}
    return (tuple(types), codes.pop()) if len(codes) == 1 and "" not in codes else ((), "")


def _class_of(kind: str) -> Any:
    """kind: as in "geometry_msgs/Point32"."""
    return message_class(kind.replace("/", "/msg/"))
