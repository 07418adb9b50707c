"""WideResNet38, variant A2: the trunk of the published network."""

from __future__ import annotations

from collections import OrderedDict

import torch.nn.functional as functional
from torch import Tensor, nn

from ood_training.models.network import SegmentationNetwork

_FINE_CHANNELS, _DEEP_CHANNELS = 128, 4096
_BOTTLENECK_DILATION = 4


def normalised(channels: int) -> nn.Sequential:
    """Batch norm and ReLU, as the entries ``0`` and ``1`` of a sequence."""
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))


def plain_convolution(
    inputs: int, outputs: int, size: int, dilation: int = 1, stride: int = 1
) -> nn.Conv2d:
    """A convolution without bias that keeps the picture's size, up to its stride."""
    padding = dilation * (size // 2)
    return nn.Conv2d(inputs, outputs, size, stride, padding, dilation, bias=False)


class PreActivationBlock(nn.Module):
    """Residual block: normalise first, add last, and project the normalised input where it must.

    Args:
        inputs: channels of the input.
        widths: output channels of each convolution: two of 3x3, or three, a bottleneck of
            1x1, 3x3 and 1x1.
        stride: of the first convolution.
        dilation: of the 3x3 convolutions.
        dropout: share of channels that training drops before a bottleneck's last convolution.

    Shape: (B, inputs, H, W) -> (B, widths[-1], H / stride, W / stride). The projection is there
    only where stride or width changes. Source: section 3 of the method's specification.
    """

    def __init__(
        self,
        inputs: int,
        widths: tuple[int, ...],
        *,
        stride: int = 1,
        dilation: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.bn1 = normalised(inputs)
        layers: list[tuple[str, nn.Module]]
        if len(widths) == 2:
            first, last = widths
            layers = [
                ("conv1", plain_convolution(inputs, first, 3, dilation, stride)),
                ("bn2", normalised(first)),
                ("conv2", plain_convolution(first, last, 3, dilation)),
            ]
        else:
            first, middle, last = widths
            layers = [
                ("conv1", plain_convolution(inputs, first, 1, stride=stride)),
                ("bn2", normalised(first)),
                ("conv2", plain_convolution(first, middle, 3, dilation)),
                ("bn3", normalised(middle)),
                ("dropout", nn.Dropout2d(dropout)),
                ("conv3", plain_convolution(middle, last, 1)),
            ]
        self.convs = nn.Sequential(OrderedDict(layers))
        self.proj_conv: nn.Module | None = None
        if stride != 1 or inputs != last:
            self.proj_conv = plain_convolution(inputs, last, 1, stride=stride)

    def forward(self, features: Tensor) -> Tensor:
        activated = self.bn1(features)
        shortcut = features if self.proj_conv is None else self.proj_conv(activated)
        result: Tensor = shortcut + self.convs(activated)
        return result


def _stage(blocks: list[PreActivationBlock]) -> nn.Sequential:
    named = ((f"block{number}", block) for number, block in enumerate(blocks, start=1))
    return nn.Sequential(OrderedDict(named))


def _repeated(
    count: int, inputs: int, widths: tuple[int, int], *, stride: int = 1, dilation: int = 1
) -> nn.Sequential:
    """Blocks of which only the first changes the width and has the stride."""
    blocks = [PreActivationBlock(inputs, widths, stride=stride, dilation=dilation)]
    blocks += [PreActivationBlock(widths[1], widths, dilation=dilation) for _ in range(count - 1)]
    return _stage(blocks)


class WideResNet38Network(SegmentationNetwork):
    """A segmentation network on WideResNet38.

    The published ``state_dict`` names the trunk's parts without a prefix, so the trunk is a base
    class here and not a submodule.

    Args:
        num_classes, mean, std: see ``SegmentationNetwork``.
        width_divisor: every width is divided by it; 1 is the published trunk, more is for tests.
    """

    backbone_modules = tuple(f"mod{number}" for number in range(1, 8))

    def __init__(
        self,
        num_classes: int,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        width_divisor: int = 1,
    ) -> None:
        super().__init__(num_classes, mean, std)
        w64, w128, w256, w512, w1024, w2048, w4096 = (
            width // width_divisor for width in (64, 128, 256, 512, 1024, 2048, 4096)
        )
        self.mod1 = nn.Sequential(OrderedDict(conv1=plain_convolution(3, w64, 3)))
        self.mod2 = _repeated(3, w64, (w128, w128))
        self.mod3 = _repeated(3, w128, (w256, w256))
        self.mod4 = _repeated(6, w256, (w512, w512), stride=2)
        self.mod5 = _repeated(3, w512, (w512, w1024), dilation=2)
        self.mod6 = _bottleneck(w1024, (w512, w1024, w2048), dropout=0.3)
        self.mod7 = _bottleneck(w2048, (w1024, w2048, w4096), dropout=0.5)
        self.fine_channels = _FINE_CHANNELS // width_divisor
        self.deep_channels = _DEEP_CHANNELS // width_divisor

    def trunk_features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Fine features (B, 128, H/2, W/2) and deep ones (B, 4096, H/8, W/8) of (B, 3, H, W)."""
        fine = self.mod2(_halved(self.mod1(image)))
        deep = self.mod4(self.mod3(_halved(fine)))
        return fine, self.mod7(self.mod6(self.mod5(deep)))


def _bottleneck(inputs: int, widths: tuple[int, int, int], *, dropout: float) -> nn.Sequential:
    return _stage(
        [PreActivationBlock(inputs, widths, dilation=_BOTTLENECK_DILATION, dropout=dropout)]
    )


def _halved(features: Tensor) -> Tensor:
    return functional.max_pool2d(features, kernel_size=3, stride=2, padding=1)
