"""Dropout whose randomness belongs to an image, not to the process or moment that computes it."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor, nn


class ImageDropout:
    """Takes over the dropout layers of a network.

    What an image loses in a layer depends on the key (seed, stage, step), the image's number in the
    global batch and the layer, so that processes, micro-batches and a resumed run drop the same.
    """

    def __init__(self, network: nn.Module) -> None:
        self._key: tuple[int, ...] = (0,)
        self._first_image = 0
        layers = [
            module
            for module in network.modules()
            if isinstance(module, (nn.Dropout, nn.Dropout2d)) and module.p > 0
        ]
        for number, layer in enumerate(layers):
            # the layer stays what it is for everything but its call
            layer.forward = partial(self._drop, layer, number)  # type: ignore[method-assign]

    def begin(self, key: tuple[int, ...], first_image: int) -> None:
        """Name the images that the next forward pass sees."""
        self._key, self._first_image = key, first_image

    def _drop(self, layer: nn.Dropout | nn.Dropout2d, number: int, features: Tensor) -> Tensor:
        if not layer.training:
            return features
        whole_channels = isinstance(layer, nn.Dropout2d)
        shape = features.shape[1:2] + (1,) * (features.ndim - 2) if whole_channels else None
        kept = torch.stack(
            [
                self._random(image, number, shape or features.shape[1:], features.device)
                for image in range(len(features))
            ]
        ).ge_(layer.p)
        return features * kept.to(features.dtype) / (1.0 - layer.p)

    def _random(
        self, image: int, layer: int, shape: tuple[int, ...], device: torch.device
    ) -> Tensor:
        entropy = [*self._key, self._first_image + image, layer]
        seed = int(np.random.SeedSequence(entropy).generate_state(1, np.uint32)[0])
        generator = torch.Generator(device).manual_seed(seed)
        return torch.rand(shape, generator=generator, device=device)
