"""The contract of every backend."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class TensorSpec(NamedTuple):
    """A graph's input or output. ``shape``: -1 where the graph leaves the size open."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class Backend(Protocol):
    """A loaded ONNX graph. Names, shapes and dtypes come from the graph itself."""

    @property
    def device(self) -> str:
        """What the graph really runs on, in words for a person."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The graph's inputs, in its order."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The graph's outputs, in its order."""

    def run(self, tensors: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the graph once: every input by name to every output by name.

        Raises:
            BackendError: the graph could not be run on these tensors.
        """
