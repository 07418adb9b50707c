"""Moment matching: mean and standard deviation of an object's colours made those of its scene."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_training.styles.contract import SOLID, Pasting, Patch
from ood_training.styles.scene_view import scene_view

# A plain object has little but noise and compression blocks to stretch.
MOST_STRETCH = 4.0


@dataclass(frozen=True)
class MomentMatching:
    """Colour transfer by moments (Reinhard et al., 2001), per channel of CIELAB.

    CIELAB, because equal steps look equally large in it and its lightness is apart from its
    colours: a grey day dims and desaturates an object without a tint.

    strength: least and greatest part of the way to go, in [0, 1]; drawn for each object.
    """

    strength: tuple[float, float] = (1.0, 1.0)

    def __call__(self, pasting: Pasting, rng: np.random.Generator) -> Patch:
        """As ``StyleTransfer``; the moments are those of the pixels where the mask is above 0.5.

        The scene is all of it, not the surroundings of the box: the style is the camera's and the
        day's, and an object with the few colours of the road around it would be camouflaged.
        """
        strength = float(rng.uniform(*self.strength))
        solid = (pasting.mask > SOLID).astype(np.uint8)
        if strength == 0.0 or not solid.any():
            return np.array(pasting.patch, np.float32)
        wanted = _moments(_lab(scene_view(pasting.scene)), None)
        changed = match_moments(_lab(pasting.patch), solid, wanted, strength)
        return np.asarray(cv2.cvtColor(changed, cv2.COLOR_LAB2BGR) * np.float32(255), np.float32)


Moments = tuple[NDArray[np.float64], NDArray[np.float64]]


def match_moments(
    values: NDArray[np.float32], solid: NDArray[np.uint8], wanted: Moments, strength: float
) -> NDArray[np.float32]:
    """Move each channel's mean and standard deviation towards the wanted ones.

    Args:
        values: (h, w, 3) float32.
        solid: (h, w) uint8, not 0 where the moments are measured; all pixels are changed.
        wanted: means (3,) and standard deviations (3,).
        strength: 1 gives the wanted moments, 0 leaves the values; deviations grow to at most
            ``MOST_STRETCH`` times their own.
    """
    mean, deviation = _moments(values, solid)
    stretch = wanted[1] / np.maximum(deviation, wanted[1] / MOST_STRETCH + 1e-9)
    factor = 1.0 + strength * (stretch - 1.0)
    offset = mean + strength * (wanted[0] - mean) - factor * mean
    each = np.column_stack([np.diag(factor), offset])
    return np.asarray(cv2.transform(values, each), np.float32)


def _moments(values: NDArray[np.float32], solid: NDArray[np.uint8] | None) -> Moments:
    mean, deviation = cv2.meanStdDev(values, mask=solid)
    return np.asarray(mean[:, 0], np.float64), np.asarray(deviation[:, 0], np.float64)


def _lab(picture: NDArray[np.float32] | NDArray[np.uint8]) -> NDArray[np.float32]:
    """BGR of 0 to 255 as CIELAB: L of 0 to 100, a and b around 0."""
    unit = np.clip(picture.astype(np.float32) * np.float32(1 / 255), 0.0, 1.0)
    return np.asarray(cv2.cvtColor(unit, cv2.COLOR_BGR2LAB), np.float32)
