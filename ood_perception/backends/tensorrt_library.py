"""The modules ``tensorrt`` (10.x, 11.x) and ``tensorrt_rtx``: one API, whichever is installed."""

from __future__ import annotations

import importlib
from typing import Any

from ood_perception.errors import BackendError

FLAVOURS = ("tensorrt", "tensorrt_rtx")
_INSTALL = (
    "tensorrt comes with JetPack or from NVIDIA's index, tensorrt_rtx by "
    "`pip install tensorrt-rtx-cu13`"
)


def load_flavour(flavour: str) -> Any:
    """The module of that name.

    Raises:
        BackendError: it is not installed, or its libraries cannot be loaded.
    """
    try:
        return importlib.import_module(flavour)
    except (ImportError, OSError, RuntimeError) as error:
        reason = "is not installed" if isinstance(error, ModuleNotFoundError) else f"fails: {error}"
        raise BackendError(f"the module {flavour} {reason}: {_INSTALL}") from error


def installed_flavours() -> list[Any]:
    """The modules that can be imported, ``tensorrt`` first.

    Raises:
        BackendError: there is none.
    """
    modules, reasons = [], []
    for flavour in FLAVOURS:
        try:
            modules.append(load_flavour(flavour))
        except BackendError as error:
            reasons.append(str(error))
    if not modules:
        # the module that is there but fails tells more than the one that is not
        raise BackendError(next((r for r in reasons if "not installed" not in r), reasons[0]))
    return modules


def version(library: Any) -> str:
    """The module's version."""
    return str(library.__version__)


def error_logger(library: Any, errors: list[str]) -> Any:
    """A TensorRT logger that collects errors, one line each, and is silent about the rest."""

    class ErrorLogger(library.ILogger):
        def __init__(self) -> None:
            library.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity <= library.ILogger.ERROR:
                errors.append(" ".join(message.split()))

    return ErrorLogger()


def reason(errors: list[str]) -> str:
    """The error that tells most: the first that is not the missing driver of a build ahead."""
    telling = [line for line in errors if "catchCudaError" not in line] or errors
    return telling[0][:400] if telling else "TensorRT gave no reason"
