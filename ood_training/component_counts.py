"""How many unknown objects a detector's components hit, before and after the meta classifier."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ood_perception.detection import Detection
from ood_training.grid_labels import grid_labels, unknown_objects
from ood_training.label_values import IGNORE_LABEL

COUNTED = (
    "objects",
    "objects_hit",
    "objects_hit_after_meta",
    "false_positives_kept",
    "false_positives_removed",
    "hits_kept",
    "hits_removed",
)


def no_component_counts() -> dict[str, int]:
    """Nothing counted yet."""
    return dict.fromkeys(COUNTED, 0)


def count_components(
    counts: dict[str, int], detection: Detection, labels: NDArray[np.uint8]
) -> None:
    """Add one frame: on the metrics grid, one common cell makes a hit (section 8.4).

    labels: (H, W) uint8 at the image's size: 254 unknown object, 255 ignored, else known. A
    component that lies wholly on ignored cells counts nowhere.
    """
    assert detection.letterbox is not None
    truth = grid_labels(labels, detection.letterbox, detection.score.shape)
    objects = unknown_objects(truth)
    regions = detection.component_labels
    kept_ids = [component.label for component in detection.components if component.kept]
    counts["objects"] += int(objects.max())
    counts["objects_hit"] += len(np.unique(objects[(objects > 0) & (regions > 0)]))
    kept_pixels = np.isin(regions, kept_ids)
    counts["objects_hit_after_meta"] += len(np.unique(objects[(objects > 0) & kept_pixels]))
    hit_ids = set(np.unique(regions[objects > 0]).tolist())
    inside = set(np.unique(regions[truth != IGNORE_LABEL]).tolist())
    for component in detection.components:
        fate = "kept" if component.kept else "removed"
        if component.label in hit_ids:
            counts[f"hits_{fate}"] += 1
        elif component.label in inside:
            counts[f"false_positives_{fate}"] += 1
