"""The launch files, the Fast DDS profile and the RViz configuration, as far as this machine can."""

from __future__ import annotations

import importlib.util
import py_compile
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import ItemsView
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
LAUNCH_FILES = sorted((ROOT / "launch").glob("*.launch.py"))
MODULES = (
    "launch",
    "launch.actions",
    "launch.conditions",
    "launch.launch_description_sources",
    "launch.substitutions",
    "launch_ros",
    "launch_ros.actions",
    "launch_ros.substitutions",
)
FASTDDS = "{http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles}"


class Call:
    """A recorded call of something of launch: its name, what was given, by place and by name."""

    def __init__(self, name, given, named):
        self.name, self.given, self.named = name, given, named

    def all(self, name):
        """Every recorded call of that name in here, at any depth."""
        found = [self] if self.name == name else []
        for value in _leaves([*self.given, *self.named.values()]):
            if isinstance(value, Call):
                found += value.all(name)
        return found


def _leaves(values):
    for value in values:
        if isinstance(value, list | tuple | ItemsView):
            yield from _leaves(value)
        else:
            yield value


def recorder(module):
    """A module of which every attribute records how it is called."""

    def attribute(name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *given, **named: Call(name, given, named)

    stand_in = ModuleType(module)
    stand_in.__getattr__ = attribute
    return stand_in


@pytest.fixture(params=LAUNCH_FILES, ids=lambda path: path.name)
def description(request, monkeypatch):
    for module in MODULES:
        monkeypatch.setitem(sys.modules, module, recorder(module))
    spec = importlib.util.spec_from_file_location("launch_file", request.param)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate_launch_description()


def test_there_are_the_two_launch_files():
    assert [path.name for path in LAUNCH_FILES] == ["ood_perception.launch.py", "replay.launch.py"]


def test_launch_files_compile(tmp_path):
    for path in LAUNCH_FILES:
        py_compile.compile(str(path), cfile=str(tmp_path / "compiled"), doraise=True)


def test_every_argument_has_a_description_and_every_configuration_an_argument(description):
    declared = {call.given[0]: call for call in description.all("DeclareLaunchArgument")}
    for name, call in declared.items():
        assert call.named["description"].endswith("."), name
    used = {call.given[0] for call in description.all("LaunchConfiguration")}
    assert used == set(declared)


def test_both_variables_name_the_shipped_profile(description):
    profiles = {
        call.given[0]: call.given[1].given[0][-1]
        for call in description.all("SetEnvironmentVariable")
    }
    assert profiles == {
        "FASTRTPS_DEFAULT_PROFILES_FILE": "fastdds_profile.xml",
        "FASTDDS_DEFAULT_PROFILES_FILE": "fastdds_profile.xml",
    }


def test_named_files_and_executables_exist(description):
    for call in description.all("PathJoinSubstitution"):
        name = call.given[0][-1]
        if "." in name:
            assert list(ROOT.glob(f"config/{name}")) + list(ROOT.glob(f"launch/{name}")), name
    built = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    for call in description.all("LifecycleNode"):
        assert call.named["package"] == "ood_detection"
        assert f"{call.named['executable']}:node" in built


def test_launch_arguments_that_set_parameters_name_real_ones(description):
    yaml_file = ROOT / "config" / "ood_perception.yaml"
    known = yaml.safe_load(yaml_file.read_text(encoding="utf-8"))["/**"]["ros__parameters"]
    for call in description.all("SetParameter"):
        assert call.given[0] in {*known, "use_sim_time"}
        assert call.named["condition"].name == "IfCondition", "empty leaves the params_file's value"


def test_launch_files_with_the_real_launch_ros():
    if importlib.util.find_spec("launch_ros") is None:
        pytest.skip("launch_ros is not installed (it is not on PyPI)")
    from launch import LaunchDescription
    from launch.launch_description_sources import get_launch_description_from_python_launch_file

    for path in LAUNCH_FILES:
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


def test_rviz_shows_image_overlay_score_and_markers():
    path = ROOT / "config" / "ood_perception.rviz"
    manager = yaml.safe_load(path.read_text(encoding="utf-8"))["Visualization Manager"]
    topics = {d["Topic"]["Value"].rsplit("/", 1)[1] for d in manager["Displays"] if "Topic" in d}
    assert topics >= {"image", "overlay", "anomaly_score", "obstacle_markers"}
    assert manager["Global Options"]["Fixed Frame"] == "base_link"
