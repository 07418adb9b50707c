"""The pipeline's settings of a benchmark's drive."""

from __future__ import annotations

from ood_perception.camera_pipeline import PipelineSettings
from ood_perception.ground_plane import GroundPlaneSettings

DEFAULT_RANGE_M = GroundPlaneSettings().max_range_m


def settings_to(max_range_m: float) -> PipelineSettings:
    """The node's defaults, but obstacles farther than this, metres, have no place."""
    return PipelineSettings(ground_plane=GroundPlaneSettings(max_range_m=max_range_m))
