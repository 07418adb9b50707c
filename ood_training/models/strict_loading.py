"""Filling a network with tensors from a file, all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor, nn

from ood_perception.errors import OodError


def load_strictly(
    network: nn.Module,
    tensors: Mapping[str, Tensor],
    path: Path,
    *,
    keep: Callable[[str], bool] | None = None,
) -> None:
    """Copy ``tensors`` into a network whose ``state_dict`` has the same names and shapes.

    Args:
        network: changed only when everything fits.
        tensors: by the names of the network's ``state_dict``.
        path: the file that they come from, for the message.
        keep: entries for which it is true stay as they are in the network, whatever the file has
            for them.

    Raises OodError with the first tensor that is missing, misshapen or unknown, and how many more.
    """
    wanted = network.state_dict()
    kept = {name for name in (*wanted, *tensors) if keep is not None and keep(name)}
    wrong = [
        _difference(name, value, tensors.get(name))
        for name, value in wanted.items()
        if name not in kept and (name not in tensors or tensors[name].shape != value.shape)
    ]
    wrong += [
        f"tensor {name!r} is not in the network"
        for name in tensors
        if name not in kept and name not in wanted
    ]
    if wrong:
        more = len(wrong) - 1
        others = (
            f", and {more} more tensor{'s do' if more > 1 else ' does'} not fit" if more else ""
        )
        raise OodError(f"{path}: does not fit the network: {wrong[0]}{others}")
    given = {name: value for name, value in tensors.items() if name not in kept}
    network.load_state_dict({name: given.get(name, value) for name, value in wanted.items()})


def _difference(name: str, wanted: Tensor, given: Tensor | None) -> str:
    if given is None:
        return f"tensor {name!r} is missing"
    return f"tensor {name!r} is {tuple(given.shape)} in the file and {tuple(wanted.shape)} here"
