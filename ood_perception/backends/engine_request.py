"""What an engine is built from and for: everything that must agree before one is loaded."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import asdict, dataclass
from typing import Any

from ood_perception.backends.engine_graph import ADAPTATION

AHEAD_OF_TIME_TARGETS = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_120", "sm_121")
"""Compute capabilities that TensorRT for RTX builds for without such a GPU (its 1.7)."""

LARGEST_BATCHES = {"rows": 1024, "images": 8}
"""Where a graph leaves the batch open: the largest that an engine takes in one piece, for inputs
of at most two dimensions (components' metrics) and of more (cameras)."""


@dataclass(frozen=True)
class EngineRequest:
    """The content key of an engine.

    onnx_sha256: of the bundle's file, before any adaptation.
    flavour, version: the module that builds and loads (``tensorrt`` or ``tensorrt_rtx``).
    target: compute capability, such as ``sm_86``. gpu: the GPU's name where the engine is built
    on the device, empty where it is built ahead of time.
    precision: ``fp32``, ``fp16`` or ``int8``, as built.
    host: operating system and processor of the machine that builds and loads.
    """

    onnx_sha256: str
    flavour: str
    version: str
    target: str
    gpu: str
    precision: str
    largest_batch_rows: int = LARGEST_BATCHES["rows"]
    largest_batch_images: int = LARGEST_BATCHES["images"]
    tf32: bool = False
    adaptation: int = ADAPTATION
    host: str = f"{platform.system()} {platform.machine()}"

    @property
    def key(self) -> str:
        """40 hexadecimal digits that every field has a part in."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:40]

    @property
    def words(self) -> str:
        """Flavour, version, target and precision for a person."""
        where = self.gpu or "ahead of time"
        return f"{self.flavour} {self.version}, {self.target} ({where}), {self.precision}"

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


def onnx_sha256(graph: bytes) -> str:
    """SHA-256 of an ONNX file's bytes, 64 hexadecimal digits."""
    return hashlib.sha256(graph).hexdigest()
