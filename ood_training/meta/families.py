"""Meta classifiers by name."""

from __future__ import annotations

from ood_perception.errors import OodError
from ood_training.meta.additive import ADDITIVE_KIND, AdditiveFamily
from ood_training.meta.contract import MetaFamily
from ood_training.meta.logistic import LOGISTIC_KIND, LogisticFamily
from ood_training.meta.network import NetworkFamily, hidden_widths

FAMILY_KINDS = ("network", LOGISTIC_KIND, ADDITIVE_KIND)
"""Every kind; ``network`` with other layers too, as ``network:75-75-75`` or ``network:none``."""


def create_family(kind: str) -> MetaFamily:
    """The family of that name. Raises OodError for an unknown one, naming the known ones."""
    if kind == LOGISTIC_KIND:
        return LogisticFamily()
    if kind == ADDITIVE_KIND:
        return AdditiveFamily()
    if hidden_widths(kind) is not None:
        return NetworkFamily(kind)
    raise OodError(
        f"unknown kind of meta classifier {kind!r}: choose one of {', '.join(FAMILY_KINDS)}, or "
        "network with its hidden widths, for instance network:75-75-75"
    )
