"""Time of day and weather: where light comes from, its colour, the sky's colours, haze."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LIGHT_KINDS = ("clear", "hazy", "overcast", "low_sun", "dusk", "night")
_KIND_SHARES = (0.34, 0.12, 0.26, 0.12, 0.1, 0.06)

_WHITE = (1.0, 1.0, 1.0)
_WARM = (0.86, 0.98, 1.08)
_Color = tuple[float, float, float]


class _Kind(NamedTuple):
    """Levels and tints (BGR) of sun and sky light, and what makes the look of the air."""

    sun_level: float
    sky_level: float
    sun_tint: _Color
    sky_tint: _Color
    shadow: float
    haze_per_m: float
    haze_color: _Color
    zenith_color: _Color


_TABLE = {
    "clear": _Kind(
        0.75, 0.62, _WHITE, (1.05, 1, 0.96), 0.5, 0.002, (228, 215, 200), (205, 140, 85)
    ),
    "hazy": _Kind(0.3, 0.85, _WARM, _WHITE, 0.2, 0.007, (222, 220, 215), (215, 195, 175)),
    "overcast": _Kind(
        0.0, 0.95, _WHITE, (1.04, 1, 0.98), 0.0, 0.004, (215, 212, 208), (185, 180, 176)
    ),
    "low_sun": _Kind(
        0.85,
        0.55,
        (0.62, 0.86, 1.1),
        (1.06, 1, 0.95),
        0.55,
        0.004,
        (190, 212, 235),
        (190, 155, 115),
    ),
    "dusk": _Kind(
        0.12, 0.5, (0.5, 0.8, 1.1), (1.15, 1, 0.95), 0.1, 0.004, (165, 150, 165), (135, 95, 75)
    ),
    "night": _Kind(0.0, 0.2, _WHITE, (1.3, 1.05, 0.9), 0.0, 0.003, (48, 38, 34), (30, 20, 15)),
}


@dataclass(frozen=True)
class Light:
    """Light of a scene. Colours are BGR in 0..255, gains are factors on colours.

    sun: unit vector towards the sun in the world frame (x forward at the start, y left, z up).
    sun_gain, sky_gain: BGR gains of direct sun light and of light from the whole sky.
    headlight_gain: light of the vehicle's own lamps at 10 m.
    shadow: 0 (no cast shadow) to 1 (black).
    haze_per_m: extinction; far things fade into haze_color.
    """

    kind: str
    sun: tuple[float, float, float]
    sun_gain: NDArray[np.float64]
    sky_gain: NDArray[np.float64]
    headlight_gain: float
    shadow: float
    haze_per_m: float
    haze_color: NDArray[np.float64]
    zenith_color: NDArray[np.float64]
    cloudiness: float
    cloud_color: NDArray[np.float64]

    @property
    def ground_gain(self) -> NDArray[np.float64]:
        """BGR gain of a level, unshaded surface."""
        return self.sky_gain + self.sun_gain * max(self.sun[2], 0.0)

    def sun_from(self, yaw_rad: float) -> NDArray[np.float64]:
        """(3,) unit vector towards the sun in a ground frame turned by yaw_rad."""
        x, y, z = self.sun
        cos, sin = math.cos(yaw_rad), math.sin(yaw_rad)
        return np.array([cos * x + sin * y, -sin * x + cos * y, z])

    def shade(
        self, normals: NDArray[np.float64], yaw_rad: float, lamps: float | NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(n, 3) BGR gains of surfaces with (n, 3) unit normals in the ego frame.

        lamps: ``headlight_at`` their distance, one value or (n, 1).
        """
        sun = np.maximum(normals @ self.sun_from(yaw_rad), 0)[:, None] * self.sun_gain
        sky = (0.72 + 0.28 * normals[:, 2:3]) * self.sky_gain
        return sun + sky + np.maximum(-normals[:, :1], 0) * lamps

    def headlight_at(self, distance_m: float) -> float:
        """Gain of the vehicle's own lamps on a surface that faces them."""
        return self.headlight_gain / (1.0 + (distance_m / 14.0) ** 2)

    def haze_share(self, distance_m: float) -> float:
        """How much of haze_color is seen at a distance, 0..1."""
        return 1.0 - math.exp(-self.haze_per_m * distance_m)


def sample_light(rng: np.random.Generator, kind: str | None = None) -> Light:
    """A random light; kind: one of LIGHT_KINDS, or None for a random one."""
    if kind is None:
        kind = str(rng.choice(LIGHT_KINDS, p=_KIND_SHARES))
    low, high = {"low_sun": (8, 20), "dusk": (3, 10), "night": (20, 40)}.get(kind, (25, 65))
    elevation = math.radians(rng.uniform(low, high))
    azimuth = rng.uniform(-math.pi, math.pi)
    sun = (
        math.cos(elevation) * math.cos(azimuth),
        math.cos(elevation) * math.sin(azimuth),
        math.sin(elevation),
    )
    sun_level, sky_level, sun_tint, sky_tint, shadow, haze, haze_color, zenith = _TABLE[kind]
    level = rng.uniform(0.88, 1.12)
    return Light(
        kind=kind,
        sun=sun,
        sun_gain=sun_level * level * np.asarray(sun_tint, np.float64),
        sky_gain=sky_level * level * np.asarray(sky_tint, np.float64),
        headlight_gain={"night": 0.75, "dusk": 0.15}.get(kind, 0.0),
        shadow=shadow * rng.uniform(0.75, 1.1),
        haze_per_m=haze * rng.uniform(0.5, 1.4),
        haze_color=np.asarray(haze_color, np.float64) * rng.uniform(0.93, 1.05),
        zenith_color=np.asarray(zenith, np.float64) * rng.uniform(0.85, 1.12, 3),
        cloudiness={"overcast": 0.9, "night": 0.4}.get(kind, float(rng.uniform(0.1, 0.75))),
        cloud_color=np.asarray((60, 50, 46) if kind == "night" else (236, 234, 232), np.float64)
        * (0.72 if kind == "dusk" else rng.uniform(0.85, 1.03)),
    )
