"""Freed memory goes back to the system, garbage in circles included."""

from __future__ import annotations

import ctypes
import platform
import weakref

import pytest

from ood_perception.process_memory import hand_back_freed, resident_bytes

BLOCK, BLOCKS = 60_000, 1000
"""Bytes that glibc takes from its heap, not from the system."""


class Thing:
    pass


def test_what_only_a_circle_holds_is_gone():
    first, second = Thing(), Thing()
    first.other, second.other = second, first
    watched = weakref.ref(first)
    del first, second
    hand_back_freed()
    assert watched() is None


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked to")
def test_blocks_freed_below_one_that_stays_go_back_to_the_system():
    c_library = ctypes.CDLL(None)
    c_library.malloc.restype = ctypes.c_void_p
    c_library.free.argtypes = [ctypes.c_void_p]
    hand_back_freed()
    blocks = [c_library.malloc(BLOCK) for _ in range(BLOCKS)]
    for block in blocks:
        ctypes.memset(block, 1, BLOCK)
    for block in blocks[:-1]:
        c_library.free(block)
    kept = resident_bytes()
    hand_back_freed()
    c_library.free(blocks[-1])
    assert kept - resident_bytes() > 0.7 * BLOCK * BLOCKS
