"""Checkpoints in safetensors: model, optimiser and place in the run, no pickles, written whole."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from ood_perception.errors import OodError
from ood_training.models.strict_loading import load_strictly

_MODEL, _OPTIMIZER = "model.", "optimizer."
TEMPORARY_SUFFIX = ".temporary"


@dataclass(frozen=True)
class Progress:
    """Where a run stands and what it has seen, the whole of it over all interruptions.

    stage, step, total_step: the next step of a stage, and the steps of the run before it.
    epochs: a row of figures for each finished epoch.
    losses: of the steps of the unfinished epoch.
    best: the highest value so far of the figure that ``keep_best_by`` names, in this stage.
    loss_scaler: state of the gradient scaling of float16.
    evidence: fields of the ``Evidence`` that the network's logits are; its default when empty.
    kernels: fields of the ``KernelSettings`` of a kernel head; empty for a linear head.
    """

    stage: int
    step: int
    total_step: int
    model: str
    classes: tuple[str, ...]
    decoder_channels: int | None
    configuration: str
    output_stride: int | None = None
    epochs: tuple[dict[str, Any], ...] = ()
    losses: tuple[float, ...] = ()
    best: float | None = None
    seconds: float = 0.0
    loss_scaler: dict[str, Any] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)
    kernels: dict[str, Any] = field(default_factory=dict)


def save_checkpoint(
    path: Path, network: nn.Module, optimizer: Optimizer | None, progress: Progress
) -> None:
    """Write a checkpoint whole: to a temporary name, onto the disk, then moved into place.

    Raises OodError when it cannot be written, for example on a full disk; the checkpoint that was
    there before stays, and no part of the new one does.
    """
    # contiguous, as the format wants it: a channels-last tensor is stored in the ordinary order
    tensors = {_MODEL + name: _stored(value) for name, value in network.state_dict().items()}
    if optimizer is not None:
        for index, state in optimizer.state_dict()["state"].items():
            for name, value in state.items():
                tensors[f"{_OPTIMIZER}{index}.{name}"] = _stored(value)
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, str(temporary), metadata={"progress": json.dumps(vars(progress))})
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    except (OSError, SafetensorError) as error:
        _forget(temporary)
        raise OodError(
            f"{path}: cannot write the checkpoint: {_reason(error)}; the one before stays: make "
            "room and run the same command again"
        ) from error


def _stored(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().contiguous()


def _flush(path: Path) -> None:
    """Make sure that a file, or a folder's list of names, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _forget(temporary: Path) -> None:
    """Remove what was begun; where even that fails, the next run does it."""
    try:
        temporary.unlink(missing_ok=True)
    except OSError:
        return


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        if f"os error {number}" in str(error):
            return os.strerror(number)
    return str(error)


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed process left of a checkpoint that it was writing."""
    for path in folder.glob(f"*{TEMPORARY_SUFFIX}"):
        path.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], Progress]:
    """All tensors, on the CPU, and the progress of a checkpoint; OodError when it is none."""
    if not path.is_file():
        raise OodError(f"{path}: no such checkpoint")
    try:
        with safe_open(str(path), framework="pt") as file:
            progress = json.loads(file.metadata()["progress"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        for name in ("classes", "epochs", "losses"):
            progress[name] = tuple(progress.get(name, ()))
        return tensors, Progress(**progress)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise OodError(f"{path}: not a checkpoint of this program: {error}") from error


def load_network_state(network: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Fill a network strictly; OodError names the first tensor that does not fit."""
    model = {k[len(_MODEL) :]: v for k, v in tensors.items() if k.startswith(_MODEL)}
    load_strictly(network, model, path)


def load_optimizer_state(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Fill an optimiser of the same parameters, each moment laid out in memory as its parameter."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    states: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if not key.startswith(_OPTIMIZER):
            continue
        index, name = key[len(_OPTIMIZER) :].split(".", 1)
        if value.ndim:
            # another layout would be computed in another order, and rounded otherwise
            value = torch.empty_like(parameters[int(index)]).copy_(value)
        states.setdefault(int(index), {})[name] = value.clone()
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": states, "param_groups": groups})
