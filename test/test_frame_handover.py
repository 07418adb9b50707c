"""A frame is worked on from the moment it is there, unless a newer one is."""

from __future__ import annotations

import struct
import time
from threading import Thread

from ood_perception.ros.frame_slot import FrameSlots
from ood_perception.ros.received_frame import ReceivedFrame, is_overtaken


def test_who_leaves_a_frame_lets_go_until_who_waits_for_it_has_begun():
    """Else the receiving thread goes on and the work begins a millisecond later."""
    begun = 0
    for _ in range(40):
        slots = FrameSlots(["a"])
        thread = Thread(target=slots.take)
        thread.start()
        time.sleep(0.005)  # it waits by now
        slots.put("a", 1)
        begun += slots.put("a", 2) is None
        thread.join(5)
    assert begun > 30


def test_an_image_that_another_thread_brings_late_does_not_replace_a_newer_one():
    def frame(stamp_s):
        stamp = struct.pack("<iI", int(stamp_s), round(stamp_s % 1 * 1e9))
        return ReceivedFrame(b"\x00\x01\x00\x00" + stamp, 0.0)

    older, newer, long_ago = frame(7.1), frame(7.2), frame(3.0)
    slots = FrameSlots(["a"], is_overtaken)
    slots.put("a", newer)
    assert slots.put("a", older) is older
    assert slots.put("a", ReceivedFrame(b"", 0.0)) is newer, "what cannot be read is refused later"
    slots.put("a", newer)
    assert slots.put("a", long_ago) is newer, "time began anew"
    assert slots.take() == [("a", long_ago)]
