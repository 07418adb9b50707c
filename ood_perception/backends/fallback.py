"""A backend that stands in for a better one, and says so."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ood_perception.backends.backend import Backend

FALLBACK = "FALLBACK"
"""Stands in the words of a device that is not the wanted one."""


class FallbackBackend:
    """Runs everything on another backend; `device` tells that, and why."""

    def __init__(self, backend: Backend, failures: list[str]) -> None:
        """failures: why each of the wanted backends could not be had."""
        self._backend = backend
        self.device = f"{backend.device} ({FALLBACK} because of {'; '.join(failures)})"
        self.inputs, self.outputs = backend.inputs, backend.outputs

    def run(self, tensors: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """As the backend that stands in does it; raises what that raises."""
        return self._backend.run(tensors)
