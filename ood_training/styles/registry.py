"""Style transfers by the kind that a recipe names."""

from __future__ import annotations

from ood_training.data_configuration import StyleConfiguration
from ood_training.styles.contract import StyleTransfer
from ood_training.styles.fourier import FourierAdaptation
from ood_training.styles.moments import MomentMatching
from ood_training.styles.plugin import load_plugin


def open_style(settings: StyleConfiguration) -> StyleTransfer | None:
    """The style transfer of ``paste.style``; None leaves objects as they are.

    Raises OodError when a plugin cannot be loaded.
    """
    if settings.kind == "moments":
        return MomentMatching(settings.strength)
    if settings.kind == "fourier":
        return FourierAdaptation(settings.beta, settings.strength)
    if settings.kind == "plugin":
        assert settings.plugin is not None
        return load_plugin(settings.plugin)
    return None
