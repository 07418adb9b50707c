"""Networks by name."""

from __future__ import annotations

from ood_perception.errors import OodError
from ood_training.models.deeplabv3plus import create_deeplabv3plus
from ood_training.models.network import SegmentationNetwork
from ood_training.models.tiny_unet import TinyUNet


def model_names() -> tuple[str, ...]:
    """The names that ``create_model`` takes; ENCODER stands for any timm feature network."""
    return ("deeplabv3plus_ENCODER", "deeplabv3plus_efficientnet_lite0", "tiny_unet")


def create_model(
    name: str, num_classes: int = 19, *, decoder_channels: int | None = None
) -> SegmentationNetwork:
    """A network with random weights.

    Args:
        name: one of ``model_names()``.
        num_classes: number of known classes, 2 to 254.
        decoder_channels: width of a DeepLabv3+ decoder; its default (256) when None.

    Raises OodError for an unknown name or number of classes; the message lists the known names.
    """
    if not 2 <= num_classes <= 254:
        raise OodError(f"num_classes is {num_classes}: label maps hold 2 to 254 classes")
    if name.startswith("deeplabv3plus_"):
        return create_deeplabv3plus(name, num_classes, decoder_channels or 256)
    if name == "tiny_unet":
        return TinyUNet(num_classes)
    raise OodError(f"unknown model {name!r}: known are {', '.join(model_names())}")
