"""Every parameter of the node: type, range, description, and when it may change.

Defaults are not here: they stand in config/ood_perception.yaml, and a test keeps both in step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

Value = bool | int | float | str | list[str]


class Changes(Enum):
    """When a parameter may be set."""

    NEVER = "at start-up only"
    UNCONFIGURED = "while the node is unconfigured"


@dataclass(frozen=True)
class Parameter:
    """One parameter. ``range``: least and greatest value. ``choices``: the only texts allowed.
    ``may_be_empty``: whether a list may name nothing."""

    name: str
    kind: type
    description: str
    range: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    changes: Changes = Changes.UNCONFIGURED
    may_be_empty: bool = False

    def fault(self, value: Value) -> str | None:
        """Why a value of the right type cannot be used, or None."""
        if self.choices and value not in self.choices:
            return f"{self.name} is {value!r}: choose one of {', '.join(self.choices)}"
        if self.range and isinstance(value, int | float):
            least, greatest = self.range
            if not least <= value <= greatest:  # written so that not-a-number fails too
                return f"{self.name} is {value}: must lie in [{least:g}, {greatest:g}]"
        if self.kind is list and not value and not self.may_be_empty:
            return f"{self.name} is empty: name at least one"
        return None


NODE_PARAMETERS: tuple[Parameter, ...] = (
    Parameter("bundle", str, "Folder of the model, or its name in the package's models/."),
    Parameter("backend", str, "onnxruntime, tensorrt:fp16, ...; after a comma what may stand in."),
    Parameter(
        "autostart",
        bool,
        "Configure and activate at start-up, so that no lifecycle manager is needed.",
        changes=Changes.NEVER,
    ),
    Parameter("cameras", list, "Names of the cameras; each gives the topics ~/NAME/..."),
    Parameter("compressed", bool, "Subscribe ~/NAME/image/compressed instead of ~/NAME/image."),
    Parameter(
        "image_reliability",
        str,
        "Reliability of the image subscriptions; auto takes what the publisher offers.",
        choices=("auto", "reliable", "best_effort"),
    ),
    Parameter(
        "max_frame_age_s",
        float,
        "Images older than this by the node's clock are dropped and counted, seconds; 0: no limit.",
        range=(0.0, 3600.0),
    ),
    Parameter(
        "image_timeout_s",
        float,
        "Without an image for so long a camera counts as silent, seconds.",
        range=(0.05, 60.0),
    ),
    Parameter(
        "mounting_source",
        str,
        "Where the cameras' place on the vehicle comes from.",
        choices=("none", "parameters", "tf"),
    ),
    Parameter("ground_frame_id", str, "Frame of positions and points: z = 0 is the ground."),
    Parameter("overlay_reasons", bool, "Write into the overlay, in words, what decided the most."),
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
        "health.frozen_frames",
        int,
        "So many identical images in a row are a frozen camera; 0: not checked.",
        range=(0, 100000),
    ),
    Parameter(
        "ground_plane.max_range_m",
        float,
        "Obstacles farther away get no place, metres.",
        range=(1.0, 1000.0),
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
        "tracking.max_misses",
        int,
        "An obstacle is forgotten after more than so many images without it.",
        range=(0, 1000),
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

CAMERA_PARAMETERS: tuple[Parameter, ...] = (
    Parameter("mounting.height_m", float, "Height above the ground, metres.", range=(0.05, 20.0)),
    Parameter(
        "mounting.pitch_deg", float, "Pitch, degrees; positive looks down.", range=(-80.0, 80.0)
    ),
    Parameter(
        "mounting.roll_deg", float, "Roll, degrees; positive leans right.", range=(-180.0, 180.0)
    ),
    Parameter(
        "mounting.yaw_deg", float, "Yaw, degrees; positive looks left.", range=(-180.0, 180.0)
    ),
    Parameter(
        "mounting.x_m", float, "Forward of the ground frame's origin, metres.", range=(-50.0, 50.0)
    ),
    Parameter(
        "mounting.y_m", float, "Left of the ground frame's origin, metres.", range=(-50.0, 50.0)
    ),
    Parameter(
        "mounting.height_stddev_m",
        float,
        "Standard deviation of the height above the ground, metres.",
        range=(0.0, 5.0),
    ),
    Parameter(
        "mounting.pitch_stddev_rad",
        float,
        "Standard deviation of the pitch, nodding included, radians.",
        range=(0.0, 0.5),
    ),
)
"""Parameters that every camera has, as NAME.mounting.height_m and so on."""

DEFAULT_CAMERA = "camera"
"""The camera whose block in the YAML file holds the defaults of all cameras."""


def parameters_of(cameras: list[str]) -> Iterator[tuple[Parameter, str]]:
    """Each parameter for these cameras, and the name under which its default stands."""
    for parameter in NODE_PARAMETERS:
        yield parameter, parameter.name
    for camera in cameras:
        for entry in CAMERA_PARAMETERS:
            named = Parameter(
                f"{camera}.{entry.name}",
                entry.kind,
                f"Camera {camera}: {entry.description}",
                entry.range,
                entry.choices,
                entry.changes,
            )
            yield named, f"{DEFAULT_CAMERA}.{entry.name}"
