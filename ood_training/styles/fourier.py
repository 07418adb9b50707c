"""Fourier domain adaptation: an object's low frequencies get the amplitudes of its scene."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_training.styles.contract import SOLID, Pasting, Patch
from ood_training.styles.scene_view import scene_view

# Brightness, blue against red, green against both, orthonormal. In blue, green and red each channel
# would keep a phase of its own under the nearly equal amplitudes of a grey street: rainbows.
OPPONENT = np.array(
    [[3**-0.5, 3**-0.5, 3**-0.5], [2**-0.5, 0.0, -(2**-0.5)], [6**-0.5, -2 * 6**-0.5, 6**-0.5]],
    np.float32,
)


@dataclass(frozen=True)
class FourierAdaptation:
    """Yang and Soatto, 2020 (FDA): low-frequency amplitudes are style, phases are shape.

    Unlike there, the channels are ``OPPONENT``'s.

    beta: part of each axis of the centred spectrum that is replaced, in [0, 1]: the frequencies
        below beta / 2 cycles a pixel. The paper's share is that of half a window, half of this.
    strength: least and greatest part of the way from the object's amplitudes to the scene's, in
        [0, 1]; drawn for each object.
    """

    beta: float = 0.06
    strength: tuple[float, float] = (1.0, 1.0)

    def __call__(self, pasting: Pasting, rng: np.random.Generator) -> Patch:
        """As ``StyleTransfer``; the scene is all of it, resized to the patch as in the paper."""
        strength = float(rng.uniform(*self.strength))
        own = np.array(pasting.patch, np.float32)
        solid = (pasting.mask > SOLID).astype(np.uint8)
        if strength == 0.0 or not solid.any():
            return own
        size = own.shape[1], own.shape[0]
        seen = cv2.resize(scene_view(pasting.scene), size, interpolation=cv2.INTER_AREA)
        # Only the object counts: what was around it in its picture would bring its own style, and
        # a constant colour other than the object's mean would ring along the object's edge.
        mean = np.array(cv2.mean(own, mask=solid)[:3], np.float32)[:, None, None]
        filled = (_planes(own) - mean) * pasting.mask + mean
        change = amplitude_change(filled, _planes(np.asarray(seen, np.uint8)), self.beta, strength)
        return own + cv2.merge(list(change))


def amplitude_change(
    picture: NDArray[np.float32], style: NDArray[np.float32], beta: float, strength: float
) -> NDArray[np.float32]:
    """What to add to a picture, so that its low frequencies get the amplitudes of another.

    The mean colour goes to the other's; phases and all higher frequencies of the ``OPPONENT``
    channels stay. Only the window's few
    frequencies are transformed, by the definition of the discrete Fourier transform: whole spectra
    would take several times as long. The columns' negative frequencies are the conjugates of the
    positive ones.

    Args:
        picture, style: (3, h, w) float32 BGR of the same size.
        beta: frequencies below beta / 2 cycles a pixel on both axes belong to the window, so that
            0 is none at all.
        strength: part of the way from the picture's amplitudes to the other's.

    Returns (3, h, w) float32.
    """
    rows, columns = picture.shape[1:]
    highest = [math.ceil(beta * length / 2) - 1 for length in (rows, columns)]
    if min(highest) < 0:
        return np.zeros_like(picture)
    down = _waves(-highest[0], highest[0], rows)
    across = _waves(0, highest[1], columns)
    spectrum = down @ _times_complex(np.concatenate([picture, style]), across.T)
    own, other = _mixed(OPPONENT, spectrum[:3]), _mixed(OPPONENT, spectrum[3:])
    amplitude = np.abs(own)
    # the phase of nothing is 0
    phase = np.where(amplitude > 0, own / np.maximum(amplitude, 1e-12), np.complex64(1))
    moved = np.asarray((np.abs(other) - amplitude) * phase, np.complex64)
    # of the mean colour the sign is style too: amplitudes alone could turn blue into orange
    moved[:, highest[0], 0] = (other - own)[:, highest[0], 0]
    change = _mixed(OPPONENT.T, np.complex64(strength) * moved)
    change[:, :, 1:] *= 2.0
    return _real_part(down.conj().T @ change, across.conj()) / np.float32(rows * columns)


def _planes(picture: NDArray[np.float32] | NDArray[np.uint8]) -> NDArray[np.float32]:
    """(h, w, 3) to (3, h, w) float32."""
    return np.stack(cv2.split(picture)).astype(np.float32, copy=False)


def _mixed(matrix: NDArray[np.float32], channels: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """``matrix`` (3, 3) times the first axis of ``channels`` (3, m, n)."""
    return np.asarray(matrix @ channels.reshape(3, -1), np.complex64).reshape(channels.shape)


@lru_cache(maxsize=1024)
def _waves(first: int, last: int, length: int) -> NDArray[np.complex64]:
    """exp(-2 pi i k x / length), a row for each k of first..last and a column for each pixel x."""
    turns = np.outer(np.arange(first, last + 1), np.arange(length)) / length
    return np.exp(-2j * np.pi * turns).astype(np.complex64)


def _times_complex(
    real: NDArray[np.float32], other: NDArray[np.complex64]
) -> NDArray[np.complex64]:
    """``real @ other`` without the zeros of a complex ``real``."""
    both = real @ np.concatenate([other.real, other.imag], axis=1)
    count = other.shape[1]
    return np.asarray(both[..., :count] + 1j * both[..., count:], np.complex64)


def _real_part(first: NDArray[np.complex64], second: NDArray[np.complex64]) -> NDArray[np.float32]:
    """The real part of ``first @ second`` alone."""
    left = np.concatenate([first.real, -first.imag], axis=-1)
    return np.asarray(left @ np.concatenate([second.real, second.imag]), np.float32)
