"""What a road is painted with: a strip of texture that repeats along the road."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .classes import ClassId

PERIOD_M = 12.0
PIXEL_M = 0.0625
HALF_WIDTH_M = 16.0
ROAD_STYLES = ("urban", "suburban", "country", "highway")

_LEVELS = 6
_GRAIN = {ClassId.ROAD: 0.22, ClassId.PAVEMENT: 0.14, ClassId.VEGETATION: 0.55}


@dataclass(frozen=True)
class RoadProfile:
    """Cross-section of a road, symmetric to its middle line. Lengths in metres.

    lanes: of both directions together. ego_lateral_m: middle of the ego vehicle's lane.
    pavement_m: width of the pavement beside the road, 0 for none.
    """

    style: str
    lanes: int
    lane_width_m: float
    edge_m: float
    pavement_m: float
    verge: ClassId

    @property
    def half_width_m(self) -> float:
        """From the middle line to the end of the road."""
        return self.lanes * self.lane_width_m / 2 + self.edge_m

    @property
    def ego_lateral_m(self) -> float:
        """Middle of the rightmost lane: traffic keeps right."""
        return -(self.lanes - 1) * self.lane_width_m / 2


@dataclass(frozen=True)
class RoadSurface:
    """The strip's colours in several resolutions, and its classes across the road.

    atlas: (rows, columns, 3) uint8 BGR, the levels below one another, each with a spare row at
    both ends; level k repeats every level_rows[k] rows from level_starts[k] on.
    labels: (columns,) uint8. grain: (columns,) float32, how rough the surface looks.
    """

    atlas: NDArray[Any]
    level_rows: NDArray[np.int64]
    level_starts: NDArray[np.int64]
    labels: NDArray[np.uint8]
    grain: NDArray[np.float32]
    noise_offset: float

    @property
    def levels(self) -> int:
        """Number of resolutions."""
        return len(self.level_rows)


def sample_profile(rng: np.random.Generator, style: str) -> RoadProfile:
    """A random cross-section in one of ROAD_STYLES."""
    if style == "highway":
        return RoadProfile(style, 4, 3.6, 1.6, 0.0, ClassId.VEGETATION)
    if style == "country":
        return RoadProfile(style, 2, rng.uniform(3.0, 3.6), 0.35, 0.0, ClassId.VEGETATION)
    lanes = 4 if style == "urban" and rng.random() < 0.25 else 2
    parking = float(rng.choice([0.25, 2.2])) if lanes == 2 else 0.25
    verge = ClassId.PAVEMENT if style == "urban" else ClassId.VEGETATION
    pavement = rng.uniform(2.0, 4.0)
    return RoadProfile(style, lanes, rng.uniform(3.0, 3.6), parking, pavement, verge)


def build_surface(rng: np.random.Generator, profile: RoadProfile) -> RoadSurface:
    """Paint the strip of a road in random asphalt, paving, grass and paint colours."""
    rows, columns = round(PERIOD_M / PIXEL_M), round(2 * HALF_WIDTH_M / PIXEL_M)
    lateral = (np.arange(columns) + 0.5) * PIXEL_M - HALF_WIDTH_M
    strip = np.zeros((rows, columns, 3), np.float32)
    labels = np.full(columns, profile.verge, np.uint8)
    half = profile.half_width_m
    is_road = np.abs(lateral) < half
    is_pavement = ~is_road & (np.abs(lateral) < half + profile.pavement_m)
    labels[is_road], labels[is_pavement] = ClassId.ROAD, ClassId.PAVEMENT

    asphalt = rng.uniform(72, 135) * np.array([1.0, 1.0, 1.0]) + rng.uniform(-5, 7, 3)
    paving = rng.uniform(120, 185) + np.array([-10.0, -2.0, 6.0]) * rng.uniform(0, 2.2)
    grass = np.array([52.0, 112.0, 84.0]) * rng.uniform(0.8, 1.2) + rng.uniform(-12, 12, 3)
    strip[:] = grass if profile.verge == ClassId.VEGETATION else paving * 0.94
    strip[:, is_road] = asphalt
    strip[:, is_pavement] = paving
    _pave(strip, labels == ClassId.PAVEMENT, lateral, rng)
    _wear(strip, lateral, profile, rng)
    _mark(strip, lateral, profile, rng)
    if profile.pavement_m:
        kerb = np.abs(np.abs(lateral) - half - 0.07) < 0.09
        strip[:, kerb] = paving * 1.12
        strip[:, np.abs(np.abs(lateral) - half + 0.08) < 0.06] = asphalt * 0.62
    grain_of_class = np.zeros(256, np.float32)
    for label, amount in _GRAIN.items():
        grain_of_class[label] = amount
    grain = grain_of_class[labels] * rng.uniform(0.7, 1.3)
    atlas, level_rows, level_starts = _levels(np.clip(strip, 0, 255).astype(np.uint8))
    return RoadSurface(
        atlas, level_rows, level_starts, labels, grain.astype(np.float32), rng.uniform(100, 200)
    )


def _pave(
    strip: NDArray[Any], where: NDArray[np.bool_], lateral: NDArray[Any], rng: np.random.Generator
) -> None:
    """Joints between slabs."""
    slab_rows = int(rng.choice([8, 12, 16, 24]))
    joint = 1 - rng.uniform(0.08, 0.25)
    strip[::slab_rows, where] *= joint
    across = where & (np.mod(lateral, slab_rows * PIXEL_M) < PIXEL_M)
    strip[:, across] *= joint


def _wear(
    strip: NDArray[Any], lateral: NDArray[Any], profile: RoadProfile, rng: np.random.Generator
) -> None:
    """Wheel tracks polish, the middle of a lane collects oil."""
    middles = (np.arange(profile.lanes) - (profile.lanes - 1) / 2) * profile.lane_width_m
    tracks, oil = rng.uniform(-0.1, 0.14), rng.uniform(0, 0.1)
    gain = np.ones_like(lateral)
    for middle in middles:
        for side in (-0.8, 0.8):
            gain += tracks * np.exp(-(((lateral - middle - side) / 0.3) ** 2))
        gain -= oil * np.exp(-(((lateral - middle) / 0.35) ** 2))
    gain[np.abs(lateral) >= profile.half_width_m] = 1.0
    strip *= gain.astype(np.float32)[None, :, None]


def _mark(
    strip: NDArray[Any], lateral: NDArray[Any], profile: RoadProfile, rng: np.random.Generator
) -> None:
    """Lane and edge markings in white (or yellow), more or less worn."""
    white = np.array([215.0, 222.0, 224.0])
    middle_paint = np.array([90.0, 190.0, 225.0]) if rng.random() < 0.25 else white
    worn = rng.uniform(0.55, 1.0)
    width = rng.uniform(0.12, 0.18)
    rows = len(strip)
    dash = slice(0, int(rows * rng.choice([0.25, 0.33, 0.5])))
    everywhere = slice(0, rows)

    def line(at: float, part: slice, paint: NDArray[Any]) -> None:
        # Cover by area, so that a line narrower than a texel keeps its brightness.
        cover = np.clip((width / 2 + PIXEL_M / 2 - np.abs(lateral - at)) / PIXEL_M, 0, 1)
        touched = np.flatnonzero(cover)
        columns = slice(touched[0], touched[-1] + 1)
        share = (cover[columns] * worn)[None, :, None]
        strip[part, columns] = strip[part, columns] * (1 - share) + paint * share

    lane_edges = (np.arange(1, profile.lanes) - profile.lanes / 2) * profile.lane_width_m
    for at in lane_edges:
        if abs(at) > 0.1:
            line(at, dash, white)
        elif profile.lanes > 2 or rng.random() < 0.25:
            line(at - 0.14, everywhere, middle_paint)
            line(at + 0.14, everywhere, middle_paint)
        elif profile.style != "suburban" or rng.random() < 0.6:
            line(at, dash, middle_paint)
    if profile.style in ("country", "highway") or profile.edge_m > 1 or rng.random() < 0.3:
        reach = profile.lanes * profile.lane_width_m / 2
        line(-reach, everywhere, white)
        line(reach, everywhere, white)


def _levels(strip: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]]:
    """The strip and its halves along the road, stacked, each with a wrapped row at both ends."""
    parts, level_rows, starts = [], [], []
    start = 0
    for level in range(_LEVELS):
        parts += [strip[-1:], strip, strip[:1]]
        level_rows.append(len(strip))
        starts.append(start)
        start += len(strip) + 2
        height, width = strip.shape[:2]
        strip = cv2.resize(strip, (width, height // 2), interpolation=cv2.INTER_AREA)
        if level >= 1:
            strip = cv2.blur(strip, (3, 1))
    return np.concatenate(parts), np.array(level_rows), np.array(starts)
