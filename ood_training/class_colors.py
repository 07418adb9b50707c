"""Colours of known classes by their names, after the usual street palettes."""

from __future__ import annotations

import colorsys

_COLORS: dict[str, tuple[int, int, int]] = {
    "road": (128, 64, 128),
    "road_marking": (220, 220, 220),
    "marking": (220, 220, 220),
    "pavement": (244, 35, 232),
    "sidewalk": (244, 35, 232),
    "building": (70, 70, 70),
    "wall": (102, 102, 156),
    "fence": (190, 153, 153),
    "pole": (153, 153, 153),
    "sign": (220, 220, 0),
    "tree": (107, 142, 35),
    "vegetation": (107, 142, 35),
    "terrain": (152, 251, 152),
    "grass": (152, 251, 152),
    "sky": (70, 130, 180),
    "pedestrian": (220, 20, 60),
    "person": (220, 20, 60),
    "bicyclist": (119, 11, 32),
    "car": (0, 0, 142),
    "vehicle": (0, 0, 142),
}


def class_color(name: str, index: int) -> tuple[int, int, int]:
    """RGB, 0 to 255; a class without a usual colour gets one by its index."""
    if name in _COLORS:
        return _COLORS[name]
    red, green, blue = colorsys.hsv_to_rgb((index * 0.618) % 1.0, 0.65, 0.85)
    return round(red * 255), round(green * 255), round(blue * 255)
