"""How long the threads of a process were ready to run but got no core (Linux, scheduler figures).

On a machine that others use too, a limit in seconds of the clock would judge the others. What a
process waited for a core is known, so that a limit can be held against the rest.
"""

from __future__ import annotations

import os
import time


def waited_for_core_s(*process_ids: int) -> float:
    """Seconds that the threads that these processes have now waited so far, added up.

    0 where the system does not tell (no /proc/ID/task/ID/schedstat), or for a process that ended.
    Threads may wait at the same time, so that the sum may grow by more than a second a second.
    """
    waited_ns = 0
    for process_id in process_ids:
        threads = f"/proc/{process_id}/task"
        for thread in os.listdir(threads) if os.path.isdir(threads) else ():
            try:
                with open(f"{threads}/{thread}/schedstat", "rb") as figures:
                    waited_ns += int(figures.read().split()[1])
            except OSError:  # the thread has ended meanwhile
                continue
    return waited_ns / 1e9


# The waiting of all threads is added up, though only some of it delays an answer.
_MOST_TIMES = 10


class Patience:
    """A limit in seconds from now on, in which waiting of some processes for a core is no part.

    However long they wait, it is over after ten times the limit.
    """

    def __init__(self, limit_s: float, process_ids: tuple[int, ...] = ()) -> None:
        self._limit_s, self._process_ids = limit_s, process_ids
        self._start, self._waited_s = time.monotonic(), waited_for_core_s(*process_ids)

    @property
    def elapsed_s(self) -> float:
        """Seconds of the clock since the start."""
        return time.monotonic() - self._start

    def is_over(self) -> bool:
        """Whether the limit has passed."""
        elapsed_s = self.elapsed_s
        if not self._limit_s < elapsed_s <= _MOST_TIMES * self._limit_s:
            return elapsed_s > self._limit_s
        # What threads that have ended had waited is missing in the later sum.
        waited_s = max(0.0, waited_for_core_s(*self._process_ids) - self._waited_s)
        return elapsed_s - waited_s > self._limit_s
