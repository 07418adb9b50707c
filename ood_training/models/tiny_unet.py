"""A network for generated scenes: small enough to train in minutes and to ship in a repository."""

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


class TinyUNet(SegmentationNetwork):
    """Four strides (2, 4, 8, 16), skips at 2, 4 and 8, logits at stride 2; about 0.17 M parameters.

    Dilated blocks at stride 16 widen the receptive field to more than 100 pixels, while the
    decoder at stride 2 keeps the edges of small objects.

    Args:
        num_classes: number of known classes.
        width: channels at stride 2.
    """

    backbone_modules = ("stem", "stage2", "stage4", "stage8", "stage16")
    head_modules = ("classifier",)

    def __init__(self, num_classes: int, width: int = 24) -> None:
        super().__init__(num_classes, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
        w2, w4, w8, w16 = width, width * 2, width * 3, width * 5
        self.stem = nn.Sequential(
            nn.Conv2d(3, w2, 3, 2, 1, bias=False), nn.BatchNorm2d(w2), nn.ReLU(inplace=True)
        )
        self.stage2 = _Block(w2, w2)
        self.stage4 = nn.Sequential(_Block(w2, w4, 2), _Block(w4, w4))
        self.stage8 = nn.Sequential(_Block(w4, w8, 2), _Block(w8, w8), _Block(w8, w8))
        self.stage16 = nn.Sequential(
            _Block(w8, w16, 2), _Block(w16, w16), _Block(w16, w16, dilation=2), _Block(w16, w16)
        )
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
