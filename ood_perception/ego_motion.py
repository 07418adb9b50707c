"""How the vehicle moved between two images: poses from odometry, interpolated at images' stamps."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from math import cos, isfinite, pi, sin
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError


class OdometryError(OodError):
    """A pose that no vehicle can have."""


class EgoPose(NamedTuple):
    """Where the ground frame (x forward, y left) lies in a world that stands still.

    x_m, y_m: of its origin, metres. yaw_rad: of its x axis, positive to the left.
    world: its number; poses in two worlds cannot be compared.
    """

    x_m: float
    y_m: float
    yaw_rad: float
    world: int = 0


class EgoMotion(NamedTuple):
    """From an earlier ground frame to a later one.

    step_m: (2,) float64, where the later origin lies in the earlier frame, metres.
    turn_rad: by how much the later frame is turned to the left.
    """

    step_m: NDArray[np.float64]
    turn_rad: float

    def carried(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., 2) points that stand still, from the earlier frame into the later one."""
        return np.asarray((points - self.step_m) @ rotation(self.turn_rad))


def rotation(angle_rad: float) -> NDArray[np.float64]:
    """(2, 2), turns vectors to the left; v @ rotation(a) turns row vectors to the right."""
    return np.array([[cos(angle_rad), -sin(angle_rad)], [sin(angle_rad), cos(angle_rad)]])


def motion_between(earlier: EgoPose, later: EgoPose) -> EgoMotion:
    """The vehicle's own motion between two of its poses, which must be in the same world."""
    step = np.array([later.x_m - earlier.x_m, later.y_m - earlier.y_m])
    return EgoMotion(step @ rotation(earlier.yaw_rad), _turn(earlier.yaw_rad, later.yaw_rad))


class OdometryBuffer:
    """The last poses, by stamp; one thread may add while another asks.

    Poses that it gives before and after it forgot all are in different worlds.

    keep_s: how far back poses are kept. max_gap_s: between two poses farther apart nothing is
    interpolated, and beyond the last one nothing is extrapolated by more than that, seconds.
    """

    def __init__(self, keep_s: float = 5.0, max_gap_s: float = 0.2) -> None:
        self._keep_ns, self._max_gap_ns = round(keep_s * 1e9), round(max_gap_s * 1e9)
        self._poses: deque[tuple[int, EgoPose]] = deque()
        self._world = 0
        self._lock = Lock()

    def add(self, stamp_ns: int, pose: EgoPose) -> None:
        """Takes the next pose. A stamp before the last one (a bag that loops) drops all earlier
        poses; the same stamp again changes nothing. Raises OdometryError when it is not finite."""
        if not all(map(isfinite, pose)):
            raise OdometryError(f"odometry: pose {tuple(pose)} is not finite; check its publisher")
        with self._lock:
            if self._poses and stamp_ns < self._poses[-1][0]:
                self._begin_anew()
            if not self._poses or stamp_ns > self._poses[-1][0]:
                self._poses.append((stamp_ns, pose))
            while stamp_ns - self._poses[0][0] > self._keep_ns:
                self._poses.popleft()

    def clear(self) -> None:
        """Forgets all poses."""
        with self._lock:
            self._begin_anew()

    def _begin_anew(self) -> None:
        self._poses.clear()
        self._world += 1

    def pose_at(self, stamp_ns: int) -> EgoPose | None:
        """The pose at an image's stamp, or None where the poses around it do not tell it."""
        with self._lock:
            poses, world = list(self._poses), self._world
        place = bisect_left(poses, stamp_ns, key=lambda entry: entry[0])
        if place < len(poses) and poses[place][0] == stamp_ns:
            return poses[place][1]._replace(world=world)
        if place == 0 or len(poses) < 2:
            return None
        # Beyond the last pose the last two go on as they were.
        second = min(place, len(poses) - 1)
        (start_ns, start), (end_ns, end) = poses[second - 1], poses[second]
        if end_ns - start_ns > self._max_gap_ns or stamp_ns - end_ns > self._max_gap_ns:
            return None
        share = (stamp_ns - start_ns) / (end_ns - start_ns)
        return EgoPose(
            start.x_m + share * (end.x_m - start.x_m),
            start.y_m + share * (end.y_m - start.y_m),
            start.yaw_rad + share * _turn(start.yaw_rad, end.yaw_rad),
            world,
        )


def _turn(before_rad: float, after_rad: float) -> float:
    """The shorter way round, in [-pi, pi)."""
    return (after_rad - before_rad + pi) % (2 * pi) - pi


class TwistIntegrator:
    """Poses from a vehicle's speeds, in a world of their own; good between images, not for hours.

    max_gap_s: after a longer pause, or a stamp that goes back, poses begin anew.
    """

    def __init__(self, buffer: OdometryBuffer, max_gap_s: float = 0.5) -> None:
        self._buffer = buffer
        self._max_gap_s = max_gap_s
        self._last: tuple[int, EgoPose, float, float] | None = None

    def add(self, stamp_ns: int, forward_m_s: float, turn_rad_s: float) -> None:
        """Takes the speed along x and the rate of turning to the left at a stamp.

        Raises OdometryError when one is not finite.
        """
        if not (isfinite(forward_m_s) and isfinite(turn_rad_s)):
            raise OdometryError(
                f"odometry: speed {forward_m_s}, turn {turn_rad_s} is not finite; "
                "check its publisher"
            )
        pose = EgoPose(0.0, 0.0, 0.0)
        if self._last is not None:
            before_ns, before, forward, turn = self._last
            step_s = (stamp_ns - before_ns) / 1e9
            if 0 <= step_s <= self._max_gap_s:
                pose = _driven(before, step_s, (forward + forward_m_s) / 2, (turn + turn_rad_s) / 2)
            else:
                self._buffer.clear()
        self._buffer.add(stamp_ns, pose)
        self._last = stamp_ns, pose, forward_m_s, turn_rad_s


def _driven(pose: EgoPose, step_s: float, forward_m_s: float, turn_rad_s: float) -> EgoPose:
    turned = turn_rad_s * step_s
    heading = pose.yaw_rad + turned / 2
    way = forward_m_s * step_s
    return EgoPose(
        pose.x_m + way * cos(heading), pose.y_m + way * sin(heading), pose.yaw_rad + turned
    )
