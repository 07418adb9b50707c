"""The ROS package: its messages, and that package.xml, CMake and the sources say the same."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import math
import os
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import ood_perception
from ood_perception.scene import Status

ROOT = Path(__file__).resolve().parent.parent
CMAKE = re.sub(r"#.*", "", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8"))
PACKAGE = ElementTree.parse(ROOT / "package.xml").getroot()
MESSAGE_FILES = sorted((ROOT / "msg").glob("*.msg"))

ARRAY_FIELDS = {
    "header": "std_msgs/Header",
    "ground_frame_id": "string",
    "image_width": "uint32",
    "image_height": "uint32",
    "model_id": "string",
    "threshold": "float",
    "status": "uint8",
    "latency": "builtin_interfaces/Duration",
    "dropped_frames": "uint64",
    "components": "sequence<ood_detection/ObstacleComponent>",
}
COMPONENT_FIELDS = {
    "id": "uint32",
    "region_of_interest": "sensor_msgs/RegionOfInterest",
    "contour": "geometry_msgs/Polygon",
    "area_px": "float",
    "obstacle_probability": "float",
    "mean_score": "float",
    "max_score": "float",
    "has_position": "boolean",
    "range_source": "uint8",
    "position": "geometry_msgs/Point",
    "truncated": "boolean",
    "distance_m": "float",
    "distance_stddev_m": "float",
    "lateral_stddev_m": "float",
    "width_m": "float",
    "height_m": "float",
    "footprint": "geometry_msgs/Polygon",
    "road_border_share": "float",
    "confirmed": "boolean",
    "relevant": "boolean",
    "held": "boolean",
    "hidden": "boolean",
    "unseen_s": "float",
    "velocity": "geometry_msgs/Vector3",
    "reason_metrics": "sequence<string>",
    "reason_values": "sequence<float>",
    "reason_contributions": "sequence<float>",
}


def cmake_call(name: str) -> list[list[str]]:
    """The arguments of each call of a CMake command."""
    calls = re.findall(rf"\b{name}\(([^)]*)\)", CMAKE)
    return [[word.strip('"') for word in call.split()] for call in calls]


def dependencies(*kinds: str) -> set[str]:
    return {element.text or "" for kind in kinds for element in PACKAGE.findall(kind)}


def documented_fields(path: Path) -> dict[str, str]:
    """Field or constant -> the comment above its block and behind it."""
    found: dict[str, str] = {}
    block = ""
    previous_was_comment = False
    for line in path.read_text(encoding="utf-8").splitlines():
        declaration, _, comment = (part.strip() for part in line.partition("#"))
        if not declaration:
            continues = previous_was_comment and comment
            block = f"{block} {comment}" if continues else comment
            previous_was_comment = bool(comment)
            continue
        previous_was_comment = False
        name = declaration.split()[1].partition("=")[0]
        found[name] = f"{block} {comment}".strip()
    return found


def test_every_message_file_is_built():
    built = {word for word in cmake_call("rosidl_generate_interfaces")[0] if word.endswith(".msg")}
    assert built == {str(path.relative_to(ROOT)) for path in MESSAGE_FILES}


def test_package_xml_and_cmake_name_the_packages_that_the_messages_are_made_of():
    used = {
        package
        for path in MESSAGE_FILES
        for package in re.findall(r"^(\w+)/\w+", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    arguments = cmake_call("rosidl_generate_interfaces")[0]
    assert set(arguments[arguments.index("DEPENDENCIES") + 1 :]) == used
    assert dependencies("depend") == used


def test_package_xml_names_what_cmake_looks_for():
    looked_for = {call[0] for call in cmake_call("find_package")} - {"Python3"}
    assert looked_for == dependencies("buildtool_depend", "depend") | {"ament_cmake_pytest"}
    assert "ament_cmake_pytest" in dependencies("test_depend")


def test_package_xml_names_the_ros_packages_that_the_node_imports():
    """A module that package.xml does not name is missing on a machine set up with rosdep."""
    names = {
        name.partition(".")[0]
        for path in (ROOT / "ood_perception/ros").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in imported_names(node)
    }
    ros = {name for name in names if name == "rclpy" or name.endswith(("_msgs", "_interfaces"))}
    assert "rclpy" in ros
    assert ros <= dependencies("depend", "exec_depend")


def imported_names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def test_version_and_licence_are_the_same_everywhere():
    assert PACKAGE.findtext("version") == ood_perception.__version__
    assert PACKAGE.findtext("license") == "Apache-2.0"
    assert 'license = { text = "Apache-2.0" }' in (ROOT / "pyproject.toml").read_text("utf-8")
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")


def test_the_maintainer_is_the_project_and_no_person():
    (maintainer,) = PACKAGE.findall("maintainer")
    assert maintainer.text == f"{PACKAGE.findtext('name')} project"
    address = maintainer.get("email") or ""
    assert re.fullmatch(r"[\w.-]+@example\.org", address), "reserved: no stranger gets our mail"


def test_every_executable_has_a_module_with_main():
    pairs = [word.split(":") for call in cmake_call("foreach") for word in call if ":" in word]
    assert ["ood_perception_node", "node"] in pairs
    for executable, module in pairs:
        tree = ast.parse((ROOT / f"ood_perception/ros/{module}.py").read_text(encoding="utf-8"))
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert "main" in functions, f"{executable} runs {module}.main, which is not there"


def test_installed_folders_hold_launch_files_configuration_and_models():
    folders = {word for call in cmake_call("install") if call[0] == "DIRECTORY" for word in call}
    views = {path.relative_to(ROOT).parts[0] for path in ROOT.glob("*/**/*.rviz")} - {"install"}
    assert {"launch", "config", "models"} | views - {"build"} <= folders


@pytest.mark.parametrize("path", MESSAGE_FILES, ids=lambda path: path.stem)
def test_message_comments_carry_units(path):
    words = {"_m": "metre", "_px": "pixel", "_score": "[0, 1]", "_share": "[0, 1]"}
    words |= {"_probability": "[0, 1]", "width": "pixel", "threshold": "[0, 1]"}
    words |= {
        "latency": "second",
        "unseen_s": "second",
        "velocity": "metres a second",
        "position": "metre",
        "footprint": "metre",
        "contour": "pixel",
    }
    fields = documented_fields(path)
    for name, comment in fields.items():
        assert comment, f"{path.name}: {name} has no comment"
        for ending, word in words.items():
            if name.endswith(ending) and not name.startswith("has_"):
                assert word in comment, f"{path.name}: the comment of {name} lacks '{word}'"
    expected = {**ARRAY_FIELDS, **COMPONENT_FIELDS}
    assert {name for name in fields if name.islower()} <= expected.keys()


@pytest.fixture(scope="module")
def messages():
    """The built messages. With rclpy installed they must be there; without it there is no ROS."""
    if importlib.util.find_spec("rclpy") is None:
        pytest.skip("no ROS 2: rclpy is not installed")
    return importlib.import_module("ood_detection.msg")


@pytest.mark.ros
def test_messages_have_exactly_these_fields(messages):
    assert messages.ObstacleComponentArray.get_fields_and_field_types() == ARRAY_FIELDS
    assert messages.ObstacleComponent.get_fields_and_field_types() == COMPONENT_FIELDS


@pytest.mark.ros
def test_status_numbers_are_those_of_the_pipeline(messages):
    array = messages.ObstacleComponentArray
    assert {status: getattr(array, f"STATUS_{status.name}") for status in Status} == {
        status: status.value for status in Status
    }
    component = messages.ObstacleComponent
    sources = (component.RANGE_SOURCE_NONE, component.RANGE_SOURCE_GROUND_PLANE)
    assert (*sources, component.RANGE_SOURCE_DEPTH) == (0, 1, 2)


@pytest.mark.ros
def test_an_obstacle_without_a_place_survives_the_wire(messages):
    from rclpy.serialization import deserialize_message, serialize_message

    sent = messages.ObstacleComponentArray(
        status=messages.ObstacleComponentArray.STATUS_NO_TRANSFORM
    )
    sent.components = [messages.ObstacleComponent(id=7, distance_m=math.nan)]
    sent.components[0].reason_metrics = ["entropy_mean"]
    sent.components[0].reason_contributions = [0.5]
    received = deserialize_message(serialize_message(sent), messages.ObstacleComponentArray)
    component = received.components[0]
    assert received.status == messages.ObstacleComponentArray.STATUS_NO_TRANSFORM
    assert (component.id, component.has_position) == (7, False)
    assert math.isnan(component.distance_m)
    assert component.reason_metrics == ["entropy_mean"]
    assert list(component.reason_contributions) == [0.5]


@pytest.mark.ros
def test_executables_are_installed_where_ros2_run_looks(messages):
    prefixes = [
        Path(prefix)
        for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
        if (Path(prefix) / "share/ood_detection/package.xml").is_file()
    ]
    assert prefixes, "the package is not in AMENT_PREFIX_PATH: source scripts/ros_environment.sh"
    executables = prefixes[0] / "lib/ood_detection"
    for name in ("ood_perception_node", "bag_player", "bag_recorder"):
        assert os.access(executables / name, os.X_OK), f"{executables / name} cannot be run"
