"""The published network: its tensors by name and shape, and its function written out literally."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, conv2d, interpolate, max_pool2d

from ood_training.models import SegmentationNetwork, create_model
from ood_training.models.deeplabv3plus_wide_resnet38 import DeepLabV3PlusWideResNet38
from ood_training.models.wide_resnet38 import PreActivationBlock

NAME = "deeplabv3plus_wide_resnet38"
TABLE = Path(__file__).resolve().parents[2] / "shared/spec/wide_resnet38_state_dict.json"
# SHA-256 of the published table, one line "NAME [SHAPE]" an entry, sorted by name
TABLE_SHA256 = "0e24569d3db62c30700ef7b7f3eb118bb8073beeb9a03b6a8668c705f50e3499"

State = Mapping[str, Tensor]


def published_network() -> SegmentationNetwork:
    """Names and shapes without memory for 137 million numbers."""
    with torch.device("meta"):
        return create_model(NAME)


def shapes(network: nn.Module) -> dict[str, list[int]]:
    return {name: list(value.shape) for name, value in network.state_dict().items()}


def test_the_state_is_the_published_one_by_hash() -> None:
    network = published_network()
    table = shapes(network)
    assert len(table) == 268
    assert sum(parameter.numel() for parameter in network.parameters()) == 137_103_936
    lines = "\n".join(f"{name} {shape}" for name, shape in sorted(table.items()))
    assert hashlib.sha256(lines.encode()).hexdigest() == TABLE_SHA256


@pytest.mark.skipif(not TABLE.is_file(), reason=f"{TABLE} is missing")
def test_the_state_is_the_published_one_by_name() -> None:
    published = json.loads(TABLE.read_text())
    assert shapes(published_network()) == published
    assert list(shapes(published_network())) == list(published)


def test_making_it_leaves_pytorch_as_it_was() -> None:
    before = {name: getattr(nn, name) for name in dir(nn)}
    network = published_network()
    assert {name: getattr(nn, name) for name in dir(nn)} == before
    dropouts = [m for m in network.modules() if isinstance(m, nn.modules.dropout._DropoutNd)]
    assert [(type(one), one.p) for one in dropouts] == [(nn.Dropout2d, 0.3), (nn.Dropout2d, 0.5)]


def test_its_parts_are_trunk_decoder_and_last_layer() -> None:
    network = published_network()
    head = {id(parameter) for parameter in network.head_parameters()}
    assert [n for n, p in network.named_parameters() if id(p) in head] == ["final.6.weight"]
    backbone = {id(parameter) for parameter in network.backbone_parameters()}
    outside = {n.split(".")[0] for n, p in network.named_parameters() if id(p) not in backbone}
    assert outside == {"aspp", "bot_fine", "bot_aspp", "final"}


def norm_relu(x: Tensor, state: State, name: str) -> Tensor:
    """Batch norm with the stored statistics, then ReLU, written out."""
    mean, variance, weight, bias = (
        state[f"{name}.{part}"].view(1, -1, 1, 1)
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return ((x - mean) / (variance + 1e-5).sqrt() * weight + bias).clamp_min(0)


def block(x: Tensor, state: State, name: str, stride: int, dilation: int) -> Tensor:
    """A residual block as the specification puts it, for both of its kinds."""

    def convolve(x: Tensor, layer: str, stride: int = 1, dilation: int = 1) -> Tensor:
        weight = state[f"{name}{layer}.weight"]
        padding = dilation if weight.shape[-1] == 3 else 0
        return conv2d(x, weight, stride=stride, padding=padding, dilation=dilation)

    a = norm_relu(x, state, f"{name}bn1.0")
    projected = f"{name}proj_conv.weight" in state
    shortcut = convolve(a, "proj_conv", stride) if projected else x
    if f"{name}convs.conv3.weight" in state:
        y = convolve(a, "convs.conv1", stride)
        y = convolve(norm_relu(y, state, f"{name}convs.bn2.0"), "convs.conv2", 1, dilation)
        return shortcut + convolve(norm_relu(y, state, f"{name}convs.bn3.0"), "convs.conv3")
    y = convolve(a, "convs.conv1", stride, dilation)
    return shortcut + convolve(
        norm_relu(y, state, f"{name}convs.bn2.0"), "convs.conv2", 1, dilation
    )


def network_logits(image: Tensor, state: State) -> Tensor:
    """The whole published network on a normalised image, logits of the input's size."""

    def resized(x: Tensor, size: torch.Size) -> Tensor:
        return interpolate(x, size=size, mode="bilinear", align_corners=True)

    def stage(x: Tensor, number: int, blocks: int, stride: int = 1, dilation: int = 1) -> Tensor:
        for index in range(1, blocks + 1):
            first = stride if index == 1 else 1
            x = block(x, state, f"mod{number}.block{index}.", first, dilation)
        return x

    x = conv2d(image, state["mod1.conv1.weight"], padding=1)
    fine = stage(max_pool2d(x, 3, 2, 1), 2, 3)
    x = stage(max_pool2d(fine, 3, 2, 1), 3, 3)
    x = stage(x, 4, 6, stride=2)
    x = stage(x, 5, 3, dilation=2)
    x = stage(x, 6, 1, dilation=4)
    x = stage(x, 7, 1, dilation=4)

    pooled = conv2d(adaptive_avg_pool2d(x, 1), state["aspp.img_conv.0.weight"])
    parts = [resized(norm_relu(pooled, state, "aspp.img_conv.1"), x.shape[-2:])]
    for branch, rate in enumerate((0, 12, 24, 36)):
        weight = state[f"aspp.features.{branch}.0.weight"]
        y = conv2d(x, weight, padding=rate, dilation=max(rate, 1))
        parts.append(norm_relu(y, state, f"aspp.features.{branch}.1"))
    pyramid = conv2d(torch.cat(parts, 1), state["bot_aspp.weight"])

    decoded = [conv2d(fine, state["bot_fine.weight"]), resized(pyramid, fine.shape[-2:])]
    y = conv2d(torch.cat(decoded, 1), state["final.0.weight"], padding=1)
    y = conv2d(norm_relu(y, state, "final.1"), state["final.3.weight"], padding=1)
    y = conv2d(norm_relu(y, state, "final.4"), state["final.6.weight"])
    return resized(y, image.shape[-2:])


