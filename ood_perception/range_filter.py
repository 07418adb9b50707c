"""Where an obstacle is and how fast it comes nearer, from many uncertain sights of it.

A Kalman filter with constant velocity relative to the vehicle. At constant speed it does not lag;
after a change of speed that no odometry tells of it lags until the velocity has followed, by what
``RangeFilterSettings.acceleration_m_s2`` allows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ood_perception.ego_motion import EgoMotion, rotation

_OUTLIER_DEVIATIONS = 2.0
_IDENTITY = np.eye(4)


@dataclass(frozen=True)
class RangeFilterSettings:
    """acceleration_m_s2: how hard obstacles speed up or brake relative to the vehicle beyond what
        odometry tells (standard deviation). Larger follows faster and smooths less.
    start_speed_m_s: standard deviation of an obstacle's velocity when it is first seen, relative
        to the vehicle; moving_speed_m_s: the same over ground, where odometry is given.
    """

    acceleration_m_s2: float = 2.0
    start_speed_m_s: float = 15.0
    moving_speed_m_s: float = 1.0


class RangeFilter:
    """One obstacle on the ground.

    state: (4,) float64 (x, y, vx, vy), metres and metres a second in the ground frame, the velocity
    relative to the vehicle. covariance: (4, 4) float64.
    """

    def __init__(
        self,
        position: NDArray[np.float64],
        covariance: NDArray[np.float64],
        ego_velocity: NDArray[np.float64] | None = None,
        settings: RangeFilterSettings | None = None,
    ) -> None:
        """position: (2,) metres; covariance: (2, 2). ego_velocity: (2,) of the vehicle in its own
        frame, metres a second, where odometry tells it: the obstacle is then taken for standing."""
        self.settings = settings or RangeFilterSettings()
        speed = self.settings.start_speed_m_s
        velocity = np.zeros(2)
        if ego_velocity is not None:
            speed, velocity = self.settings.moving_speed_m_s, -ego_velocity
        self._ego_velocity = ego_velocity
        self.state = np.concatenate([position, velocity])
        self.covariance = np.zeros((4, 4))
        self.covariance[:2, :2] = covariance
        self.covariance[2:, 2:] = np.eye(2) * speed**2

    @property
    def position(self) -> NDArray[np.float64]:
        """(2,) float64 metres in the ground frame."""
        return self.state[:2].copy()

    @property
    def velocity(self) -> NDArray[np.float64]:
        """(2,) float64 metres a second relative to the vehicle."""
        return self.state[2:].copy()

    def predict(
        self, step_s: float, motion: EgoMotion | None = None, standing: bool = False
    ) -> None:
        """Goes step_s >= 0 seconds on; motion: of the vehicle in that time, where it is known.

        standing: with a known motion the obstacle is taken for standing, whatever its velocity was:
        over a long time without a sight its error would carry the obstacle away.
        """
        if step_s <= 0:
            return
        if motion is not None:
            ego_velocity = motion.step_m / step_s
            if standing:
                self.state[2:] = -ego_velocity
            elif self._ego_velocity is not None:
                # The vehicle's own braking is known: it must not be learned from the obstacle.
                self.state[2:] += self._ego_velocity - ego_velocity
        step = _IDENTITY.copy()
        step[0, 2] = step[1, 3] = step_s
        if motion is not None:
            turn = rotation(motion.turn_rad).T
            turns = np.zeros((4, 4))
            turns[:2, :2] = turns[2:, 2:] = turn
            step = turns @ step
            self._ego_velocity = turn @ ego_velocity
        else:
            self._ego_velocity = None
        self.state = step @ self.state
        if standing and motion is not None:
            # The way is the odometry's: the velocity's errors take no part in it.
            self.covariance[:2, :2] = turn @ self.covariance[:2, :2] @ turn.T
            self.covariance[2:, 2:] = turn @ self.covariance[2:, 2:] @ turn.T
            self.covariance[:2, 2:] = self.covariance[2:, :2] = 0.0
            return
        self.covariance = step @ self.covariance @ step.T
        pull = np.array([step_s**2 / 2, step_s]) * self.settings.acceleration_m_s2
        noise = pull[:, None] * pull
        self.covariance[::2, ::2] += noise  # of x and vx
        self.covariance[1::2, 1::2] += noise  # of y and vy

    def stay_before(self, x_m: float) -> None:
        """Keeps it from passing a line across the vehicle's way, where it is known to be ahead."""
        if self.state[0] < x_m:
            self.state[0], self.state[2] = x_m, max(float(self.state[2]), 0.0)

    def update(self, position: NDArray[np.float64], covariance: NDArray[np.float64]) -> None:
        """Takes a sight of it, (2,) metres and (2, 2) its covariance.

        One that lies more than two deviations off is believed the less the farther off it is, so
        that a component that merged with a shadow for one image does not move the obstacle.
        """
        innovation = position - self.state[:2]
        total = self.covariance[:2, :2] + covariance
        distance = float(innovation @ np.linalg.solve(total, innovation))
        if distance > _OUTLIER_DEVIATIONS**2:
            total = total + covariance * (distance / _OUTLIER_DEVIATIONS**2 - 1)
        gain = np.linalg.solve(total, self.covariance[:2]).T
        self.state = self.state + gain @ innovation
        self.covariance = self.covariance - gain @ self.covariance[:2]
        self.covariance = (self.covariance + self.covariance.T) / 2
