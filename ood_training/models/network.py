"""What every segmentation network of this package offers."""

from __future__ import annotations

import torch.nn.functional as functional
from torch import Tensor, nn


class SegmentationNetwork(nn.Module):
    """A network whose full output is the bilinear upsampling of small logits.

    Subclasses implement ``small_logits``; ``forward`` is final, so that a deployed graph may work
    on the small logits and know exactly what the training saw.

    num_classes: number of known classes, C.
    mean, std: per RGB channel, for an input that was scaled to [0, 1].
    """

    def __init__(
        self,
        num_classes: int,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.mean = mean
        self.std = std

    def small_logits(self, image: Tensor) -> Tensor:
        """Logits (B, C, h, w) at the decoder's stride for a normalised (B, 3, H, W) image."""
        raise NotImplementedError

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, C, H, W): ``small_logits`` upsampled, bilinear with aligned corners."""
        return functional.interpolate(
            self.small_logits(image), size=image.shape[-2:], mode="bilinear", align_corners=True
        )
