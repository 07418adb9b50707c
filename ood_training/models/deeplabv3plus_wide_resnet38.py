"""The published network: DeepLabv3+ on WideResNet38, with the published names of its tensors."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from ood_training.models.network import IMAGENET_MEAN, IMAGENET_STD
from ood_training.models.wide_resnet38 import WideResNet38Network, plain_convolution

_RATES = (12, 24, 36)
_PYRAMID_CHANNELS, _FINE_CHANNELS = 256, 48


def _grown(features: Tensor, size: torch.Size) -> Tensor:
    return functional.interpolate(features, size=size, mode="bilinear", align_corners=True)


def _activated(convolution: nn.Conv2d) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU(inplace=True)]


class AtrousPyramid(nn.Module):
    """Image pooling, a 1x1 and three dilated 3x3 convolutions side by side, in this order.

    Shape: (B, inputs, h, w) -> (B, 5 * channels, h, w).
    """

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        branches = [plain_convolution(inputs, channels, 1)]
        branches += [plain_convolution(inputs, channels, 3, dilation=rate) for rate in _RATES]
        self.features = nn.ModuleList(nn.Sequential(*_activated(one)) for one in branches)
        self.img_conv = nn.Sequential(*_activated(plain_convolution(inputs, channels, 1)))

    def forward(self, features: Tensor) -> Tensor:
        pooled = self.img_conv(functional.adaptive_avg_pool2d(features, 1))
        parts = [_grown(pooled, features.shape[-2:])]
        parts += [branch(features) for branch in self.features]
        return torch.cat(parts, dim=1)


class DeepLabV3PlusWideResNet38(WideResNet38Network):
    """DeepLabv3+ on WideResNet38 at output stride 8; logits at stride 2.

    Its ``state_dict`` has the names and shapes of the published Cityscapes checkpoint, and it
    computes the same function: 137,103,936 parameters for 19 classes. Inputs are RGB, normalised
    with ImageNet's mean and deviation; training needs batches of at least 2 images while batch
    norm is in train mode, because the pooled branch normalises one value an image.

    Args:
        num_classes: number of known classes.
        width_divisor: every width is divided by it (1, 2, 4, 8 or 16); 1 is the published network.

    Source: section 3 of the method's specification.
    """

    head_modules = ("final.6",)

    def __init__(self, num_classes: int, width_divisor: int = 1) -> None:
        super().__init__(num_classes, IMAGENET_MEAN, IMAGENET_STD, width_divisor)
        channels, fine = _PYRAMID_CHANNELS // width_divisor, _FINE_CHANNELS // width_divisor
        self.aspp = AtrousPyramid(self.deep_channels, channels)
        self.bot_fine = plain_convolution(self.fine_channels, fine, 1)
        self.bot_aspp = plain_convolution(5 * channels, channels, 1)
        self.final = nn.Sequential(
            *_activated(plain_convolution(channels + fine, channels, 3)),
            *_activated(plain_convolution(channels, channels, 3)),
            plain_convolution(channels, num_classes, 1),
        )

    def features(self, image: Tensor) -> Tensor:
        fine, deep = self.trunk_features(image)
        pyramid = _grown(self.bot_aspp(self.aspp(deep)), fine.shape[-2:])
        decoded: Tensor = self.final[:-1](torch.cat([self.bot_fine(fine), pyramid], dim=1))
        return decoded

    def classify(self, features: Tensor) -> Tensor:
        logits: Tensor = self.final[-1](features)
        return logits
