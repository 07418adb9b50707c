"""Are these the tensors that a graph takes? For runtimes that would not say so in one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from ood_perception.backends.backend import TensorSpec
from ood_perception.errors import BackendError


def check_tensors(
    graph_name: str, inputs: Sequence[TensorSpec], tensors: dict[str, NDArray[Any]]
) -> int:
    """The batch of the tensors; 1 where no input leaves it open.

    inputs: of the graph; an open first dimension is the batch, common to all that have one.

    Raises:
        BackendError: names, dimensions, types or batches are not the graph's, or one is empty.
    """
    expected = {spec.name: spec for spec in inputs}
    if tensors.keys() != expected.keys():
        raise BackendError(
            f"{graph_name} takes the inputs {', '.join(expected)}, not {', '.join(tensors)}"
        )
    for name, tensor in tensors.items():
        shape, dtype = expected[name].shape, expected[name].dtype
        fits = tensor.ndim == len(shape) and all(
            want in (-1, got) for want, got in zip(shape, tensor.shape, strict=True)
        )
        if not fits or tensor.dtype != dtype or tensor.size == 0:
            raise BackendError(
                f"{graph_name}: input {name} is {tensor.dtype} {tensor.shape}, but it takes "
                f"{dtype} {shape}"
            )
    batches = {tensors[spec.name].shape[0] for spec in inputs if spec.shape[:1] == (-1,)}
    if len(batches) > 1:
        raise BackendError(f"{graph_name}: its inputs have different batches {sorted(batches)}")
    return int(batches.pop()) if batches else 1
