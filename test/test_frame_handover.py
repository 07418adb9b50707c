"""A frame is worked on from the moment it is there."""

from __future__ import annotations

import time
from threading import Thread

from ood_perception.ros.frame_slot import FrameSlots


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
