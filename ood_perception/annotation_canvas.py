"""A picture being annotated: outlines, a banner, and labels that do not cover each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.detection import Component

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]  # blue, green, red
Box = tuple[int, int, int, int]  # left, top, right, bottom

DARK: Colour = (24, 24, 24)
_LIGHT: Colour = (255, 255, 255)
_PALE: Colour = (175, 175, 175)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass
class AnnotationCanvas:
    """A picture being drawn on, with line and letter sizes that fit it and labels kept apart."""

    picture: Picture
    taken: list[Box] = field(default_factory=list)
    kept_clear: list[Box] = field(default_factory=list)

    @property
    def _scale(self) -> float:
        return max(0.36, self.picture.shape[0] / 720 * 0.55)

    def outline(self, component: Component, colour: Colour, thick: bool) -> None:
        """The component's contour; a thick one is set off from the picture by a dark rim."""
        width = max(2, round(self.picture.shape[0] / 300)) if thick else 1
        contour = [np.asarray(component.contour, dtype=np.int32).reshape(-1, 1, 2)]
        if thick:
            cv2.polylines(self.picture, contour, True, DARK, width + 2, cv2.LINE_AA)
        cv2.polylines(self.picture, contour, True, colour, width, cv2.LINE_AA)

    def keep_clear(self, component: Component) -> None:
        """No label may cover this component while there is another place."""
        x, y, width, height = (round(value) for value in component.region)
        self.kept_clear.append((x, y, x + width, y + height))

    def banner(self, text: str, colour: Colour) -> None:
        """A line of text on a coloured strip along the upper edge."""
        (_, letter), baseline = cv2.getTextSize(text, _FONT, self._scale, 1)
        pad = letter // 2
        height = letter + baseline + 2 * pad
        strip = self.picture[:height]
        strip[:] = (strip * 0.2 + np.array(colour) * 0.8).astype(np.uint8)
        self._write(text, (pad * 2, pad + letter), self._scale, _LIGHT)
        self.taken.append((0, 0, self.picture.shape[1], height))

    def label(
        self,
        component: Component,
        text: str,
        colour: Colour,
        small: bool = False,
        details: Sequence[str] = (),
    ) -> None:
        """A plate above the component, moved to the nearest free place; small ones give way.

        details: further lines in smaller letters, left out where they find no free place.
        """
        for lines, avoided in self._wishes([text, *details], small):
            scales = self._line_scales(lines, small)
            sizes = [_text_size(line, scale) for line, scale in zip(lines, scales, strict=True)]
            pad = max(2, sizes[0][1] // 5)
            width = max(size[0] for size in sizes) + 3 * pad + 2
            height = sum(size[1] for size in sizes) + pad
            spot = self._free_spot(component, width, height, avoided)
            if spot is not None:
                break
        else:
            if small:
                return
            spot = self._inside(component.region.x, component.region.y - height, width, height)
        x, y = spot
        self.taken.append((x, y, x + width, y + height))
        plate = self.picture[y : y + height, x : x + width]
        plate[:] = (plate * 0.3 + np.array(DARK) * 0.7).astype(np.uint8)
        if not small:
            cv2.rectangle(self.picture, (x, y), (x + 2, y + height - 1), colour, -1)
        for index, (line, scale) in enumerate(zip(lines, scales, strict=True)):
            bottom = y + sum(size[1] for size in sizes[: index + 1])
            pale = small or index > 0
            baseline = bottom - _baseline(line, scale)
            self._write(line, (x + pad + 2, baseline), scale, _PALE if pale else _LIGHT)

    def _wishes(self, lines: list[str], small: bool) -> list[tuple[list[str], list[Box]]]:
        """What to write and what it must not cover, best first.

        Where a large component's box fills the picture, labels may lie in it rather than on others.
        """
        all_boxes = self.taken + self.kept_clear
        wishes = [(lines, all_boxes), (lines[:1], all_boxes)]
        return wishes if small else [*wishes, (lines, self.taken), (lines[:1], self.taken)]

    def _line_scales(self, lines: Sequence[str], small: bool) -> list[float]:
        first = self._scale * (0.8 if small else 1.0)
        return [first] + [self._scale * 0.8] * (len(lines) - 1)

    def _free_spot(
        self, component: Component, width: int, height: int, avoided: list[Box]
    ) -> tuple[int, int] | None:
        x, y, _, region_height = (round(value) for value in component.region)
        above, below = y - height - 4, y + region_height + 4
        rows = [row for n in range(4) for row in (above - n * height, below + n * height)]
        for row in rows:
            left, top = self._inside(x, row, width, height)
            box = (left, top, left + width, top + height)
            if not any(_overlap(box, other) for other in avoided):
                return left, top
        return None

    def _inside(self, x: float, y: float, width: int, height: int) -> tuple[int, int]:
        rows, columns = self.picture.shape[:2]
        return max(0, min(round(x), columns - width)), max(0, min(round(y), rows - height))

    def _write(self, text: str, at: tuple[int, int], scale: float, colour: Colour) -> None:
        cv2.putText(self.picture, text, at, _FONT, scale, colour, 1, cv2.LINE_AA)


def _text_size(text: str, scale: float) -> tuple[int, int]:
    """Width and height of a line, the part below its letters included."""
    (width, letter), baseline = cv2.getTextSize(text, _FONT, scale, 1)
    return width, letter + baseline + max(2, letter // 3)


def _baseline(text: str, scale: float) -> int:
    return cv2.getTextSize(text, _FONT, scale, 1)[1]


def _overlap(first: Box, second: Box) -> bool:
    return (
        first[0] < second[2]
        and second[0] < first[2]
        and first[1] < second[3]
        and second[1] < first[3]
    )
