"""Networks for generated scenes: small enough to train on a CPU and to ship in a repository."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from ood_training.models.network import SegmentationNetwork


class _Block(nn.Module):
    """Depthwise-separable residual block; a stride above 1 or new width drops the shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.residual = stride == 1 and inputs == outputs
        self.layers = nn.Sequential(
            nn.Conv2d(
                inputs, inputs, 3, stride, dilation, dilation=dilation, groups=inputs, bias=False
            ),
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.layers(features)
        return features + result if self.residual else result


class SeparableUNet(SegmentationNetwork):
    """Four strides (2, 4, 8, 16), skips at 2, 4 and 8, logits at stride 2.

    Dilated blocks at stride 16 widen the receptive field to more than 100 pixels, while the
    decoder at stride 2 keeps the edges of small objects.

    Args:
        num_classes: number of known classes.
        widths: channels at strides 2, 4, 8 and 16.
        blocks: of the encoder at strides 4 and 8, the strided one included.
        dilations: of the encoder's blocks at stride 16 that follow the strided one.
    """

    backbone_modules = ("stem", "stage2", "stage4", "stage8", "stage16")
    head_modules = ("classifier",)

    def __init__(
        self,
        num_classes: int,
        widths: tuple[int, int, int, int],
        blocks: tuple[int, int],
        dilations: tuple[int, ...],
    ) -> None:
        super().__init__(num_classes, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
        w2, w4, w8, w16 = widths
        self.stem = nn.Sequential(
            nn.Conv2d(3, w2, 3, 2, 1, bias=False), nn.BatchNorm2d(w2), nn.ReLU(inplace=True)
        )
        self.stage2 = _Block(w2, w2)
        self.stage4 = _stage(w2, w4, (1,) * (blocks[0] - 1))
        self.stage8 = _stage(w4, w8, (1,) * (blocks[1] - 1))
        self.stage16 = _stage(w8, w16, dilations)
        self.fuse8 = nn.Sequential(_Block(w16 + w8, w8), _Block(w8, w8))
        self.fuse4 = nn.Sequential(_Block(w8 + w4, w4), _Block(w4, w4))
        self.fuse2 = nn.Sequential(_Block(w4 + w2, w2), _Block(w2, w2))
        self.classifier = nn.Conv2d(w2, num_classes, 1)

    def features(self, image: Tensor) -> Tensor:
        at2 = self.stage2(self.stem(image))
        at4 = self.stage4(at2)
        at8 = self.stage8(at4)
        features: Tensor = self.stage16(at8)
        for skip, fuse in ((at8, self.fuse8), (at4, self.fuse4), (at2, self.fuse2)):
            grown = functional.interpolate(
                features, size=skip.shape[-2:], mode="bilinear", align_corners=True
            )
            features = fuse(torch.cat([grown, skip], dim=1))
        return features

    def classify(self, features: Tensor) -> Tensor:
        logits: Tensor = self.classifier(features)
        return logits


def _stage(inputs: int, outputs: int, dilations: tuple[int, ...]) -> nn.Sequential:
    """A block of stride 2 and one for each dilation."""
    # In the order of use: the random weights of a seed depend on it.
    blocks = [_Block(inputs, outputs, 2)]
    blocks += [_Block(outputs, outputs, dilation=dilation) for dilation in dilations]
    return nn.Sequential(*blocks)


def tiny_unet(num_classes: int) -> SeparableUNet:
    """0.12 M parameters at 8 classes."""
    return SeparableUNet(num_classes, (24, 48, 72, 120), (2, 3), (1, 2, 1))


def small_unet(num_classes: int) -> SeparableUNet:
    """0.55 M parameters at 8 classes: wider and deeper where a layer costs least time."""
    return SeparableUNet(num_classes, (24, 64, 128, 256), (2, 4), (1, 2, 4, 2, 1))
