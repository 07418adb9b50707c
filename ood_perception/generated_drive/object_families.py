"""Two families of unknown objects, kept apart so that an evaluation can be honest."""

from __future__ import annotations

import numpy as np

from ..errors import OodError
from . import lost_objects, proxy_objects
from .unknown_object import UnknownObject

FAMILIES = ("train", "test")
MIN_SIZE_M, MAX_SIZE_M = 0.2, 1.5
_LARGER_FIRST_M = 0.35


def check_family(family: str) -> None:
    """Raises OodError unless family is one of FAMILIES."""
    if family not in FAMILIES:
        raise OodError(f"no family of objects {family!r}: choose one of {', '.join(FAMILIES)}")


def random_object(rng: np.random.Generator, family: str) -> UnknownObject:
    """An object of a family, its largest extent and its height between 0.2 and 1.5 m."""
    check_family(family)
    maker = proxy_objects if family == "train" else lost_objects
    name, mesh = maker.make(rng, maker.NAMES[int(rng.integers(len(maker.NAMES)))])
    mesh = mesh.grounded()
    largest = float(mesh.size().max())
    # Most objects stay as they were made; a few are small, as lost cargo is.
    wanted = rng.uniform(MIN_SIZE_M, _LARGER_FIRST_M) if rng.random() < 0.12 else largest
    wanted = float(np.clip(wanted * rng.uniform(0.85, 1.15), MIN_SIZE_M, MAX_SIZE_M))
    mesh = mesh.scaled(np.full(3, wanted / largest)).turned(yaw=rng.uniform(-np.pi, np.pi))
    pattern = maker.PATTERNS[int(rng.integers(len(maker.PATTERNS)))](rng)
    return UnknownObject(name, mesh, pattern)
