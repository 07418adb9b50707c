"""What a depth camera or a scanner measures of simple scenes, and objects of any shape in them."""

from __future__ import annotations

import cv2
import numpy as np
from obstacle_examples import HEIGHT, WIDTH, pixels, upright_component

from ood_perception.detection import Region

SHAPES = ("triangle", "disc", "L")


def optical(points, mount):
    """(n, 3) points of the ground frame in the camera's optical frame."""
    return (points - mount.translation) @ mount.rotation


def board_points(x_m, y_m, base_m=0.0, width_m=0.6, height_m=0.5):
    """Points on an upright board and on the ground before it, ground frame."""
    y, z = np.meshgrid(np.linspace(-width_m / 2, width_m / 2, 13), np.linspace(0, height_m, 11))
    board = np.column_stack([np.full(y.size, x_m), y.ravel() + y_m, z.ravel() + base_m])
    gx, gy = np.meshgrid(np.linspace(3, x_m, 60), np.linspace(-2, 2, 41))
    return np.concatenate([board, np.column_stack([gx.ravel(), gy.ravel(), np.zeros(gx.size)])])


def depth_image(model, mount, x_m, scale=1, ground_m=0.0):
    """Depth along the optical axis of a flat ground and a wide wall across it, (H, W) metres.

    ground_m: the ground's height; below 0 it lies lower than the plane.
    """
    width, height = WIDTH // scale, HEIGHT // scale
    rows, columns = np.mgrid[0:height, 0:width]
    points = (np.column_stack([columns.ravel(), rows.ravel()]) + 0.5) * scale - 0.5
    directions = model.rays(points) @ mount.rotation.T
    above_m = mount.translation[2] - ground_m
    with np.errstate(divide="ignore"):
        ground = np.where(directions[:, 2] < 0, -above_m / directions[:, 2], np.inf)
    return np.minimum(ground, x_m / directions[:, 0]).reshape(height, width)


def outline_m(shape, width_m, height_m):
    """(k, 2) corners, left of the middle and up, of an upright shape that stands on the ground."""
    if shape == "triangle":
        corners = [(-0.5, 0.0), (0.5, 0.0), (0.0, 1.0)]
    elif shape == "L":
        corners = [(-0.5, 0.0), (0.5, 0.0), (0.5, 0.15), (-0.3, 0.15), (-0.3, 1.0), (-0.5, 1.0)]
    else:
        turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
        corners = np.column_stack([np.cos(turn) / 2, 0.5 + np.sin(turn) / 2])
    return np.asarray(corners) * [width_m, height_m]


def shaped_component(shape, x_m, width_m, height_m, model, mount, foot_m=0.0):
    """An upright shape at a distance as a component, and the (H, W) bool pixels that show it."""
    corners = outline_m(shape, width_m, height_m)
    points = np.column_stack([np.full(len(corners), x_m), corners[:, 0], corners[:, 1] + foot_m])
    contour = (pixels(points, model, mount) + 0.5).round().astype(np.int32)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(mask, [contour], 1)
    rows, columns = np.nonzero(mask)
    region = Region(columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
    lowest = [[column + 0.5, rows[columns == column].max() + 1.0] for column in np.unique(columns)]
    component = upright_component(
        x_m,
        0.0,
        width_m,
        height_m,
        model,
        mount,
        region=region,
        contour=contour,
        lower_edge=np.array(lowest),
    )
    return component, mask > 0
