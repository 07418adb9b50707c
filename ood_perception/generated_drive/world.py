"""Everything that stands or lies along a road, in road coordinates. Nothing here is drawn yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .ground import RoadLine
from .light import Light
from .mesh import Mesh
from .road_surface import RoadProfile, RoadSurface


@dataclass(frozen=True)
class Body:
    """A mesh on the road or beside it.

    s, d: road coordinates of its origin at time 0. yaw_rad: its front against the road's
    direction. speed_mps: along s. instance: above 0 for unknown objects only.
    """

    mesh: Mesh
    s: float
    d: float
    yaw_rad: float
    label: int
    instance: int = 0
    speed_mps: float = 0.0
    shape: str = ""
    pattern: NDArray[Any] | None = None

    def at(self, time_s: float, line: RoadLine, ego_s: float) -> Mesh:
        """Its mesh in the ground frame of the ego vehicle at ego_s."""
        x, y, direction = line.to_ground(self.s + self.speed_mps * time_s, self.d, ego_s)
        return self.mesh.placed(x, y, self.yaw_rad + direction)


@dataclass(frozen=True)
class Tree:
    """A tree or bush; gain: (3,) BGR factors on its picture, index: which picture."""

    s: float
    d: float
    height_m: float
    width_m: float
    index: int
    gain: NDArray[np.float64]


@dataclass(frozen=True)
class Building:
    """A house whose wall at d faces the road. Hedges are houses of leaves without storeys.

    depth_m: away from the road. gain: (3,) BGR factors. facade, shop, roof: which texture,
    shop or roof None for none. gable_hidden: the next house to the camera stands before its end.
    """

    s: float
    length_m: float
    d: float
    depth_m: float
    height_m: float
    gain: NDArray[np.float64]
    facade: int
    shop: int | None = None
    roof: int | None = None
    is_hedge: bool = False
    gable_hidden: bool = False


@dataclass(frozen=True)
class GroundDetail:
    """A polygon painted on the ground: (k, 2) road coordinates, brightness in percent.

    wet: it mirrors the sky.
    """

    outline: NDArray[np.float64]
    percent: int
    wet: bool = False

    @cached_property
    def first_s(self) -> float:
        """Where it begins along the road."""
        return float(self.outline[:, 0].min())

    @cached_property
    def last_s(self) -> float:
        """Where it ends along the road."""
        return float(self.outline[:, 0].max())


@dataclass
class World:
    """A road with its surroundings."""

    profile: RoadProfile
    surface: RoadSurface
    line: RoadLine
    light: Light
    buildings: list[Building] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)
    bodies: list[Body] = field(default_factory=list)
    details: list[GroundDetail] = field(default_factory=list)
