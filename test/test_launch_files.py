"""The launch files and the Fast DDS profile, as far as this machine can check them."""

from __future__ import annotations

import importlib.util
import py_compile
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml
from launch_stand_in import (
    ROOT,
    default_arguments,
    found_in,
    load_launch_file,
    stand_in_for_launch,
    text,
)

LAUNCH_FILES = {path.name: path for path in sorted((ROOT / "launch").glob("*.launch.py"))}
FASTDDS = "{http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles}"


@pytest.fixture(params=LAUNCH_FILES)
def loaded(request, monkeypatch):
    """(module, launch description) of each launch file."""
    stand_in_for_launch(monkeypatch)
    module = load_launch_file(LAUNCH_FILES[request.param])
    return module, module.generate_launch_description()


@pytest.fixture
def several(monkeypatch, tmp_path):
    """A function: the actions of several_cameras.launch.py for these arguments."""
    stand_in_for_launch(monkeypatch)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    module = load_launch_file(LAUNCH_FILES["several_cameras.launch.py"])
    description = module.generate_launch_description()
    return lambda **given: module.set_up(default_arguments(description, **given))


def parameter_names():
    yaml_file = ROOT / "config" / "ood_perception.yaml"
    return yaml.safe_load(yaml_file.read_text(encoding="utf-8"))["/**"]["ros__parameters"]


def test_there_is_one_for_the_node_for_one_camera_for_several_and_for_a_bag():
    assert set(LAUNCH_FILES) == {
        "ood_perception.launch.py",
        "one_camera.launch.py",
        "several_cameras.launch.py",
        "replay.launch.py",
    }


def test_launch_files_compile(tmp_path):
    for path in LAUNCH_FILES.values():
        py_compile.compile(str(path), cfile=str(tmp_path / "compiled"), doraise=True)


def test_every_argument_has_a_description_and_every_configuration_an_argument(loaded):
    module, description = loaded
    declared = {call.given[0]: call for call in description.all("DeclareLaunchArgument")}
    for name, call in declared.items():
        assert call.named["description"].endswith("."), name
    used = {call.given[0] for call in description.all("LaunchConfiguration")}
    if description.all("OpaqueFunction"):
        used |= set(module._READ_HERE) | {name for name, _ in module.HANDED_ON} | {"params_file"}
    assert used == set(declared)


def test_an_included_file_knows_the_arguments_that_it_is_given(loaded, several):
    _, description = loaded
    includes = description.all("IncludeLaunchDescription")
    for include in includes or found_in(several(), "IncludeLaunchDescription"):
        (source,) = found_in(include.given, "PythonLaunchDescriptionSource")
        path = LAUNCH_FILES[Path(text(source.given[0], {})).name]
        inner = load_launch_file(path).generate_launch_description()
        known = {call.given[0] for call in inner.all("DeclareLaunchArgument")}
        assert {name for name, _ in include.named["launch_arguments"]} <= known


def test_both_variables_name_the_shipped_profile(loaded):
    _, description = loaded
    profiles = {
        call.given[0]: call.given[1].given[0][-1]
        for call in description.all("SetEnvironmentVariable")
    }
    if not profiles:
        assert description.all("IncludeLaunchDescription") or description.all("OpaqueFunction")
        return
    assert profiles == {
        "FASTRTPS_DEFAULT_PROFILES_FILE": "fastdds_profile.xml",
        "FASTDDS_DEFAULT_PROFILES_FILE": "fastdds_profile.xml",
    }


def test_named_files_and_executables_exist(loaded, several):
    _, description = loaded
    beside = several(rviz="true", watchdog="true")
    for call in [
        *description.all("PathJoinSubstitution"),
        *found_in(beside, "PathJoinSubstitution"),
    ]:
        name = call.given[0][-1]
        if "." in name:
            assert list(ROOT.glob(f"config/{name}")) + list(ROOT.glob(f"launch/{name}")), name
    built = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    for call in [*description.all("LifecycleNode"), *description.all("Node"), *beside]:
        if call.named.get("package") == "ood_detection":
            executable = call.named["executable"]
            assert f"{executable}:" in built or f"examples/{executable}" in built, executable


