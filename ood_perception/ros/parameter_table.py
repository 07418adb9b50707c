"""Every parameter of the node: type, range, description, and when it may change.

Defaults are not here: they stand in config/ood_perception.yaml, and a test keeps both in step.
"""

from __future__ import annotations

from collections.abc import Iterator

from ood_perception.ros.parameter_definition import Changes, Parameter
from ood_perception.ros.pipeline_parameters import PIPELINE_PARAMETERS

__all__ = [
    "CAMERA_PARAMETERS",
    "DEFAULT_CAMERA",
    "NODE_PARAMETERS",
    "Changes",
    "Parameter",
    "parameters_of",
]

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
        "max_batch",
        int,
        "Images of several cameras in one call; 0: all cameras' where a GPU runs the model.",
        range=(0, 64),
    ),
    Parameter(
        "image_conversion",
        str,
        "auto takes cv_bridge where it is installed; both give the same pixels.",
        choices=("auto", "own"),
    ),
    Parameter(
        "budgets.latency_s",
        float,
        "99th percentile from stamp to publication that is not to be exceeded, seconds; 0: none.",
        range=(0.0, 3600.0),
    ),
    Parameter(
        "budgets.rate_hz",
        float,
        "So many images a second are to be processed of each camera; 0: no budget.",
        range=(0.0, 1000.0),
    ),
    Parameter(
        "budgets.dropped_share",
        float,
        "Share of the received images that may stay unprocessed; 1: no budget.",
        range=(0.0, 1.0),
    ),
    Parameter(
        "budgets.error_after_s",
        float,
        "Over budget is a warning, and an error when it lasts for so long, seconds.",
        range=(0.0, 3600.0),
    ),
    Parameter(
        "mounting_source",
        str,
        "Where the cameras' place on the vehicle comes from.",
        choices=("none", "parameters", "tf"),
    ),
    Parameter(
        "odometry",
        str,
        "Type of ~/odometry, which holds hidden obstacles in place as the vehicle moves.",
        choices=("none", "twist", "odometry"),
    ),
    Parameter(
        "depth",
        str,
        "Distances that place obstacles: ~/NAME/depth (image), ~/NAME/points (points), or none.",
        choices=("none", "image", "points"),
    ),
    Parameter(
        "depth_max_offset_s",
        float,
        "Between the stamps of an image and of the distances that belong to it, seconds at most.",
        range=(0.0, 1.0),
    ),
    Parameter("ground_frame_id", str, "Frame of positions and points: z = 0 is the ground."),
    Parameter("overlay_reasons", bool, "Write into the overlay, in words, what decided the most."),
    *PIPELINE_PARAMETERS,
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
    Parameter("ego_mask", str, "Picture file, white where the own vehicle is seen; empty: none."),
    Parameter(
        "rectified",
        str,
        "Whether images are rectified already; auto: where their topic's name says _rect.",
        choices=("auto", "yes", "no"),
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
