"""How long each stage of a frame takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Writes the seconds that the block takes under the stage's name, unless it raises."""
    start = perf_counter()
    yield
    seconds[stage] = perf_counter() - start
