"""The centroids of a kernel head follow the features of each step's batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ood_training.models.kernel_head import KernelHead, class_sums
from ood_training.training.processes import Processes


class KernelCentroids:
    """Gathers a step's features over micro-batches and processes, and then moves the centroids.

    As in the published algorithm the centroids move after the weights: W_c is the new one. The
    features are those of the step's own pass. The published code runs the network again for them,
    with the new weights and in evaluation mode; that is a third of a step's time, and the moving
    average holds the features of many steps' weights anyway.
    """

    def __init__(self, head: KernelHead, processes: Processes) -> None:
        self._head = head
        self._processes = processes
        self._features: Tensor | None = None
        self._counts: Tensor | None = None
        self._sums: Tensor | None = None
        head.register_forward_pre_hook(self._see)

    def _see(self, _: nn.Module, inputs: tuple[Any, ...]) -> None:
        if torch.is_grad_enabled():
            self._features = inputs[0].detach()

    def add(self, labels: Tensor) -> None:
        """The labels (B, H, W) of the images that have just gone through the network."""
        assert self._features is not None
        counts, sums = class_sums(self._features, labels, len(self._head.counts))
        self._features = None
        self._counts = counts if self._counts is None else self._counts + counts
        self._sums = sums if self._sums is None else self._sums + sums

    def update(self) -> None:
        """Move the centroids, in every process by the features of all."""
        assert self._counts is not None
        assert self._sums is not None
        own = torch.cat([self._counts.unsqueeze(1), self._sums], dim=1)
        values = self._processes.sum(*own.flatten().tolist())
        everything = torch.tensor(values, device=own.device).view_as(own)
        self._head.update_centroids(everything[:, 0], everything[:, 1:])
        self._counts = self._sums = None
