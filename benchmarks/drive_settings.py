"""The pipeline's settings of a benchmark's drive."""

from __future__ import annotations

import argparse

from ood_perception.camera_pipeline import PipelineSettings
from ood_perception.ground_plane import GroundPlaneSettings

DEFAULT_RANGE_M = GroundPlaneSettings().max_range_m


def add_range_option(parser: argparse.ArgumentParser) -> None:
    """``--max-range-m``, of which ``settings_to`` makes settings."""
    parser.add_argument(
        "--max-range-m",
        type=float,
        default=DEFAULT_RANGE_M,
        metavar="M",
        help="obstacles farther than this have no place (default: %(default)s)",
    )


def settings_to(max_range_m: float) -> PipelineSettings:
    """The node's defaults, but obstacles farther than this, metres, have no place."""
    return PipelineSettings(ground_plane=GroundPlaneSettings(max_range_m=max_range_m))
