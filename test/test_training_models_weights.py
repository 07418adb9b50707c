"""Weights from a file fill a network whole or not at all, and nothing in a file is executed."""

from __future__ import annotations

import argparse
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ood_perception.errors import OodError
from ood_training.checkpoint import Progress, save_checkpoint
from ood_training.models import SegmentationNetwork, create_model
from ood_training.models.deeplabv3plus_wide_resnet38 import DeepLabV3PlusWideResNet38
from ood_training.models.weights import load_network_weights


def small_network(num_classes: int = 19, seed: int = 0) -> SegmentationNetwork:
    torch.manual_seed(seed)
    return DeepLabV3PlusWideResNet38(num_classes, width_divisor=16)


def published(path: Path, state: dict[str, Any], **beside: Any) -> Path:
    """A file as it was published: wrapped, with a training log beside the weights."""
    wrapped = OrderedDict((f"module.{name}", value) for name, value in state.items())
    log = {"epoch": 174, "mean_iu": np.float64(0.9), "command": "train.py", **beside}
    torch.save({"state_dict": wrapped, **log}, path)
    return path


def same(network: SegmentationNetwork, state: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


def test_a_published_file_fills_the_network(tmp_path: Path) -> None:
    source, network = small_network(seed=1), small_network(seed=2)
    path = published(tmp_path / "published.pth", source.state_dict())
    assert not same(network, source.state_dict())
    load_network_weights(network, path)
    assert same(network, source.state_dict())


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_plain_tensors_fill_the_network(tmp_path: Path, suffix: str) -> None:
    source, network = small_network(seed=1), small_network(seed=2)
    path = tmp_path / f"weights{suffix}"
    state = dict(source.state_dict())
    if suffix == ".pth":
        torch.save(state, path, _use_new_zipfile_serialization=False)
    else:
        save_file(state, str(path))
    load_network_weights(network, path)
    assert same(network, source.state_dict())


def test_an_own_checkpoint_fills_the_network(tmp_path: Path) -> None:
    source, network = create_model("tiny_unet", 3), create_model("tiny_unet", 3)
    optimizer = torch.optim.AdamW(source.parameters())
    source(torch.randn(1, 3, 32, 32)).sum().backward()
    optimizer.step()
    path = tmp_path / "last.safetensors"
    progress = Progress(0, 1, 1, "tiny_unet", ("a", "b", "c"), None, "{}")
    save_checkpoint(path, source, optimizer, progress)
    load_network_weights(network, path)
    assert same(network, source.state_dict())


def damaged(how: str) -> dict[str, torch.Tensor]:
    state = dict(small_network(seed=1).state_dict())
    if how == "missing":
        del state["mod4.block3.convs.conv2.weight"], state["final.6.weight"]
    elif how == "extra":
        state["mod8.block1.conv.weight"] = torch.zeros(3)
    else:
        state["bot_fine.weight"] = torch.zeros(3, 9, 1, 1)
    return state


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("missing", r"tensor 'mod4.block3.convs.conv2.weight' is missing, and 1 more tensor does"),
        ("extra", r"tensor 'mod8.block1.conv.weight' is not in the network$"),
        ("shape", r"'bot_fine.weight' is \(3, 9, 1, 1\) in the file and \(3, 8, 1, 1\) here$"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named_and_nothing_changes(
    tmp_path: Path, how: str, message: str
) -> None:
    path = published(tmp_path / "published.pth", damaged(how))
    network = small_network(seed=2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(OodError, match=message) as caught:
        load_network_weights(network, path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert same(network, before)


def test_other_classes_need_a_new_head(tmp_path: Path) -> None:
    source, network = small_network(seed=1), small_network(11, seed=2)
    path = published(tmp_path / "published.pth", source.state_dict())
    with pytest.raises(OodError, match=r"'final.6.weight' is \(19, 16, 1, 1\) in the file and"):
        load_network_weights(network, path)
    head = network.state_dict()["final.6.weight"].clone()
    load_network_weights(network, path, new_head=True)
    assert same(network, {**source.state_dict(), "final.6.weight": head})


class _Harmful:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    state = small_network().state_dict()
    harmful = published(tmp_path / "harmful.pth", state, extra=_Harmful(tmp_path / "ran"))
    with pytest.raises(OodError, match="holds more than weights, so it is not read"):
        load_network_weights(small_network(), harmful)
    assert not (tmp_path / "ran").exists()
    options = published(tmp_path / "options.pth", state, args=argparse.Namespace(lr=1))
    with pytest.raises(OodError, match=r"\(it names argparse.Namespace\)"):
        load_network_weights(small_network(), options)


def test_other_files_are_one_line(tmp_path: Path) -> None:
    network = small_network()
    with pytest.raises(OodError, match="no such checkpoint"):
        load_network_weights(network, tmp_path / "none.pth")
    for name, message in (
        ("text.pth", "cannot be read as a file of PyTorch weights"),
        ("text.safetensors", "not a safetensors file"),
    ):
        (tmp_path / name).write_bytes(b"hello world, this is no network")
        with pytest.raises(OodError, match=message):
            load_network_weights(network, tmp_path / name)
    whole = published(tmp_path / "whole.pth", network.state_dict()).read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(OodError, match="cannot be read as a file of PyTorch weights"):
        load_network_weights(network, tmp_path / "cut.pth")
    torch.save({"epoch": 3}, tmp_path / "log.pth")
    with pytest.raises(OodError, match="holds no state_dict: its entry 'epoch' is no tensor"):
        load_network_weights(network, tmp_path / "log.pth")
