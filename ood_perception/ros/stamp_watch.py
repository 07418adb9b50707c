"""Do the stamps of a camera's images tell the time? Old, future, repeated and jumping ones."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

FUTURE_TOLERANCE_S = 0.1
"""Clocks of two machines differ by less than this; what is beyond is said."""

REORDERED_S = 0.5
"""Stamps that go back by less are of images that were overtaken on their way."""

_STEADY_S = 3.0
SIM_TIME_HINT = "use_sim_time? Images and node must follow the same clock"


class StampVerdict(Enum):
    """What follows for the image."""

    GOOD = "good"
    TOO_OLD = "too old"
    IN_FUTURE = "in the future"
    STANDS_STILL = "stands still"
    OUT_OF_ORDER = "out of order"
    JUMPED_BACK = "jumped back"
    UNSTEADY = "unsteady"


class StampJudgement(NamedTuple):
    """age_s: by the node's clock. text: one line for a person, empty where all is well."""

    verdict: StampVerdict
    age_s: float
    text: str = ""


_UNSTEADY_TEXT = (
    f"stamps jump back again and again, not used until they are steady for {_STEADY_S:g} s: "
    "do two drivers publish on this topic, or is a clock being set?"
)


class StampWatch:
    """The stamps of one camera, one after the other.

    max_age_s: images older than this, or as far in the future, are not used; 0: no limit.
    """

    def __init__(self, max_age_s: float) -> None:
        self._max_age_s = max_age_s
        self._last_stamp_ns: int | None = None
        self._last_now_ns = 0
        self._last_jump_ns: int | None = None
        self._is_steady = True
        self._repeats = 0

    def judge(self, stamp_ns: int, now_ns: int) -> StampJudgement:
        """Judges the next image. now_ns: the node's clock.

        JUMPED_BACK is the one verdict besides GOOD with which the image is used: a bag was started
        again, or a clock was set. Where stamps jump back once more within 3 seconds they tell no
        time: each jump forgets every obstacle, so that no image is used until they are steady.
        """
        age_s = (now_ns - stamp_ns) / 1e9
        if 0 < self._max_age_s < age_s:
            text = f"image is {age_s:.3f} s old, more than max_frame_age_s {self._max_age_s:g}"
            return StampJudgement(StampVerdict.TOO_OLD, age_s, text)
        if self._max_age_s > 0 and -age_s > max(self._max_age_s, FUTURE_TOLERANCE_S):
            text = f"image is stamped {-age_s:.3f} s in the future: {SIM_TIME_HINT}"
            return StampJudgement(StampVerdict.IN_FUTURE, age_s, text)
        verdict, text = self._compare(stamp_ns, now_ns)
        if verdict in (StampVerdict.GOOD, StampVerdict.JUMPED_BACK):
            clock_went_back = now_ns < self._last_now_ns
            self._last_stamp_ns, self._last_now_ns, self._repeats = stamp_ns, now_ns, 0
            if not self._steadies(verdict, now_ns, clock_went_back):
                return StampJudgement(StampVerdict.UNSTEADY, age_s, _UNSTEADY_TEXT)
        return StampJudgement(verdict, age_s, text)

    def _steadies(self, verdict: StampVerdict, now_ns: int, clock_went_back: bool) -> bool:
        """Whether stamps tell the time: after a first jump they do, after more once none came for
        a while. A clock that goes back with them is another matter: a bag in a loop."""
        if clock_went_back:
            self._last_jump_ns, self._is_steady = None, True
            return True
        last_ns = self._last_jump_ns
        is_recent = last_ns is not None and now_ns - last_ns < _STEADY_S * 1e9
        if verdict is StampVerdict.JUMPED_BACK:
            self._is_steady = not is_recent
            self._last_jump_ns = now_ns
        elif not is_recent:
            self._is_steady = True
        return self._is_steady

    def _compare(self, stamp_ns: int, now_ns: int) -> tuple[StampVerdict, str]:
        """With the last image that was used."""
        if self._last_stamp_ns is None or stamp_ns > self._last_stamp_ns:
            return StampVerdict.GOOD, ""
        back_s = (self._last_stamp_ns - stamp_ns) / 1e9
        if back_s == 0:
            self._repeats += 1
            text = (
                f"the stamp stands still: {self._repeats + 1} images of one stamp; "
                "check the camera driver's clock"
            )
            return StampVerdict.STANDS_STILL, text
        # A clock that went back with the stamps is a bag that started again, however short it is.
        if back_s < REORDERED_S and now_ns >= self._last_now_ns:
            return StampVerdict.OUT_OF_ORDER, f"image is {back_s:.3f} s older than the one before"
        text = f"time jumped back by {back_s:.3f} s: earlier images are forgotten"
        return StampVerdict.JUMPED_BACK, text
