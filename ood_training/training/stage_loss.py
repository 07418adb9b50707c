"""The loss that the settings name, and what its logits then mean."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor

from ood_training.configuration import TrainingConfiguration
from ood_training.evidence import Evidence
from ood_training.losses.kernels import kernel_terms
from ood_training.losses.one_vs_rest import one_vs_rest_terms
from ood_training.losses.pixel_terms import weighted_terms

PixelTerms = Callable[[Tensor, Tensor, float, float], Tensor]


def pixel_terms(settings: TrainingConfiguration, *, unknown_objects: bool) -> PixelTerms:
    """The weighted sum of a batch's pixel terms, as ``weighted_terms`` takes and gives it.

    unknown_objects: of the stage; without them a linear head's is the cross-entropy, whatever the
        settings say. Kernels have one loss for both.
    """
    if settings.head.kind == "kernels":
        return kernel_terms
    loss = settings.loss
    if unknown_objects and loss.kind == "one_vs_rest":
        return partial(one_vs_rest_terms, top_k=loss.top_k, scale=loss.logit_scale)
    return weighted_terms


def evidence_of(settings: TrainingConfiguration, *, unknown_objects: bool) -> Evidence:
    """What the logits of a network mean that was trained so."""
    if settings.head.kind == "kernels":
        return Evidence("kernels")
    if unknown_objects and settings.loss.kind == "one_vs_rest":
        return Evidence("sigmoids", settings.loss.logit_scale)
    return Evidence()
