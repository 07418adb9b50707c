"""One step of training: a global batch, over processes and micro-batches, to new weights."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from ood_perception.errors import OodError
from ood_training.configuration import StageConfiguration, TrainingConfiguration
from ood_training.losses import PixelCounts, count_pixels, term_weights
from ood_training.losses.gradient_penalty import gradient_penalty, random_signs
from ood_training.models import SegmentationNetwork
from ood_training.models.kernel_head import kernel_head
from ood_training.training.dropout import ImageDropout
from ood_training.training.kernel_centroids import KernelCentroids
from ood_training.training.processes import Processes, even_parts
from ood_training.training.stage_loss import pixel_terms

_PRECISIONS = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


class TrainingStep:
    """Holds what stays the same from step to step.

    The mean losses and gradients are those of the global batch: pixels are counted over all
    processes and micro-batches before any loss is divided.
    """

    def __init__(
        self,
        network: SegmentationNetwork,
        configuration: TrainingConfiguration,
        processes: Processes,
    ) -> None:
        self.network = network
        self._settings = configuration
        self._processes = processes
        self._model: nn.Module = network
        self._dropout = ImageDropout(network)
        head = kernel_head(network)
        self._centroids = None if head is None else KernelCentroids(head, processes)
        self._penalty_weight = 0.0 if head is None else configuration.head.gradient_penalty
        self.scaler = torch.amp.GradScaler(
            processes.device.type, enabled=configuration.precision == "float16"
        )

    def begin_stage(self) -> None:
        """Connect the processes anew, after parts of the network were frozen or released."""
        if self._processes.count > 1:
            self._model = DistributedDataParallel(self.network)

    def run(
        self,
        images: Tensor,
        labels: Tensor,
        stage: StageConfiguration,
        optimizer: Optimizer,
        place: tuple[int, int],
    ) -> float:
        """Change the weights once and return the loss of the global batch before that.

        Args:
            images, labels: this process's share of the batch, from the sampler.
            place: number of the stage and of its step.

        Raises OodError when the loss is not finite, or for a label that is no class.
        """
        key = (self._settings.seed, *place)
        _seed_torch((*key, self._processes.rank))
        weights = self._weights(count_pixels(labels, self.network.num_classes), stage)
        optimizer.zero_grad(set_to_none=True)
        loss = 0.0
        parts = even_parts(len(images), min(self._settings.micro_batches, len(images)))
        first = self._processes.share(self._settings.batch_size).start
        for number, part in enumerate(parts):
            self._dropout.begin(key, first + part.start)
            with self._apart(number + 1 < len(parts)):
                loss += self._backward(
                    images[part], labels[part], stage, weights, (*key, first + part.start)
                )
        (loss,) = self._processes.sum(loss)
        if not math.isfinite(loss):
            raise OodError(
                f"the loss is {loss} at step {place[1]} of stage {stage.name!r}: lower the "
                "learning rates, or give optimizer.clip_norm"
            )
        self._change(optimizer)
        if self._centroids is not None:
            self._centroids.update()
        return loss

    def _weights(self, own: PixelCounts, stage: StageConfiguration) -> tuple[float, float]:
        """What a known and an unknown pixel weigh, from the counts of the global batch."""
        counts = [int(n) for n in self._processes.sum(own.known, own.unknown, own.all)]
        settings = self._settings.loss
        return term_weights(
            PixelCounts(*counts),
            self.network.num_classes,
            ood_weight=settings.ood_weight if stage.unknown_objects else 0.0,
            reduction=settings.reduction if stage.unknown_objects else "per_term",
        )

    def _backward(
        self,
        images: Tensor,
        labels: Tensor,
        stage: StageConfiguration,
        weights: tuple[float, float],
        place: tuple[int, ...],
    ) -> float:
        """Add a micro-batch's gradients; returns its part of the loss.

        place: seed, stage, step and number of the first image.
        """
        device = self._processes.device
        images, labels = (x.to(device, non_blocking=True) for x in (images, labels))
        precision = _PRECISIONS[self._settings.precision]
        inputs, penalty = self._normalise(images), None
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            if self._penalty_weight:
                logits, penalty = self._penalised(inputs, place)
            else:
                logits = self._forward(inputs)
        terms = pixel_terms(self._settings, unknown_objects=stage.unknown_objects)
        loss = terms(logits.float(), labels, *weights)
        if penalty is not None:
            loss = loss + penalty
        # gradients are averaged over the processes, but the weights already divide by all pixels
        self.scaler.scale(loss * self._processes.count).backward()
        if self._centroids is not None:
            self._centroids.add(labels)
        return loss.item()

    def _penalised(self, inputs: Tensor, place: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Logits, and a micro-batch's part of the penalty's mean over the global batch."""
        *key, first = place
        numbers = range(first, first + len(inputs))
        signs = random_signs(key, numbers, inputs.shape[-2:], inputs.device)
        log_kernels, total = gradient_penalty(self._forward, inputs, signs)
        return log_kernels, self._penalty_weight * total / self._settings.batch_size

    def _forward(self, inputs: Tensor) -> Tensor:
        try:
            logits: Tensor = self._model(inputs)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise OodError(
                "batch_norm: train needs at least 2 images at a time behind the network's image "
                "pooling: use fewer processes or micro_batches, a larger batch_size, or "
                "batch_norm: eval"
            ) from error
        return logits

    def _normalise(self, images: Tensor) -> Tensor:
        mean, std = (
            torch.tensor(values, device=images.device).view(1, 3, 1, 1)
            for values in (self.network.mean, self.network.std)
        )
        return ((images - mean) / std).contiguous(memory_format=torch.channels_last)

    def _apart(self, more_to_come: bool) -> AbstractContextManager[None]:
        """Gradients travel between processes with the last micro-batch only."""
        if more_to_come and isinstance(self._model, DistributedDataParallel):
            return self._model.no_sync()
        return nullcontext()

    def _change(self, optimizer: Optimizer) -> None:
        limit = self._settings.optimizer.clip_norm
        if limit is not None:
            self.scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(self._model.parameters(), limit)
        self.scaler.step(optimizer)
        self.scaler.update()


def _seed_torch(key: tuple[int, ...]) -> None:
    """Whatever else draws in a network draws the same at this step, whatever came before."""
    torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint32)[0]))
