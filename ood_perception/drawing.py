"""Pictures for people: class colours, anomaly score, and what was decided about each component."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ood_perception.annotation_canvas import DARK, AnnotationCanvas, Colour, Picture
from ood_perception.detection import Component, Detection, Reason
from ood_perception.metric_words import metric_value_words, metric_words
from ood_perception.scene import Obstacle, Scene, Status

# Blue, green, red.
CONFIRMED: Colour = (48, 48, 255)
UNCONFIRMED: Colour = (0, 176, 255)
IRRELEVANT: Colour = (255, 190, 80)
REJECTED: Colour = (175, 175, 175)
_STATUS_COLOURS: dict[Status, Colour] = {
    Status.OK: (60, 140, 40),
    Status.NO_CAMERA_INFO: (0, 120, 200),
    Status.NO_TRANSFORM: (0, 120, 200),
    Status.DEGRADED: (40, 40, 190),
}
_CLASS_ALPHA = 0.38
_HEAT_ALPHA = 0.75
_REJECTED_HEAT_ALPHA = 0.35
_MAX_REJECTED_LABELS = 5
# Reasons are small letters: they need a picture of at least so many rows for one, or two, of them.
# Those of farther obstacles would lie between the nearer ones.
_ROWS_FOR_ONE_REASON, _ROWS_FOR_TWO_REASONS = 320, 480
_MAX_REASONED = 4


def colour_labels(
    labels: NDArray[np.uint8], colours: ArrayLike, size: tuple[int, int] | None = None
) -> Picture:
    """Class ids in their colours.

    labels: (h, w) uint8. colours: (C, 3) uint8 BGR, row = class id; other ids become black.
    size: (height, width) of the picture, nearest pixels; None for that of the labels.
    Returns (H, W, 3) uint8 BGR.
    """
    table = np.zeros((256, 3), dtype=np.uint8)
    palette = np.asarray(colours, dtype=np.uint8).reshape(-1, 3)
    table[: len(palette)] = palette
    return table[_resize(labels, size, cv2.INTER_NEAREST)]


def colour_score(score: NDArray[np.float32], size: tuple[int, int] | None = None) -> Picture:
    """Anomaly score from black (0) over red to bright yellow (1).

    score: (h, w) float32 in [0, 1]. size: (height, width) of the picture, bilinear; None for that
    of the score. Returns (H, W, 3) uint8 BGR.
    """
    level = np.nan_to_num(_resize(score, size, cv2.INTER_LINEAR)).clip(0, 1)
    return _colour_map((level * 255).astype(np.uint8))


def draw_overlay(
    image: Picture,
    seen: Scene | Detection,
    colours: ArrayLike,
    class_names: Sequence[str] = (),
    reasons: bool = True,
) -> Picture:
    """One picture that tells what was seen and decided.

    Translucent class colours; the score as heat inside components; kept obstacles with a thick
    outline (red: confirmed and relevant, amber: not yet confirmed, blue: not relevant), number,
    probability and distance with its standard deviation; rejected ones thin and grey, the largest
    with the reason that spoke most against them; a banner with the status.

    With reasons, the nearest obstacles also say in words which one or two metrics decided most:
    after a plus what spoke for an obstacle, after a minus what spoke against it. Left out where the
    picture is too low to read them or they find no free place.

    image: (H, W, 3) uint8 BGR, not changed. colours: (C, 3) uint8 BGR. class_names: by class id,
    for the reasons. Returns (H, W, 3) uint8 BGR.
    """
    detection = seen.detection if isinstance(seen, Scene) else seen
    canvas = AnnotationCanvas(_tint(image, detection, colours))
    for component in detection.rejected:
        canvas.outline(component, REJECTED, thick=False)
    marks = _marks(seen)
    for component, colour, _ in marks:
        canvas.outline(component, colour, thick=True)
        canvas.keep_clear(component)
    canvas.banner(_banner_text(seen), _banner_colour(seen))
    # Nearest (lowest) first: where labels crowd, the farther ones make room.
    shown = _shown_reasons(image.shape[0]) if reasons else 0
    for place, (component, colour, text) in enumerate(sorted(marks, key=lambda m: -_bottom(m[0]))):
        reasoned = component.reasons[: shown if place < _MAX_REASONED else 0]
        details = [_reason_text(reason, class_names) for reason in reasoned]
        canvas.label(component, text, colour, details=details)
    largest = sorted(detection.rejected, key=lambda c: -c.area_px)[:_MAX_REJECTED_LABELS]
    for component in largest:
        text = _rejected_text(component, class_names, shown > 0)
        canvas.label(component, text, REJECTED, small=True)
    return canvas.picture


def _tint(image: Picture, detection: Detection, colours: ArrayLike) -> Picture:
    """The image under class colours, and under the score's heat where components are."""
    size = (image.shape[0], image.shape[1])
    classes = colour_labels(
        _on_image(detection.labels, detection, cv2.INTER_NEAREST), colours, size
    )
    tinted = cv2.addWeighted(image, 1 - _CLASS_ALPHA, classes, _CLASS_ALPHA, 0)
    if detection.components:
        strength = np.zeros(len(detection.components) + 1, dtype=np.float32)
        for component in detection.components:
            strength[component.label] = _HEAT_ALPHA if component.kept else _REJECTED_HEAT_ALPHA
        share = strength[detection.component_labels] * detection.score
        share = _resize(_on_image(share, detection, cv2.INTER_LINEAR), size, cv2.INTER_LINEAR)
        rows, columns = np.nonzero(share > 0.02)
        heat = colour_score(_on_image(detection.score, detection, cv2.INTER_LINEAR), size)
        weight = share[rows, columns][:, None].clip(0, 1)
        mixed = tinted[rows, columns] * (1 - weight) + heat[rows, columns] * weight
        tinted[rows, columns] = mixed.astype(np.uint8)
    return np.asarray(tinted, dtype=np.uint8)


