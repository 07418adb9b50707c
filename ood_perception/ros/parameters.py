"""Declares the node's parameters from the table and reads them into settings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import radians
from pathlib import Path
from typing import Any

import yaml
from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    ParameterType,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from ood_perception.camera import Mounting
from ood_perception.camera_pipeline import PipelineSettings
from ood_perception.ego_mask import EgoMask, load_ego_mask
from ood_perception.errors import OodError
from ood_perception.ground_plane import GroundPlaneSettings
from ood_perception.image_health import HealthSettings
from ood_perception.known_regions import KnownObstacleSettings
from ood_perception.relevance import RelevanceSettings
from ood_perception.ros.budgets import BudgetSettings
from ood_perception.ros.package_files import package_file
from ood_perception.ros.parameter_table import NODE_PARAMETERS, Changes, Parameter, parameters_of
from ood_perception.tracking import TrackingSettings

DEFAULTS_FILE = "config/ood_perception.yaml"
_TYPES = {
    bool: ParameterType.PARAMETER_BOOL,
    int: ParameterType.PARAMETER_INTEGER,
    float: ParameterType.PARAMETER_DOUBLE,
    str: ParameterType.PARAMETER_STRING,
    list: ParameterType.PARAMETER_STRING_ARRAY,
}


class ParameterError(OodError):
    """A parameter that cannot be used."""


@dataclass(frozen=True)
class NodeSettings:
    """All parameters, read once in configure. Units stand in the names."""

    bundle: str
    backend: str
    cameras: tuple[str, ...]
    compressed: bool
    image_reliability: str
    max_frame_age_s: float
    image_timeout_s: float
    max_batch: int
    image_conversion: str
    budgets: BudgetSettings
    mounting_source: str
    ground_frame_id: str
    odometry: str
    depth: str
    depth_max_offset_s: float
    overlay_reasons: bool
    pipeline: PipelineSettings
    mountings: dict[str, Mounting]
    ego_masks: dict[str, EgoMask | None]
    rectified: dict[str, str]


def read_defaults(path: Path | None = None) -> dict[str, Any]:
    """The defaults by full name, from the YAML file that comes with the package."""
    path = path or package_file(DEFAULTS_FILE)
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return _flatten(content["/**"]["ros__parameters"])


def declare_parameters(node: Node) -> None:
    """Declares every parameter with its descriptor, those of the named cameras included.

    A value of a wrong type or outside its range, in a file or on the command line, is refused by
    rclpy with an exception of its own (``rclpy.exceptions``); one that is no possible choice
    raises ParameterError.
    """
    defaults = read_defaults()
    cameras_parameter = next(p for p in NODE_PARAMETERS if p.name == "cameras")
    cameras = _declare(node, cameras_parameter, defaults["cameras"])
    declare_camera_parameters(node, list(cameras), defaults)


def declare_camera_parameters(
    node: Node, cameras: list[str], defaults: dict[str, Any] | None = None
) -> None:
    """Declares what is not declared yet; called again when ``cameras`` was changed."""
    defaults = defaults or read_defaults()
    for parameter, default_name in parameters_of(cameras):
        if not node.has_parameter(parameter.name):
            _declare(node, parameter, defaults[default_name])


def read_settings(node: Node) -> NodeSettings:
    """The settings of this moment. Raises ParameterError with one line on an impossible value."""
    cameras = list(node.get_parameter("cameras").value)
    for camera in cameras:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", camera) or cameras.count(camera) > 1:
            raise ParameterError(
                f"cameras: {camera!r} cannot name a camera: use letters, digits and underscores, "
                "each name once"
            )
    declare_camera_parameters(node, cameras)
    value: dict[str, Any] = {}
    for parameter, _ in parameters_of(cameras):
        value[parameter.name] = node.get_parameter(parameter.name).value
        fault = parameter.fault(value[parameter.name])
        if fault:
            raise ParameterError(fault)
    return NodeSettings(
        bundle=value["bundle"],
        backend=value["backend"],
        cameras=tuple(cameras),
        compressed=value["compressed"],
        image_reliability=value["image_reliability"],
        max_frame_age_s=value["max_frame_age_s"],
        image_timeout_s=value["image_timeout_s"],
        max_batch=value["max_batch"],
        image_conversion=value["image_conversion"],
        budgets=BudgetSettings(**_group(value, "budgets.")),
        mounting_source=value["mounting_source"],
        ground_frame_id=value["ground_frame_id"],
        odometry=value["odometry"],
        depth=value["depth"],
        depth_max_offset_s=value["depth_max_offset_s"],
        overlay_reasons=value["overlay_reasons"],
        pipeline=_pipeline_settings(value),
        mountings={camera: _mounting(value, camera) for camera in cameras},
        ego_masks={camera: _ego_mask(value[f"{camera}.ego_mask"]) for camera in cameras},
        rectified={camera: value[f"{camera}.rectified"] for camera in cameras},
    )


def changes_refused(node: Node, changes: list[RosParameter]) -> SetParametersResult:
    """Answers a request to set parameters: only while unconfigured, and only usable values."""
    state = node.current_state_label  # type: ignore[attr-defined]
    known = {p.name: p for p, _ in parameters_of(list(node.get_parameter("cameras").value))}
    for change in changes:
        parameter = known.get(change.name)
        if parameter is None or not node.has_parameter(change.name):
            continue
        if state != "unconfigured":
            reason = f"{change.name} can be set {parameter.changes.value}, not while {state}"
            return SetParametersResult(successful=False, reason=reason)
        fault = parameter.fault(change.value)
        if fault:
            return SetParametersResult(successful=False, reason=fault)
    return SetParametersResult(successful=True)


def describe(parameter: Parameter) -> ParameterDescriptor:
    """What ``ros2 param describe`` shows."""
    descriptor = ParameterDescriptor(
        name=parameter.name,
        type=_TYPES[parameter.kind],
        description=parameter.description,
        additional_constraints=f"one of {', '.join(parameter.choices)}"
        if parameter.choices
        else "",
        read_only=parameter.changes is Changes.NEVER,
    )
    if parameter.range and parameter.kind is int:
        least, greatest = parameter.range
        descriptor.integer_range = [
            IntegerRange(from_value=int(least), to_value=int(greatest), step=0)
        ]
    elif parameter.range:
        least, greatest = parameter.range
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=float(least), to_value=float(greatest), step=0.0)
        ]
    return descriptor


def _declare(node: Node, parameter: Parameter, default: Any) -> Any:
    if default != []:
        value = node.declare_parameter(parameter.name, default, describe(parameter)).value
        fault = parameter.fault(value)
        if fault:
            raise ParameterError(fault)
        return value
    # rclpy takes an empty list for one of bytes, and ROS reads `[]` in a file as "not set".
    strings = RosParameter.Type.STRING_ARRAY
    declared = node.declare_parameter(parameter.name, strings, describe(parameter))
    if declared.value is None:
        node.set_parameters([RosParameter(parameter.name, strings, [])])
    return node.get_parameter(parameter.name).value


def _flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, entry in tree.items():
        if isinstance(entry, dict):
            flat |= _flatten(entry, f"{prefix}{name}.")
        else:
            flat[prefix + name] = entry
    return flat


def _group(value: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {k[len(prefix) :]: v for k, v in value.items() if k.startswith(prefix)}


def _pipeline_settings(value: dict[str, Any]) -> PipelineSettings:
    relevance = _group(value, "relevance.")
    relevance["corridor_half_width_m"] = relevance["corridor_half_width_m"] or None
    health = _group(value, "health.")
    health["max_anomalous_share"] = health["max_anomalous_share"] or None
    return PipelineSettings(
        health=HealthSettings(**health),
        ground_plane=GroundPlaneSettings(**_group(value, "ground_plane.")),
        tracking=TrackingSettings(**_group(value, "tracking.")),
        relevance=RelevanceSettings(**relevance),
        known_obstacles=KnownObstacleSettings(
            classes=tuple(value["known_obstacle_classes"]), **_group(value, "known_obstacles.")
        ),
    )


def _ego_mask(path: str) -> EgoMask | None:
    return load_ego_mask(path) if path else None


def _mounting(value: dict[str, Any], camera: str) -> Mounting:
    given = _group(value, f"{camera}.mounting.")
    angles = {f"{n}_rad": radians(given.pop(f"{n}_deg")) for n in ("pitch", "roll", "yaw")}
    return Mounting.from_angles(**given, **angles)
