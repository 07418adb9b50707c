"""What a style transfer is: a pasted object's colours made those of the scene it goes into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Box = tuple[slice, slice]
Patch = NDArray[np.float32]
# what the labels call the object
SOLID = 0.5


@dataclass(frozen=True, eq=False)
class Pasting:
    """An object and the place where it will be pasted. Nothing of it may be changed.

    patch: (h, w, 3) float32 or uint8 BGR, 0 to 255; outside the object it shows what was around it
        in its own picture.
    mask: (h, w) float32 in [0, 1], above 0.5 on the object.
    scene: (H, W, 3) uint8 BGR, without the object, but maybe with its shadow and with objects
        pasted before; where a crop reaches beyond its frame, it is grey
        (``augmentation.PADDING_VALUE``).
    box: rows and columns of the scene that the patch will cover.
    """

    patch: NDArray[np.float32] | NDArray[np.uint8]
    mask: NDArray[np.float32]
    scene: NDArray[np.uint8]
    box: Box


class StyleTransfer(Protocol):
    """One way to align the style of a pasted object with its scene."""

    def __call__(self, pasting: Pasting, rng: np.random.Generator) -> Patch:
        """The object as the scene's camera might have seen it.

        rng: the only source of random numbers. Returns a new patch (h, w, 3) float32 BGR; values
        beyond 0 to 255 are clipped where it is pasted.
        """
        ...
