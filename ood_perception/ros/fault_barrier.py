"""Where a fault ends: it costs the frame or transition at hand, never the thread around it."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from ood_perception.errors import OodError


class FaultBarrier:
    """``with`` block that hands every fault in it to ``report`` and goes on behind the block.

    What asks the program to end (KeyboardInterrupt, SystemExit) passes through. It stands only
    around a whole frame or a whole transition, where what failed is thrown away as a whole.
    """

    def __init__(self, report: Callable[[Exception], None]) -> None:
        self._report = report

    def __enter__(self) -> FaultBarrier:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if not isinstance(fault, Exception):
            return False
        self._report(fault)
        return True


def one_line(fault: BaseException) -> str:
    """A fault as one line for a person; its kind is named where the message alone says little."""
    lines = str(fault).strip().splitlines() or ["no message"]
    return lines[0] if isinstance(fault, OodError) else f"{type(fault).__name__}: {lines[0]}"
