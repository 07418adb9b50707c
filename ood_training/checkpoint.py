"""Checkpoints in safetensors: model, optimiser, place in the run and random state, no pickles."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from ood_perception.errors import OodError

_MODEL, _OPTIMIZER, _RANDOM = "model.", "optimizer.", "random.torch"


@dataclass(frozen=True)
class Progress:
    """Where a run stands: the next step of a stage, and what the run is."""

    stage: int
    step: int
    total_step: int
    model: str
    classes: tuple[str, ...]
    decoder_channels: int | None
    configuration: str


def save_checkpoint(
    path: Path, network: nn.Module, optimizer: Optimizer | None, progress: Progress
) -> None:
    """Write a checkpoint whole: to a temporary name first, then moved into place."""
    tensors = {_MODEL + name: value.contiguous() for name, value in network.state_dict().items()}
    if optimizer is not None:
        for index, state in optimizer.state_dict()["state"].items():
            for name, value in state.items():
                tensors[f"{_OPTIMIZER}{index}.{name}"] = value.contiguous()
        tensors[_RANDOM] = torch.get_rng_state()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".temporary")
    save_file(tensors, str(temporary), metadata={"progress": json.dumps(vars(progress))})
    os.replace(temporary, path)


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], Progress]:
    """All tensors and the progress of a checkpoint; OodError when it is none."""
    if not path.is_file():
        raise OodError(f"{path}: no such checkpoint")
    try:
        with safe_open(str(path), framework="pt") as file:
            progress = json.loads(file.metadata()["progress"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        progress["classes"] = tuple(progress["classes"])
        return tensors, Progress(**progress)
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise OodError(f"{path}: not a checkpoint of this program: {error}") from error


def load_network_state(network: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Fill a network strictly; OodError says how many tensors are missing or too many."""
    state = {k[len(_MODEL) :]: v for k, v in tensors.items() if k.startswith(_MODEL)}
    wanted = network.state_dict()
    wrong = [
        name for name in wanted if name not in state or state[name].shape != wanted[name].shape
    ]
    extra = [name for name in state if name not in wanted]
    if wrong or extra:
        raise OodError(
            f"{path}: does not fit the network: {len(wrong)} tensors missing or of another shape, "
            f"{len(extra)} unknown, for example {(wrong + extra)[0]}"
        )
    network.load_state_dict(state)


def load_optimizer_state(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Fill an optimiser of the same parameters and set PyTorch's random state."""
    states: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(_OPTIMIZER):
            index, name = key[len(_OPTIMIZER) :].split(".", 1)
            states.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict(
        {"state": states, "param_groups": optimizer.state_dict()["param_groups"]}
    )
    if _RANDOM in tensors:
        torch.set_rng_state(tensors[_RANDOM])
