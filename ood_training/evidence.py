"""What a network's logits say of the classes, and the class probabilities that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from ood_perception.errors import OodError

EvidenceKind = Literal["softmax", "sigmoids", "kernels"]


@dataclass(frozen=True)
class Evidence:
    """Where class probabilities come from.

    kind: ``softmax`` of the logits; ``sigmoids`` of a one-vs-rest head, each class by itself,
        normalised to sum to one; ``kernels`` of a head whose logits are already the logarithms of
        one kernel value a class, normalised likewise.
    scale: s > 0, what one-vs-rest training multiplied the logits by before the sigmoid.

    Raises OodError for values outside of these.
    """

    kind: EvidenceKind = "softmax"
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(EvidenceKind):
            known = ", ".join(get_args(EvidenceKind))
            raise OodError(f"no class evidence {self.kind!r}: known are {known}")
        if not self.scale > 0:
            raise OodError(f"the scale of the class evidence is {self.scale}: it must be above 0")

    def log_evidence(self, logits: Tensor) -> Tensor:
        """Logits whose softmax is the class probabilities, of the same shape.

        The softmax of logarithms is the values themselves, divided by their sum: of ln sigmoid(s z)
        the normalised sigmoids, of ln K the normalised kernels. So whatever reads a deployed
        graph's ``logits`` takes their softmax, of whatever kind they are.
        """
        if self.kind == "sigmoids":
            scaled = logits * self.scale
            # not logsigmoid: graphs take the logarithm of a rounded sigmoid, wrong below -17
            return scaled.clamp(max=0) - torch.log1p(torch.exp(-scaled.abs()))
        return logits
