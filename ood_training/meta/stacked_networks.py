"""F networks of one shape in stacked tensors: one step of all of them at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ood_training.meta.standardisation import Standardisation

Arrays = tuple[NDArray[np.float64], ...]


class StackedNetworks:
    """Linear layers with ReLU between them, a log-odds at the end, binary cross-entropy, Adam.

    The gradient is written out: with four layers it is as short as its formula, and it spares the
    third of the time that recording the operations costs.
    """

    def __init__(
        self,
        widths: tuple[int, ...],
        scalers: Sequence[Standardisation],
        seed: int,
        learning_rate: float,
        weight_decay: float,
        device: str,
    ) -> None:
        """F networks, one for each scaler, all with the same first weights.

        widths: of the input, the hidden layers and the output, which is 1.
        """
        generator = torch.Generator().manual_seed(seed)
        self._weights: list[Tensor] = []
        self._biases: list[Tensor] = []
        for fan_in, fan_out in pairwise(widths):
            # PyTorch's own initialisation of a linear layer: uniform within 1 / sqrt(inputs)
            for shape, layers in (((fan_in,), self._weights), ((1,), self._biases)):
                first = torch.rand((1, *shape, fan_out), generator=generator) * 2 - 1
                stacked = (first / fan_in**0.5).repeat(len(scalers), 1, 1)
                layers.append(stacked.to(device))
        scale = np.stack([one.inverse_scale for one in scalers])[:, None]
        shift = -np.stack([one.mean for one in scalers])[:, None] * scale
        self._scale = torch.from_numpy(scale.astype(np.float32)).to(device)
        self._shift = torch.from_numpy(shift.astype(np.float32)).to(device)
        self._count = len(scalers)
        self._trained = [torch.nn.Parameter(one) for one in self._weights + self._biases]
        # Adam works on every number for itself, so stacked networks do not meet in it
        self._adam = torch.optim.Adam(
            self._trained, lr=learning_rate, weight_decay=weight_decay, fused=True
        )

    def keep_training(self, count: int) -> None:
        """From now on steps are of the first ``count`` networks alone; the others are finished."""
        if count == self._count:
            return
        self._count = count
        shorter = [torch.nn.Parameter(one.detach()[:count]) for one in self._trained]
        state = self._adam.state
        for old, new in zip(self._trained, shorter, strict=True):
            kept = {name: value if value.dim() == 0 else value[:count]
                    for name, value in state.pop(old).items()}  # fmt: skip
            state[new] = kept
        self._adam.param_groups[0]["params"] = self._trained = shorter

    @torch.no_grad()
    def step(self, metrics: Tensor, targets: Tensor) -> None:
        """One step of Adam: (F, B, M) float32 rows and (F, B, 1) targets."""
        layers = len(self._weights)
        weights, biases = self._trained[:layers], self._trained[layers:]
        scale, shift = self._scale[: self._count], self._shift[: self._count]
        inputs = [torch.addcmul(shift, metrics, scale)]
        for layer in range(layers - 1):
            inputs.append(torch.baddbmm(biases[layer], inputs[-1], weights[layer]).relu_())
        log_odds = torch.baddbmm(biases[-1], inputs[-1], weights[-1])
        # the derivative of the mean cross-entropy of each network's batch
        gradient = log_odds.sigmoid_().sub_(targets).div_(targets.shape[1])
        for layer in reversed(range(layers)):
            _into_gradient(weights[layer], torch.bmm, inputs[layer].transpose(1, 2), gradient)
            _into_gradient(biases[layer], torch.sum, gradient, 1, True)
            if layer:
                # laid out anew: products with a transposed right side are a third slower
                back = weights[layer].transpose(1, 2).contiguous()
                # one output each: a column times a row, which a matrix product is slow at
                single = gradient.shape[2] == 1
                behind = gradient * back if single else torch.bmm(gradient, back)
                # the derivative of a ReLU: 1 where its output is above 0
                gradient = torch.ops.aten.threshold_backward.grad_input(
                    behind, inputs[layer], 0, grad_input=behind
                )
        self._adam.step()

    def parameters_of(self, place: int) -> tuple[Arrays, Arrays]:
        """Weights (in, out) and biases (out,) of each layer of one network, float64."""
        weights = tuple(one[place].double().cpu().numpy() for one in self._weights)
        biases = tuple(one[place, 0].double().cpu().numpy() for one in self._biases)
        return weights, biases


def _into_gradient(parameter: Tensor, operation: Callable[..., Tensor], *arguments: Any) -> None:
    """Write an operation's result into the parameter's gradient, in the memory of the last step."""
    if parameter.grad is None:
        parameter.grad = operation(*arguments)
    else:
        operation(*arguments, out=parameter.grad)
