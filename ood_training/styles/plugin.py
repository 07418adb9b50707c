"""Style transfers from elsewhere, such as a generative network: named, imported, checked."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError, first_line
from ood_training.styles.contract import Pasting, Patch, StyleTransfer


@dataclass(frozen=True)
class PluginStyle:
    """A style transfer that is not trusted: what it returns is checked for every object.

    name: ``package.module:factory``, for messages.
    """

    name: str
    transfer: StyleTransfer

    def __call__(self, pasting: Pasting, rng: np.random.Generator) -> Patch:
        """As ``StyleTransfer``; OodError when the plugin fails or breaks the contract."""
        patch = pasting.patch
        # the pictures are the sampler's: a plugin that writes into them is told so
        scene = _read_only(pasting.scene)
        shown = Pasting(_read_only(patch), _read_only(pasting.mask), scene, pasting.box)
        try:
            found = self.transfer(shown, rng)
        except Exception as error:
            raise OodError(
                f"paste.style.plugin {self.name} failed on an object of "
                f"{patch.shape[1]}x{patch.shape[0]} pixels: {first_line(error)}"
            ) from error
        wanted = f"it has to return {patch.shape} float32"
        if not isinstance(found, np.ndarray):
            raise OodError(
                f"paste.style.plugin {self.name} returned a {type(found).__name__}; {wanted}"
            )
        if found.shape != patch.shape or found.dtype != np.float32:
            raise OodError(
                f"paste.style.plugin {self.name} returned {found.shape} {found.dtype}; {wanted}"
            )
        if not np.isfinite(found).all():
            raise OodError(
                f"paste.style.plugin {self.name} returned values that are not finite; {wanted} of "
                "0 to 255"
            )
        return found


def load_plugin(name: str) -> PluginStyle:
    """The style transfer that a factory without arguments makes.

    name: ``package.module:factory``, importable in this Python. Raises OodError when it cannot be
    imported, fails, or makes nothing that can be called.
    """
    module_name, _, factory_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise OodError(
            f"paste.style.plugin {name}: {module_name} cannot be imported: {first_line(error)}; "
            "install it, or put its folder on PYTHONPATH"
        ) from error
    factory = getattr(module, factory_name, None)
    if not callable(factory):
        raise OodError(f"paste.style.plugin {name}: {module_name} has no function {factory_name!r}")
    try:
        transfer = factory()
    except Exception as error:
        raise OodError(
            f"paste.style.plugin {name}: {factory_name}() failed: {first_line(error)}"
        ) from error
    if not callable(transfer):
        raise OodError(
            f"paste.style.plugin {name}: {factory_name}() returned a {type(transfer).__name__}; it "
            "has to return a StyleTransfer (ood_training.styles)"
        )
    return PluginStyle(name, transfer)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view
