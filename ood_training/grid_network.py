"""A network run as the deployed graph runs it, with its logits and features in the hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ood_perception.bundle import NetworkSpec
from ood_perception.errors import OodError
from ood_perception.letterbox import Letterbox
from ood_training.export import DeployedNetwork
from ood_training.models import SegmentationNetwork


@dataclass(frozen=True, eq=False)
class GridView:
    """What the network makes of one image.

    logits: (1, C, gh, gw) on the whole grid, padding included.
    features: (1, D, h', w') at the decoder's stride.
    letterbox: how the image lies in the input; ``valid`` cuts a plane of the grid to it.
    """

    logits: Tensor
    features: Tensor
    letterbox: Letterbox

    def valid(self, plane: NDArray[np.generic]) -> NDArray[np.generic]:
        """The cells of (gh, gw) that show the image."""
        return plane[: self.letterbox.valid_rows, : self.letterbox.valid_columns]


def plane_to_image(letterbox: Letterbox, plane: NDArray[Any]) -> NDArray[Any]:
    """A plane of the grid (gh, gw), padding included, at the size of the image (H, W).

    Floats are interpolated; integers, such as class ids, are those of the nearest cell.
    """
    linear = np.issubdtype(plane.dtype, np.floating)
    return letterbox.to_image(
        plane[: letterbox.valid_rows, : letterbox.valid_columns],
        cv2.INTER_LINEAR if linear else cv2.INTER_NEAREST,
    )


class GridNetwork:
    """Fits images into the network's input and brings the logits to the grid."""

    def __init__(
        self,
        network: SegmentationNetwork,
        input_size: tuple[int, int],
        grid: tuple[int, int] | None = None,
    ) -> None:
        """Moves the network onto a GPU where there is one, in evaluation mode.

        input_size: (height, width), multiples of 16; OodError for others. grid: (height, width),
        half of it when None, as in an exported bundle.
        """
        height, width = input_size
        if height % 16 or width % 16 or min(input_size) < 32:
            raise OodError(f"input size {height}x{width}: sides must be multiples of 16, from 32")
        self.network = network
        self.grid = grid or (height // 2, width // 2)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._spec = NetworkSpec.of_sizes(input_size, self.grid)
        self._deployed = DeployedNetwork(network, self.grid).eval().to(self.device)

    def letterbox(self, image: NDArray[np.uint8]) -> Letterbox:
        """How an image (H, W, 3) lies in the network's input."""
        return Letterbox.fit(self._spec, *image.shape[:2])

    def look(self, image: NDArray[np.uint8]) -> GridView:
        """Run the network on (H, W, 3) uint8 BGR; OodError when it gives no numbers."""
        letterbox = self.letterbox(image)
        with torch.inference_mode():
            tensor = torch.from_numpy(letterbox.apply(image)).to(self.device)
            logits, features, small_logits = self._deployed.grid_logits(tensor)
            # the grid's logits are between the small ones
            if not bool(torch.isfinite(small_logits).all() and torch.isfinite(features).all()):
                raise OodError("the network gives logits or features that are no numbers")
        return GridView(logits, features, letterbox)
