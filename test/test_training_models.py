"""Every network keeps one contract: its full output is its upsampled small logits."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from ood_perception.errors import OodError
from ood_training.models import create_model
from ood_training.models.deeplabv3plus import DeepLabV3Plus, load_imagenet_weights

NAMES = ("tiny_unet", "deeplabv3plus_efficientnet_lite0")


@pytest.mark.parametrize("name", NAMES)
def test_forward_is_the_upsampled_small_logits(name: str) -> None:
    torch.manual_seed(0)
    network = create_model(name, num_classes=5).eval()
    image = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        small, full = network.small_logits(image), network(image)
    assert small.shape[:2] == (2, 5)
    assert small.shape[2] * 4 >= 64
    assert full.shape == (2, 5, 64, 96)
    expected = functional.interpolate(small, size=(64, 96), mode="bilinear", align_corners=True)
    assert torch.equal(full, expected)
    assert network.num_classes == 5
    assert len(network.mean) == len(network.std) == 3


@pytest.mark.parametrize("name", NAMES)
def test_a_step_moves_every_parameter(name: str) -> None:
    torch.manual_seed(0)
    network = create_model(name, num_classes=3).train()
    network(torch.randn(2, 3, 64, 64)).square().mean().backward()
    without = [n for n, p in network.named_parameters() if p.grad is None]
    assert without == []


def test_the_tiny_network_is_tiny_and_sees_far() -> None:
    network = create_model("tiny_unet", 8).eval()
    assert 100_000 <= sum(parameter.numel() for parameter in network.parameters()) <= 300_000
    torch.manual_seed(0)
    image = torch.randn(1, 3, 256, 256, requires_grad=True)
    network(image)[0, :, 128, 128].sum().backward()
    assert image.grad is not None
    seen = image.grad[0].abs().sum(0).nonzero()
    assert (seen.max(0).values - seen.min(0).values).min() >= 100


def test_unknown_names_and_sizes_are_one_line() -> None:
    with pytest.raises(OodError, match=r"unknown model 'unet': known are .*tiny_unet"):
        create_model("unet")
    with pytest.raises(OodError, match="no encoder 'nothing_at_all'"):
        create_model("deeplabv3plus_nothing_at_all")
    with pytest.raises(OodError, match="2 to 254"):
        create_model("tiny_unet", 1)


def test_imagenet_weights_fill_the_whole_encoder() -> None:
    network = create_model("deeplabv3plus_efficientnet_lite0", 4)
    assert isinstance(network, DeepLabV3Plus)
    before = {name: value.clone() for name, value in network.encoder.state_dict().items()}
    load_imagenet_weights(network)
    after = network.encoder.state_dict()
    same = [name for name in after if after[name].ndim == 4 and after[name].equal(before[name])]
    assert same == []
    other = create_model("deeplabv3plus_resnet18", 4)
    assert isinstance(other, DeepLabV3Plus)
    with pytest.raises(OodError, match="does not fit the encoder"):
        load_imagenet_weights(other)