def test_launch_arguments_that_set_parameters_name_real_ones(loaded):
    _, description = loaded
    for call in description.all("SetParameter"):
        assert call.given[0] in {*parameter_names(), "use_sim_time"}
        assert call.named["condition"].name == "IfCondition", "empty leaves the params_file's value"


def test_several_cameras_connect_each_camera_to_its_driver(several):
    actions = several(cameras="[front, left]", image_topics="[/f/image_rect, /l/image_raw]")
    remaps = {call.given[0]: call.given[1] for call in found_in(actions, "SetRemap")}
    assert remaps == {
        "~/front/image": "/f/image_rect",
        "~/front/image/compressed": "/f/image_rect/compressed",
        "~/front/camera_info": "/f/camera_info",
        "~/left/image": "/l/image_raw",
        "~/left/image/compressed": "/l/image_raw/compressed",
        "~/left/camera_info": "/l/camera_info",
    }
    (include,) = found_in(actions, "IncludeLaunchDescription")
    assert dict(include.named["launch_arguments"])["cameras"] == "[front, left]"
    assert len(actions) == 1, "neither RViz nor the watchdog was asked for"


def test_several_cameras_watch_and_show_all_of_them(several):
    view, watchdog = several(
        cameras="[front, left]", namespace="/car/", rviz="true", watchdog="true"
    )[1:]
    (parameters,) = watchdog.named["parameters"]
    assert parameters["topics"] == [
        "/car/ood_perception/front/obstacle_points",
        "/car/ood_perception/left/obstacle_points",
    ]
    shown = Path(view.named["arguments"][1]).read_text(encoding="utf-8")
    for camera in ("front", "left"):
        assert f"/car/ood_perception/{camera}/overlay" in shown


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"cameras": "front"}, "write a list"),
        ({"cameras": "[]"}, "0 cameras"),
        ({"cameras": "[a, b]", "image_topics": "[/a/image]"}, "2 cameras, 1 image_topics"),
    ],
)
def test_lists_that_do_not_fit_are_refused_in_one_line(several, arguments, reason):
    with pytest.raises(RuntimeError, match=reason):
        several(**arguments)


def test_launch_files_with_the_real_launch_ros():
    if importlib.util.find_spec("launch_ros") is None:
        pytest.skip("launch_ros is not installed (it is not on PyPI)")
    from launch import LaunchDescription
    from launch.launch_description_sources import get_launch_description_from_python_launch_file

    for path in LAUNCH_FILES.values():
        made = get_launch_description_from_python_launch_file(str(path))
        assert isinstance(made, LaunchDescription)
        assert made.get_launch_arguments()


def test_the_profile_gives_large_images_a_shared_memory_segment():
    root = ElementTree.parse(ROOT / "config" / "fastdds_profile.xml").getroot()
    transports = {
        entry.findtext(f"{FASTDDS}transport_id"): entry
        for entry in root.iter(f"{FASTDDS}transport_descriptor")
    }
    (participant,) = root.iter(f"{FASTDDS}participant")
    used = [e.text for e in participant.find(f"{FASTDDS}rtps/{FASTDDS}userTransports")]
    kinds = {transports[name].findtext(f"{FASTDDS}type") for name in used}
    assert kinds == {"SHM", "UDPv4"}
    assert participant.get("is_default_profile") == "true"
    shared = next(e for e in transports.values() if e.findtext(f"{FASTDDS}type") == "SHM")
    assert int(shared.findtext(f"{FASTDDS}segment_size")) >= 64 * 1024 * 1024
    assert int(shared.findtext(f"{FASTDDS}maxMessageSize")) >= 2048 * 1024 * 3
