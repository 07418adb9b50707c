"""Chunks of independent work, one on each core, instead of every operation split over all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_on_cores(
    work: Callable[[list[Item]], Result], items: Sequence[Item], most: int, *, one_core: bool
) -> Iterator[Result]:
    """Results of ``work`` on chunks of at most ``most`` items, in order.

    With PyTorch set to several threads each works on a chunk of its own: short operations that are
    split over threads wait for the slowest of them every time. ``one_core``: chunk after chunk,
    each as PyTorch is set. A single item is also done that way.
    """
    threads = torch.get_num_threads()
    cores = 1 if one_core else min(threads, len(items))
    rounds = -(-len(items) // (cores * most)) if items else 0
    # all chunks about as large: the last of them would otherwise run alone
    size = -(-len(items) // max(1, cores * rounds))
    chunks = [list(items[at : at + size]) for at in range(0, len(items), size or 1)]
    if cores < 2:
        yield from map(work, chunks)
        return
    pool = ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield from pool.map(work, chunks)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)
