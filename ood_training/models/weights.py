"""A network's weights from a file: one of this program's checkpoints, or a published one."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from ood_perception.errors import OodError
from ood_training.models.network import SegmentationNetwork
from ood_training.models.published_checkpoint import read_published_checkpoint
from ood_training.models.strict_loading import load_strictly

_MODEL, _PROGRESS = "model.", "progress"


def load_network_weights(
    network: SegmentationNetwork, path: Path, *, new_head: bool = False
) -> None:
    """Fill a network strictly, from whatever file of weights.

    Args:
        network: changed only when everything fits.
        path: a safetensors checkpoint of ``ood train``, a published ``.pth``, or plain
            safetensors (see ``read_published_checkpoint``).
        new_head: keep the network's own ``head_modules``: for weights that were trained with
            another number of classes.

    Raises OodError when the file cannot be read, or naming the first tensor that is missing, of
    another shape or unknown to the network, and how many more.
    """
    read = _read_own_checkpoint if _is_own_checkpoint(path) else read_published_checkpoint
    tensors = read(path)
    load_strictly(network, tensors, path, keep=network.is_head_tensor if new_head else None)


def _is_own_checkpoint(path: Path) -> bool:
    if path.suffix != ".safetensors" or not path.is_file():
        return False
    try:
        with safe_open(str(path), framework="pt") as file:
            return _PROGRESS in (file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise OodError(f"{path}: not a safetensors file: {error}") from error


def _read_own_checkpoint(path: Path) -> dict[str, Tensor]:
    """The network's part; an optimiser's moments beside it stay on the disk."""
    with safe_open(str(path), framework="pt") as file:
        return {
            name.removeprefix(_MODEL): file.get_tensor(name)
            for name in file.keys()  # noqa: SIM118
            if name.startswith(_MODEL)
        }
