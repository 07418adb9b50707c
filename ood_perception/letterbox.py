"""Camera image to network input and back: scaled with its aspect kept, padded right and below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.bundle import NetworkSpec

# Mid-grey: what the network's own zero padding stands for after normalisation.
_PADDING = 127


@dataclass(frozen=True)
class Letterbox:
    """How one image size fits a network's input, and where its grid cells lie in the image.

    image_height, image_width: of the camera image.
    inner_height, inner_width: the part of the network's input that the scaled image fills.
    valid_rows, valid_columns: the part of the metrics grid that shows the image.
    """

    network: NetworkSpec
    image_height: int
    image_width: int
    inner_height: int
    inner_width: int
    valid_rows: int
    valid_columns: int

    @classmethod
    def fit(cls, network: NetworkSpec, image_height: int, image_width: int) -> Letterbox:
        """The letterbox of an image of that size (both at least 1 pixel)."""
        scale = min(network.input_height / image_height, network.input_width / image_width)
        inner_height = min(network.input_height, max(1, round(image_height * scale)))
        inner_width = min(network.input_width, max(1, round(image_width * scale)))
        rows = _valid_cells(inner_height, network.input_height, network.grid_height)
        columns = _valid_cells(inner_width, network.input_width, network.grid_width)
        return cls(network, image_height, image_width, inner_height, inner_width, rows, columns)

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H,W,3) uint8 camera image -> (1,h,w,3) uint8 network input."""
        inner = image
        if image.shape[:2] != (self.inner_height, self.inner_width):
            shrinks = self.inner_height < self.image_height
            interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            size = (self.inner_width, self.inner_height)
            inner = np.asarray(cv2.resize(image, size, interpolation=interpolation), np.uint8)
        shape = (1, self.network.input_height, self.network.input_width, 3)
        if inner.shape[:2] == shape[1:3]:
            return np.ascontiguousarray(inner).reshape(shape)
        canvas = np.full(shape, _PADDING, np.uint8)
        canvas[0, : self.inner_height, : self.inner_width] = inner
        return canvas

    def image_x(self, column_edges: NDArray[Any]) -> NDArray[np.float64]:
        """x in image pixels (0 = left border) of grid edges (column c spans c .. c + 1)."""
        step = _grid_step(self.network.input_width, self.network.grid_width)
        inner = (np.asarray(column_edges, np.float64) - 0.5) * step + 0.5
        return np.clip(inner * self.image_width / self.inner_width, 0, self.image_width)

    def image_y(self, row_edges: NDArray[Any]) -> NDArray[np.float64]:
        """y in image pixels (0 = upper border) of grid edges (row r spans r .. r + 1)."""
        step = _grid_step(self.network.input_height, self.network.grid_height)
        inner = (np.asarray(row_edges, np.float64) - 0.5) * step + 0.5
        return np.clip(inner * self.image_height / self.inner_height, 0, self.image_height)

    @property
    def cell_size_px(self) -> tuple[float, float]:
        """Height and width of a grid cell in image pixels."""
        height = _grid_step(self.network.input_height, self.network.grid_height)
        width = _grid_step(self.network.input_width, self.network.grid_width)
        return (
            height * self.image_height / self.inner_height,
            width * self.image_width / self.inner_width,
        )

    def to_image(self, grid_map: NDArray[Any], interpolation: int) -> NDArray[Any]:
        """A map on the valid grid, (rows, columns), brought to (image height, image width).

        interpolation: an OpenCV flag: cv2.INTER_NEAREST for ids, cv2.INTER_LINEAR for scores.
        """
        cell_height, cell_width = self.cell_size_px
        # Image pixel j has its centre at j + 0.5; grid cell c has its centre at step * c + 0.5
        # of the network's input.
        offset_x = (0.5 * self.inner_width / self.image_width - 0.5) / (
            cell_width * self.inner_width / self.image_width
        )
        offset_y = (0.5 * self.inner_height / self.image_height - 0.5) / (
            cell_height * self.inner_height / self.image_height
        )
        matrix = np.array([[1 / cell_width, 0, offset_x], [0, 1 / cell_height, offset_y]])
        return cv2.warpAffine(
            grid_map,
            matrix,
            (self.image_width, self.image_height),
            flags=interpolation | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )


def _grid_step(input_size: int, grid_size: int) -> float:
    """Network-input pixels from one grid cell's centre to the next (aligned corners)."""
    return (input_size - 1) / max(grid_size - 1, 1)


def _valid_cells(inner_size: int, input_size: int, grid_size: int) -> int:
    """How many grid cells have their centre on the image."""
    step = _grid_step(input_size, grid_size)
    return int(min(grid_size, max(1, np.floor((inner_size - 0.5) / step) + 1)))
