"""Batches prepared ahead by worker processes, in the order of their steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ood_perception.errors import OodError, first_line
from ood_training.sampler import Batch, TrainingSampler, as_tensors

T = TypeVar("T")


@dataclass(frozen=True)
class _Steps(Dataset[Batch | OodError]):
    """A stage's batches as a data set whose indices are steps."""

    sampler: TrainingSampler
    stage: int
    unknown_objects: bool
    part: slice | None

    def __getitem__(self, step: int) -> Batch | OodError:
        # raised in a worker, an error would come out wrapped in the worker's traceback
        try:
            return self.sampler.arrays(self.stage, step, self.unknown_objects, self.part)
        except OodError as error:
            return error


def prefetched_batches(
    sampler: TrainingSampler,
    stage: int,
    steps: range,
    unknown_objects: bool,
    part: slice | None = None,
    workers: int | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """``sampler.batch(stage, step, unknown_objects, part)`` of every step, in order.

    Take the steps that are left of a stage in one go: workers start anew at each call,
    each with a cache of its own beside what the process holds. The process's own random state is
    not touched.

    workers: processes that prepare two batches ahead each; ``loading.workers`` when None, and 0
        prepares every batch in this process.

    Raises OodError as ``batch`` does, and when a worker is ended from outside.
    """
    count = sampler.configuration.loading.workers if workers is None else workers
    if count == 0:
        for step in steps:
            yield sampler.batch(stage, step, unknown_objects, part)
        return
    loader = DataLoader(
        _Steps(sampler, stage, unknown_objects, part),
        batch_size=None,
        sampler=steps,
        num_workers=count,
        # arrays travel through pipes, tensors would need shared memory, which containers limit
        collate_fn=_as_it_is,
        worker_init_fn=_start_worker,
        # or else each loader would draw its seed from the process's random state
        generator=torch.Generator(),
    )
    iterator = iter(loader)
    while (found := _next(iterator)) is not None:
        if isinstance(found, OodError):
            raise found
        yield as_tensors(found)


def _next(iterator: Iterator[Batch | OodError]) -> Batch | OodError | None:
    try:
        return next(iterator, None)
    except RuntimeError as error:
        if "worker" not in str(error):
            raise
        return OodError(
            f"a process that loads training samples ended: {first_line(error)}; with "
            "little memory, lower loading.workers or loading.cache_mebibytes"
        )


def _as_it_is(found: T) -> T:
    return found


def _start_worker(worker: int) -> None:
    cv2.setNumThreads(0)
