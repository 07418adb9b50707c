"""Means and variances over the components of an image, their inner and their boundary pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ood_perception.component_labels import ComponentPixels


class ComponentSegments:
    """The pixels of each component in two parts, inner ones and boundary ones.

    area, inner_area, boundary_area: (count,) float64 numbers of pixels.
    """

    def __init__(self, pixels: ComponentPixels) -> None:
        bounds = np.stack([pixels.starts[:-1], pixels.boundary_starts], axis=1).ravel()
        self._part_area = np.diff(np.append(bounds, pixels.rows.size))
        self._filled = self._part_area > 0
        self._filled_starts = bounds[self._filled]
        self.area = pixels.areas.astype(np.float64)
        self.inner_area, self.boundary_area = self._part_area.reshape(-1, 2).T.astype(np.float64)

    def moments(self, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Means, then population variances, over the component, its inner, its boundary pixels.

        Two-pass. The component's variance is the mean squared distance from its own mean: within
        the two parts plus between them, which never cancels.
        """
        part_area = np.maximum(self._part_area, 1)
        part_mean = self._part_sums(values) / part_area
        deviation = np.repeat(part_mean, self._part_area)
        np.subtract(values, deviation, out=deviation)
        part_variance = self._part_sums(np.square(deviation, out=deviation)) / part_area
        weight = self._part_area.reshape(-1, 2) / self.area[:, None]
        means, variances = part_mean.reshape(-1, 2), part_variance.reshape(-1, 2)
        mean = (weight * means).sum(axis=1)
        spread = variances + np.square(means - mean[:, None])
        return (mean, *means.T, (weight * spread).sum(axis=1), *variances.T)

    def _part_sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        # reduceat gives the next part's first value, not 0, for a part without pixels.
        sums = np.zeros(self._part_area.size)
        sums[self._filled] = np.add.reduceat(values, self._filled_starts)
        return sums