def lively(module: nn.Module) -> nn.Module:
    """Random statistics and affine parts, so that a norm left out or swapped shows."""
    torch.manual_seed(3)
    for name, value in module.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif name.endswith(("running_mean", ".bias")):
            value.normal_(0, 0.2)
        elif value.ndim == 1:
            value.uniform_(0.7, 1.3)
        elif value.ndim == 4:
            nn.init.kaiming_normal_(value)
    return module.double().eval()


@pytest.mark.parametrize(
    ("inputs", "widths", "stride", "dilation", "projects"),
    [
        (6, (6, 6), 1, 1, False),
        (6, (4, 8), 1, 2, True),
        (6, (6, 6), 2, 1, True),
        (6, (4, 6, 6), 1, 4, False),
        (6, (4, 6, 8), 1, 4, True),
    ],
)
def test_a_block_is_the_written_out_one(
    inputs: int, widths: tuple[int, ...], stride: int, dilation: int, projects: bool
) -> None:
    module = lively(
        PreActivationBlock(inputs, widths, stride=stride, dilation=dilation, dropout=0.5)
    )
    x = torch.randn(2, inputs, 16, 20, dtype=torch.float64)
    before = x.clone()
    with torch.inference_mode():
        result = module(x)
    state = module.state_dict()
    assert ("proj_conv.weight" in state) == projects
    torch.testing.assert_close(result, block(before, state, "", stride, dilation))
    assert torch.equal(x, before)


@pytest.mark.parametrize("size", [(64, 64), (72, 104)])
def test_the_network_is_the_written_out_one(size: tuple[int, int]) -> None:
    network = lively(DeepLabV3PlusWideResNet38(5, width_divisor=16))
    image = torch.randn(1, 3, *size, dtype=torch.float64)
    with torch.inference_mode():
        found, expected = network(image), network_logits(image, network.state_dict())
    assert expected.std() > 0.01
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-8)


def test_dropout_drops_whole_channels_in_training_alone() -> None:
    module = PreActivationBlock(6, (4, 64, 6), dilation=4, dropout=0.5)
    kept: list[Tensor] = []
    module.convs.get_submodule("dropout").register_forward_hook(
        lambda _, given, result: kept.append(
            (result == 0).all((2, 3)) & (given[0] != 0).any(3).any(2)
        )
    )
    module.train()(torch.randn(2, 6, 8, 8))
    module.eval()(torch.randn(2, 6, 8, 8))
    assert 20 < int(kept[0].sum()) < 108
    assert not kept[1].any()
