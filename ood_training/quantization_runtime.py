"""What a network in 8-bit integers is made for; apart, because nothing here loads slowly."""

from __future__ import annotations

from enum import Enum


class Runtime(str, Enum):
    """What shall run the integers. Each wants its own kind."""

    CPU = "cpu"
    TENSORRT = "tensorrt"

    @property
    def words(self) -> str:
        """For a person."""
        return {"cpu": "ONNX Runtime on a CPU", "tensorrt": "TensorRT"}[self.value]

    @property
    def activations(self) -> str:
        """What activations are, for a person."""
        return {
            "cpu": "uint8 activations",
            "tensorrt": "symmetric int8 where convolutions read, depthwise ones in float32",
        }[self.value]
