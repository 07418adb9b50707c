"""The launch files and the Fast DDS profile, as far as this machine can check them."""

from __future__ import annotations

import os
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
SHIPPED_PROFILE = str(ROOT / "config" / "fastdds_profile.xml")
PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
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


def shown_topics(rviz):
    """The topics of the view that this Node of RViz opens."""
    view = yaml.safe_load(Path(rviz.named["arguments"][1]).read_text(encoding="utf-8"))
    displays = view["Visualization Manager"]["Displays"]
    return [display["Topic"]["Value"] for display in displays if "Topic" in display]


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
        given = default_arguments(description)
        actions = module.set_up(given)
        used |= given.asked | {call.given[0] for call in found_in(actions, "LaunchConfiguration")}
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


@pytest.mark.parametrize(
    ("of_the_user", "then"),
    [
        ((None, None), (SHIPPED_PROFILE, SHIPPED_PROFILE)),
        (("/mine.xml", None), ("/mine.xml", "/mine.xml")),
        ((None, "/mine.xml"), ("/mine.xml", "/mine.xml")),
        (("/for_2.xml", "/for_3.xml"), ("/for_2.xml", "/for_3.xml")),
    ],
)
def test_both_variables_name_the_users_profile_or_else_the_shipped_one(
    monkeypatch, of_the_user, then
):
    """A release of Fast DDS reads one of them alone; which, the user need not know."""
    for name, value in zip(PROFILE_VARIABLES, of_the_user, strict=True):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    stand_in_for_launch(monkeypatch)
    file = load_launch_file(LAUNCH_FILES["ood_perception.launch.py"])
    for call in file.generate_launch_description().all("SetEnvironmentVariable"):
        monkeypatch.setenv(call.given[0], text(call.given[1], {}))
    assert tuple(os.environ[name] for name in PROFILE_VARIABLES) == then


def test_the_profile_is_named_in_one_file_that_every_other_includes(loaded, several):
    module, description = loaded
    if module.__file__ == str(LAUNCH_FILES["ood_perception.launch.py"]):
        return
    assert not description.all("SetEnvironmentVariable")
    included = description.all("IncludeLaunchDescription") or several()
    assert found_in(included, "PythonLaunchDescriptionSource")


def test_named_files_and_executables_exist(loaded, several):
    module, description = loaded
    beside = several(rviz="true", watchdog="true")
    if hasattr(module, "own_player"):
        beside.append(module.own_player(default_arguments(description)))
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
    shown = shown_topics(view)
    for camera in ("front", "left"):
        assert f"/car/ood_perception/{camera}/overlay" in shown


@pytest.mark.parametrize(("compressed", "ending"), [("true", "/compressed"), ("", "")])
def test_rviz_shows_the_images_that_the_node_is_connected_to(several, compressed, ending):
    """The node's own name for them is remapped away: nobody publishes there."""
    given = {"cameras": "[front, left]", "image_topics": "[/f/image_rect, /l/image_raw]"}
    actions = several(**given, rviz="true", compressed=compressed)
    remaps = {call.given[0]: call.given[1] for call in found_in(actions, "SetRemap")}
    shown = shown_topics(actions[1])
    for camera in ("front", "left"):
        assert remaps[f"~/{camera}/image{ending}"] in shown
        assert f"/ood_perception/{camera}/image" not in shown


def test_rviz_finds_images_that_are_named_within_the_nodes_namespace(several):
    given = {"cameras": "[front]", "image_topics": "[front/image_raw]", "namespace": "car"}
    assert "/car/front/image_raw" in shown_topics(several(**given, rviz="true")[1])


@pytest.mark.parametrize("image_topic", ["/front/image_raw", "/car/front/left/image", "image_raw"])
def test_without_another_word_camera_info_lies_beside_the_image(several, image_topic):
    module = load_launch_file(LAUNCH_FILES["one_camera.launch.py"])
    description = module.generate_launch_description()
    given = default_arguments(description, image_topic=image_topic)
    (include,) = description.all("IncludeLaunchDescription")
    handed_on = {name: text(v, given) for name, v in include.named["launch_arguments"]}
    remaps = {call.given[0]: call.given[1] for call in found_in(several(**handed_on), "SetRemap")}
    assert remaps["~/camera/image"] == image_topic
    beside = image_topic.replace(image_topic.split("/")[-1], "camera_info")
    assert remaps["~/camera/camera_info"] == beside


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
    pytest.importorskip("launch_ros", reason="launch_ros is not installed (it is not on PyPI)")
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
