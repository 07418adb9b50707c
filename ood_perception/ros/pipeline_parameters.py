"""The parameters of what comes after the image: health, place, tracking, relevance."""

from __future__ import annotations

from ood_perception.ros.parameter_definition import Parameter

PIPELINE_PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "health.min_bright_level",
        float,
        "Grey level that an image's brightest hundredth must reach, 0..255.",
        range=(0.0, 255.0),
    ),
    Parameter(
        "health.max_saturated_share",
        float,
        "Share of saturated pixels from which on a camera counts as blinded.",
        range=(0.0, 1.0),
    ),
    Parameter(
        "health.min_contrast",
        float,
        "Standard deviation that an image's grey levels must have, 0..127.",
        range=(0.0, 127.0),
    ),
    Parameter(
        "health.min_level_range",
        float,
        "Grey levels between an image's darkest and brightest hundredth; fewer are fog.",
        range=(0.0, 255.0),
    ),
    Parameter(
        "health.max_edge_width_share",
        float,
        "Width of the sharpest edges, share of the image's width, from which on it is blurred.",
        range=(0.0, 1.0),
    ),
    Parameter(
        "health.max_flat_share",
        float,
        "Share of an image that may show nothing at all; more is a covered lens.",
        range=(0.0, 1.0),
    ),
    Parameter(
        "health.max_anomalous_share",
        float,
        "Share of an image that the model may not know; 0: as the model's manifest says.",
        range=(0.0, 1.0),
    ),
    Parameter(
        "health.frozen_frames",
        int,
        "So many identical images in a row are a frozen camera; 0: no such check, of either kind.",
        range=(0, 100000),
    ),
    Parameter(
        "health.frozen_s",
        float,
        "Identical images over so many seconds are one too; 0: their number alone tells.",
        range=(0.0, 3600.0),
    ),
    Parameter(
        "ground_plane.max_range_m",
        float,
        "Obstacles farther away get no place, metres.",
        range=(1.0, 1000.0),
    ),
    Parameter(
        "ground_plane.horizon_margin_deg",
        float,
        "What stands so far above the horizon stands on no road, degrees; 90: nothing does.",
        range=(0.0, 90.0),
    ),
    Parameter(
        "ground_plane.contact_offset_px",
        float,
        "How far components reach below an obstacle's true foot, image pixels.",
        range=(-100.0, 100.0),
    ),
    Parameter(
        "ground_plane.footprint_depth_m",
        float,
        "Assumed depth of an obstacle, metres.",
        range=(0.05, 20.0),
    ),
    Parameter(
        "tracking.confirm_hits",
        int,
        "An obstacle is confirmed when seen in so many of the last confirm_window images.",
        range=(1, 100),
    ),
    Parameter("tracking.confirm_window", int, "Images in which hits are counted.", range=(1, 100)),
    Parameter(
        "tracking.confirm_evidence",
        float,
        "What the meta classifier must say for it in them, log-odds above its decision.",
        range=(0.0, 1000.0),
    ),
    Parameter(
        "tracking.max_misses",
        int,
        "An obstacle is forgotten after more than so many images without it.",
        range=(0, 1000),
    ),
    Parameter(
        "tracking.hold_s",
        float,
        "A confirmed obstacle is held for at least so long without a sight of it, seconds.",
        range=(0.0, 60.0),
    ),
    Parameter(
        "tracking.weak_hold_s",
        float,
        "The same while only what the meta classifier drops is seen there, seconds.",
        range=(0.0, 60.0),
    ),
    Parameter(
        "tracking.hidden_hold_s",
        float,
        "The same under the image's lower edge, where no odometry is given, seconds.",
        range=(0.0, 600.0),
    ),
    Parameter(
        "tracking.bumper_x_m",
        float,
        "The vehicle's front in the ground frame: what is hidden is held up to there, metres.",
        range=(-20.0, 50.0),
    ),
    Parameter(
        "tracking.acceleration_m_s2",
        float,
        "How fast the smoothed range follows a change of speed that no odometry tells of.",
        range=(0.01, 100.0),
    ),
    Parameter(
        "tracking.max_gap_s",
        float,
        "All obstacles are forgotten when no image came for so long, seconds.",
        range=(0.01, 3600.0),
    ),
    Parameter(
        "relevance.min_road_border_share",
        float,
        "Share of road around an obstacle from which on it matters to driving.",
        range=(0.0, 1.0),
    ),
    Parameter(
        "relevance.min_road_foot_share",
        float,
        "Share of an obstacle's lower edge before which road lies, from which on it matters too.",
        range=(0.0, 1.0),
    ),
    Parameter(
        "relevance.corridor_half_width_m",
        float,
        "Only obstacles this near to the vehicle's x axis matter, metres; 0: no corridor.",
        range=(0.0, 100.0),
    ),
    Parameter(
        "known_obstacle_classes",
        list,
        "Classes of the model whose regions belong in the obstacle cloud too; none: unknown only.",
        may_be_empty=True,
    ),
    Parameter(
        "known_obstacles.min_area_px",
        float,
        "Smaller regions of those classes are left out, square pixels of the camera image.",
        range=(0.0, 1e6),
    ),
    Parameter(
        "known_obstacles.strip_width_px",
        float,
        "Those regions are placed in upright strips of at most this width, image pixels.",
        range=(1.0, 10000.0),
    ),
)
"""They become ``camera_pipeline.PipelineSettings``; their names are its fields."""
