"""Epochs that are complete over the street frames, with proxies drawn anew for each of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError

# Keeps the random numbers of an epoch apart from those of its samples, whose keys have four parts.
_EPOCH_KEY = (0, 1)


@dataclass(frozen=True)
class EpochPlan:
    """Which frame or proxy stands where in each epoch (spec section 2.3).

    frames: number of street frames; every one occurs in every epoch.
    proxies: number of proxies to draw from; ``drawn`` of them are shown in an epoch, none twice.
    The union is shuffled. A last batch that is not full is filled from the epoch's beginning, so
    that every batch has the same size.

    Raises OodError when more are to be drawn than there are.
    """

    seed: int
    batch_size: int
    frames: int
    proxies: int = 0
    drawn: int = 0

    def __post_init__(self) -> None:
        if self.drawn > self.proxies:
            raise OodError(
                f"an epoch of {self.frames} street frames wants {self.drawn} proxy images, but "
                f"only {self.proxies} are selected; lower proxies.epoch_fraction or widen the "
                "selection"
            )

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return -(-(self.frames + self.drawn) // self.batch_size)

    def drawn_proxies(self, stage: int, epoch: int) -> NDArray[np.intp]:
        """(drawn,) numbers of the proxies of an epoch, in the order of the draw."""
        return _draw(self, stage, epoch)[0]

    def item(self, stage: int, step: int, index: int) -> tuple[bool, int]:
        """Whether a sample is a proxy, and the number of its proxy or street frame."""
        epoch, step_in_epoch = divmod(step, self.steps)
        drawn, order = _draw(self, stage, epoch)
        chosen = int(order[(step_in_epoch * self.batch_size + index) % len(order)])
        if chosen < self.frames:
            return False, chosen
        return True, int(drawn[chosen - self.frames])


@lru_cache(maxsize=8)
def _draw(plan: EpochPlan, stage: int, epoch: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The drawn proxies, and the order of frames (0..) and drawn proxies (``frames``..)."""
    rng = np.random.default_rng([plan.seed, stage, epoch, *_EPOCH_KEY])
    drawn = rng.permutation(plan.proxies)[: plan.drawn]
    return drawn, rng.permutation(plan.frames + plan.drawn)
