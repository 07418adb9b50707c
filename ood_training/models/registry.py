"""Networks by name."""

from __future__ import annotations

from collections.abc import Callable

from ood_perception.errors import OodError
from ood_training.models.deeplabv3plus import PREFIX, create_deeplabv3plus
from ood_training.models.deeplabv3plus_wide_resnet38 import DeepLabV3PlusWideResNet38
from ood_training.models.kernel_head import KernelSettings, install_kernel_head
from ood_training.models.network import SegmentationNetwork
from ood_training.models.separable_unet import small_unet, tiny_unet

# Networks of one given shape; every other name is DeepLabv3+ over a timm encoder.
_FIXED: dict[str, Callable[[int], SegmentationNetwork]] = {
    "deeplabv3plus_wide_resnet38": DeepLabV3PlusWideResNet38,
    "small_unet": small_unet,
    "tiny_unet": tiny_unet,
}


def model_names() -> tuple[str, ...]:
    """The names that ``create_model`` takes; ENCODER stands for any timm feature network."""
    return (f"{PREFIX}ENCODER", f"{PREFIX}tf_efficientnet_lite0", *_FIXED)


def create_model(
    name: str,
    num_classes: int = 19,
    *,
    decoder_channels: int | None = None,
    output_stride: int | None = None,
    kernels: KernelSettings | None = None,
) -> SegmentationNetwork:
    """A network with random weights, on the default device of PyTorch.

    Args:
        name: one of ``model_names()``.
        num_classes: number of known classes, 2 to 254.
        decoder_channels: width of a ``deeplabv3plus_ENCODER`` decoder; 256 when None.
        output_stride: stride of a ``deeplabv3plus_ENCODER``'s deepest features, 8 or 16; 16 when
            None.
        kernels: of a kernel head in the place of the linear one; its logits are then ln K.

    Raises OodError for an unknown name or number of classes (the message lists the known names),
    an encoder that does not fit, or a setting that the network does not have.
    """
    if not 2 <= num_classes <= 254:
        raise OodError(f"num_classes is {num_classes}: label maps hold 2 to 254 classes")
    network = _linear_network(name, num_classes, decoder_channels, output_stride)
    if kernels is not None:
        install_kernel_head(network, kernels)
    return network


def _linear_network(
    name: str, num_classes: int, decoder_channels: int | None, output_stride: int | None
) -> SegmentationNetwork:
    if name in _FIXED:
        for setting, value in (
            ("decoder_channels", decoder_channels),
            ("output_stride", output_stride),
        ):
            if value is not None:
                raise OodError(f"{setting} is {value}, but {name!r} has its own: leave it out")
        return _FIXED[name](num_classes)
    if name.startswith(PREFIX):
        return create_deeplabv3plus(name, num_classes, decoder_channels, output_stride)
    raise OodError(f"unknown model {name!r}: known are {', '.join(model_names())}")
