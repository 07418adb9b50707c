"""The header stamp of a serialised message, read and replaced without decoding the rest.

In CDR four bytes name the encoding; a message whose first field is a std_msgs/Header then starts
with its stamp: int32 seconds, uint32 nanoseconds.
"""

from __future__ import annotations

import struct

_ENCODING_BYTES = 4
_STAMP_BYTES = 8
_NANOSECONDS = 1_000_000_000


def read_stamp_ns(serialised: bytes) -> int:
    """Nanoseconds of the stamp. Raises ValueError when the message is too short to hold one."""
    if len(serialised) < _ENCODING_BYTES + _STAMP_BYTES:
        raise ValueError(f"a message of {len(serialised)} bytes holds no header stamp")
    seconds, nanoseconds = struct.unpack_from(_format(serialised), serialised, _ENCODING_BYTES)
    return int(seconds) * _NANOSECONDS + int(nanoseconds)


def replace_stamp_ns(serialised: bytes, stamp_ns: int) -> bytes:
    """A copy of the message with another stamp. Raises ValueError as ``read_stamp_ns`` does."""
    read_stamp_ns(serialised)
    stamp = struct.pack(_format(serialised), *divmod(stamp_ns, _NANOSECONDS))
    rest = _ENCODING_BYTES + _STAMP_BYTES
    return b"".join((serialised[:_ENCODING_BYTES], stamp, memoryview(serialised)[rest:]))


def _format(serialised: bytes) -> str:
    """The lowest bit of the second byte says little endian."""
    return "<iI" if serialised[1] & 1 else ">iI"
