"""Weights that others published: PyTorch's own files and plain safetensors, nothing executed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ood_perception.errors import OodError

_WRAPPER = "module."


class _Unread:
    """Stands for a NumPy number of a training log that lies beside the weights."""

    def __init__(self, *_: Any) -> None: ...

    def __setstate__(self, _: Any) -> None: ...


# Published checkpoints hold, for example, their mean IoU as a NumPy scalar. NumPy's own functions
# stay out of reach: these names give an object that forgets what it is given.
_NUMPY_NAMES = (
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
    *(f"numpy.dtypes.{kind}DType" for kind in ("Float32", "Float64", "Int32", "Int64")),
)


def read_published_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a ``.pth`` or safetensors file by name, on the CPU.

    A PyTorch file may hold them at its top or under the key ``state_dict``; the prefix ``module.``
    of a data-parallel wrapper is taken off. Only tensors, plain containers and numbers are read:
    a file that would run code is refused. Raises OodError.
    """
    if not path.is_file():
        raise OodError(f"{path}: no such checkpoint")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pytorch(path)
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not content:
        raise OodError(f"{path}: holds no state_dict")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise OodError(f"{path}: holds no state_dict: its entry {name!r} is no tensor")
    if all(name.startswith(_WRAPPER) for name in content):
        content = {name.removeprefix(_WRAPPER): value for name, value in content.items()}
    return dict(content)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(str(path))
    except (SafetensorError, OSError) as error:
        raise OodError(f"{path}: not a safetensors file: {error}") from error


def _read_pytorch(path: Path) -> Any:
    stand_ins: list[Any] = [(_Unread, name) for name in _NUMPY_NAMES]
    try:
        with torch.serialization.safe_globals(stand_ins):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file fails in many ways, and each has its own type
        found = re.search(r"GLOBAL (\S+)", str(error))
        if found:
            raise OodError(
                f"{path}: holds more than weights, so it is not read (it names {found[1]})"
            ) from error
        raise OodError(f"{path}: cannot be read as a file of PyTorch weights") from error
