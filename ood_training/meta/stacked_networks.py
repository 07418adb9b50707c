"""F networks of one shape in stacked tensors: one step of all of them at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ood_training.meta.standardisation import Standardisation

Arrays = tuple[NDArray[np.float64], ...]
_COLUMNS = 16
"""Float32 numbers of the widest registers."""
_DECAYED = 1e-12
"""Below this a weight says nothing, but its products, too small for ordinary numbers of float32,
make a processor many times slower."""


def padded(width: int) -> int:
    """Columns of inputs of so many numbers: with the one of the bias, filled up."""
    return -(-(width + 1) // _COLUMNS) * _COLUMNS


class StackedNetworks:
    """Linear layers with ReLU between them, a log-odds at the end, binary cross-entropy, Adam.

    The gradient is written out: with four layers it is as short as its formula, and it spares the
    third of the time that recording the operations costs. A layer's bias is a row of its weights,
    behind a column of its inputs that is always -1: a matrix product then does what a sum over the
    batch would need a pass of its own for. Columns are filled up with zeros, which stay zeros, to
    what the processor's registers hold.
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
        self._widths = widths
        first: list[Tensor] = []
        for fan_in, fan_out in pairwise(widths):
            # PyTorch's own initialisation of a linear layer: uniform within 1 / sqrt(inputs)
            weight = torch.rand((fan_in, fan_out), generator=generator) * 2 - 1
            bias = torch.rand(fan_out, generator=generator) * 2 - 1
            layer = torch.zeros(padded(fan_in), fan_out if fan_out == 1 else padded(fan_out))
            layer[:fan_in, :fan_out] = weight / fan_in**0.5
            layer[fan_in, :fan_out] = -bias / fan_in**0.5
            first.append(layer.repeat(len(scalers), 1, 1).to(device))
        scale = np.stack([one.inverse_scale for one in scalers])[:, None]
        shift = -np.stack([one.mean for one in scalers])[:, None] * scale
        self._scale = _input_rows(scale, filling=0.0).to(device)
        self._shift = _input_rows(shift, filling=-1.0).to(device)
        self._count = len(scalers)
        self._finished = first
        # one parameter: Adam works on every number for itself, so stacked networks do not meet in
        # it, and with many small ones it would do little but administer them
        self._trained = _with_gradient(_flat(first))
        self._adam = torch.optim.Adam(
            [self._trained], lr=learning_rate, weight_decay=weight_decay, fused=True
        )

    def keep_training(self, count: int) -> None:
        """From now on steps are of the first ``count`` networks alone; the others are finished."""
        if count == self._count:
            return
        self._keep_finished()

        def shortened(values: Tensor) -> Tensor:
            return _flat([part[:count] for part in self._parts(values)])

        state = self._adam.state.pop(self._trained, {})
        self._trained = _with_gradient(shortened(self._trained.detach()))
        self._adam.param_groups[0]["params"] = [self._trained]
        if state:
            self._adam.state[self._trained] = {
                name: value if value.dim() == 0 else shortened(value)
                for name, value in state.items()
            }
        self._count = count

    @torch.no_grad()
    def step(self, metrics: Tensor, targets: Tensor) -> None:
        """One step of Adam: (F, B, padded(M)) float32 rows and (F, B, 1) targets.

        What the rows hold beyond the M metrics is of no effect, but has to be finite.
        """
        assert self._trained.grad is not None
        weights, gradients = self._parts(self._trained), self._parts(self._trained.grad)
        scale, shift = self._scale[: self._count], self._shift[: self._count]
        inputs = [torch.addcmul(shift, metrics, scale)]
        for weight, width in zip(weights[:-1], self._widths[1:], strict=False):
            inputs.append(torch.bmm(inputs[-1], weight).relu_())
            inputs[-1][:, :, width] = -1
        log_odds = torch.bmm(inputs[-1], weights[-1])
        # the derivative of the mean cross-entropy of each network's batch
        gradient = log_odds.sigmoid_().sub_(targets).div_(targets.shape[1])
        for layer in reversed(range(len(weights))):
            torch.bmm(inputs[layer].transpose(1, 2), gradient, out=gradients[layer])
            if layer:
                # laid out anew: products with a transposed right side are a third slower
                back = weights[layer].transpose(1, 2).contiguous()
                # one output each: a column times a row, which a matrix product is slow at
                single = gradient.shape[2] == 1
                behind = gradient * back if single else torch.bmm(gradient, back)
                # the derivative of a ReLU: 1 where its output is above 0, so not where it is -1
                gradient = torch.ops.aten.threshold_backward.grad_input(
                    behind, inputs[layer], 0, grad_input=behind
                )
        self._adam.step()

    def parameters(self) -> list[tuple[Arrays, Arrays]]:
        """Weights (in, out) and biases (out,) of each layer, float64, of each network.

        What weight decay has left nothing of is 0.
        """
        self._keep_finished()
        layers = [_without_decayed(one).double().cpu().numpy() for one in self._finished]
        sizes = list(pairwise(self._widths))
        return [
            (
                tuple(
                    one[place, :rows, :out] for one, (rows, out) in zip(layers, sizes, strict=True)
                ),
                tuple(
                    -one[place, rows, :out] for one, (rows, out) in zip(layers, sizes, strict=True)
                ),
            )
            for place in range(len(self._scale))
        ]

    def _parts(self, flat: Tensor) -> list[Tensor]:
        """Weights and bias in one, of each layer of what still trains: views of the flat tensor."""
        shapes = [(self._count, *one.shape[1:]) for one in self._finished]
        values = torch.split(flat.detach(), [math.prod(shape) for shape in shapes])
        return [value.view(shape) for value, shape in zip(values, shapes, strict=True)]

    def _keep_finished(self) -> None:
        for kept, part in zip(self._finished, self._parts(self._trained), strict=True):
            kept[: self._count] = part


def _input_rows(values: NDArray[np.float64], filling: float) -> Tensor:
    """(F, 1, M) as (F, 1, padded(M)) float32, filled up with zeros behind ``filling``."""
    count, _, width = values.shape
    rows = torch.zeros(count, 1, padded(width))
    rows[:, :, :width] = torch.from_numpy(values.astype(np.float32))
    rows[:, :, width] = filling
    return rows


def _without_decayed(values: Tensor) -> Tensor:
    return values.where(values.abs() >= _DECAYED, 0.0)


def _flat(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in parts])


def _with_gradient(values: Tensor) -> torch.nn.Parameter:
    parameter = torch.nn.Parameter(values)
    parameter.grad = torch.zeros_like(values)
    return parameter