def _marks(seen: Scene | Detection) -> list[tuple[Component, Colour, str]]:
    """Outline colour and text of every kept component."""
    if isinstance(seen, Detection):
        return [(c, CONFIRMED, f"{c.obstacle_probability:.0%}") for c in seen.kept]
    return [(o.component, _obstacle_colour(o), _obstacle_text(o)) for o in seen.obstacles]


def _obstacle_colour(obstacle: Obstacle) -> Colour:
    if not obstacle.relevant:
        return IRRELEVANT
    return CONFIRMED if obstacle.confirmed else UNCONFIRMED


def _obstacle_text(obstacle: Obstacle) -> str:
    text = f"#{obstacle.track_id}  {obstacle.component.obstacle_probability:.0%}"
    spot = obstacle.placement
    if spot is None:
        return text
    bound = "<" if spot.truncated else ""
    # OpenCV's stroke fonts know ASCII only.
    return f"{text}  {bound}{spot.distance_m:.1f} +-{spot.distance_stddev_m:.1f} m"


def _rejected_text(component: Component, class_names: Sequence[str], reasons: bool) -> str:
    text = f"{component.obstacle_probability:.0%}"
    against = [reason for reason in component.reasons if reason.contribution < 0]
    if reasons and against:
        worst = min(against, key=lambda reason: reason.contribution)
        text += f"  {_reason_text(worst, class_names)}"
    return text


def _shown_reasons(rows: int) -> int:
    return int(rows >= _ROWS_FOR_ONE_REASON) + int(rows >= _ROWS_FOR_TWO_REASONS)


def _reason_text(reason: Reason, class_names: Sequence[str]) -> str:
    """What a metric was, in words, after the sign of its part in the decision."""
    sign = "+" if reason.contribution > 0 else "-"
    value = metric_value_words(reason.metric, reason.value)
    return f"{sign} {metric_words(reason.metric, class_names)} {value}"


def _banner_text(seen: Scene | Detection) -> str:
    if isinstance(seen, Detection):
        return f"{len(seen.kept)} kept   {len(seen.rejected)} rejected"
    relevant = [o for o in seen.obstacles if o.relevant]
    confirmed = sum(o.confirmed for o in relevant)
    text = f"{seen.status.name.replace('_', ' ')}   {confirmed} confirmed on the road"
    if len(relevant) > confirmed:
        text += f"   {len(relevant) - confirmed} new"
    off = len(seen.obstacles) - len(relevant)
    if off:
        text += f"   {off} elsewhere"
    if seen.unplaced:
        text += f"   {seen.unplaced} WITHOUT A PLACE"
    return f"{text}   {len(seen.rejected)} rejected"


def _banner_colour(seen: Scene | Detection) -> Colour:
    return _STATUS_COLOURS[seen.status] if isinstance(seen, Scene) else DARK


def _bottom(component: Component) -> int:
    return component.region.y + component.region.height


def _on_image(grid_map: NDArray[Any], detection: Detection, how: int) -> NDArray[Any]:
    """A map of the metrics grid where it lies in the camera image."""
    if detection.letterbox is None:
        return grid_map
    return detection.letterbox.to_image(grid_map, how)


def _resize(array: NDArray[Any], size: tuple[int, int] | None, how: int) -> NDArray[Any]:
    if size is None or array.shape[:2] == size:
        return array
    return np.asarray(cv2.resize(array, (size[1], size[0]), interpolation=how))


def _colour_map(level: NDArray[np.uint8]) -> Picture:
    return np.asarray(cv2.applyColorMap(level, cv2.COLORMAP_INFERNO), dtype=np.uint8)
