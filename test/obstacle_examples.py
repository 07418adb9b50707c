"""Components, detections and cameras with known geometry, shared by several tests."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from ood_perception.bundle import ContactSpec
from ood_perception.camera import CameraModel, Mounting
from ood_perception.detection import Component, Detection, Reason, Region
from ood_perception.manifest import HealthSpec

WIDTH, HEIGHT = 640, 360
LENSES = {
    "none": [],
    "plumb_bob": [-0.3, 0.1, 0.001, -0.002, -0.01],
    "rational_polynomial": [0.2, 0.1, 0.001, 0.001, 0.01, 0.3, 0.1, 0.02],
    "equidistant": [0.02, 0.003, -0.002, 0.0004],
}


# A bundle that was never calibrated, for detectors that only answer by rote.
UNCALIBRATED_BUNDLE = SimpleNamespace(
    manifest=SimpleNamespace(
        contact=ContactSpec(),
        meta_classifier=None,
        road_classes=(0,),
        health=HealthSpec(),
        score=SimpleNamespace(threshold=0.7),
    )
)


def camera(lens="none", focal_px=576.0):
    matrix = [focal_px, 0, 319.5, 0, focal_px, 179.5, 0, 0, 1]
    return CameraModel.from_camera_info(WIDTH, HEIGHT, matrix, LENSES[lens], lens)


def mounting(**changes):
    return Mounting.from_angles(**{"height_m": 1.4, "pitch_rad": 0.05, **changes})


def pixels(points, model, mount):
    """Pixels (centres on whole numbers) of points (k, 3) in the ground frame."""
    return model.project((np.asarray(points, float) - mount.translation) @ mount.rotation)


def upright_component(
    x_m, y_m, width_m, height_m, model, mount, columns=9, label=1, kept=True, **changes
):
    """The exact picture of an upright board across the ground frame's x axis."""
    left, right = y_m + width_m / 2, y_m - width_m / 2
    base = [[x_m, y, 0.0] for y in np.linspace(left, right, columns)]
    top = [[x_m, y, height_m] for y in np.linspace(left, right, columns)]
    foot, head = pixels(base, model, mount) + 0.5, pixels(top, model, mount) + 0.5
    outline = np.concatenate([foot, head[::-1]])
    low, high = outline.min(axis=0), outline.max(axis=0)
    fields = {
        "label": label,
        "region": Region(*low, *(high - low)),
        "contour": outline.round().astype(np.int32),
        "area_px": float(np.prod(high - low)),
        "obstacle_probability": 0.9 if kept else 0.1,
        "kept": kept,
        "mean_score": 0.8,
        "max_score": 0.95,
        "lower_edge": foot,
        "road_border_share": 0.6,
        "reasons": (Reason("score_mean", 0.8, 1.5), Reason("boundary_road", 0.1, -0.7)),
    }
    return Component(**{**fields, **changes})


def edge_component(lower_edge, **changes):
    """A component of which only the lower edge matters; (k, 2), corner coordinates."""
    edge = np.asarray(lower_edge, float)
    x, y = edge.min(axis=0)
    right, bottom = edge.max(axis=0)
    region = Region(x, y - 20, right - x + 1, bottom - y + 20)
    fields = {
        "label": 1,
        "region": region,
        "contour": np.array([[x, y], [right, y], [right, bottom]], np.int32),
        "area_px": 100.0,
        "obstacle_probability": 0.9,
        "kept": True,
        "mean_score": 0.8,
        "max_score": 0.9,
        "lower_edge": edge,
        "road_border_share": 0.5,
    }
    return Component(**{**fields, **changes})


def detection(components, grid_step=1):
    """A detection of these components: road below the horizon, sky (class 1) above it."""
    height, width = HEIGHT // grid_step, WIDTH // grid_step
    labels = np.zeros((height, width), np.uint8)
    labels[: height // 2] = 1
    score = np.full((height, width), 0.05, np.float32)
    component_labels = np.zeros((height, width), np.int32)
    for component in components:
        x, y, w, h = (round(value / grid_step) for value in component.region)
        inside = np.s_[max(0, y) : y + h, max(0, x) : x + w]
        score[inside], component_labels[inside] = component.mean_score, component.label
    return Detection((HEIGHT, WIDTH), labels, score, component_labels, tuple(components))


def street_image(seed=0):
    """An image with contrast, another one for each seed."""
    return np.random.default_rng(seed).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
