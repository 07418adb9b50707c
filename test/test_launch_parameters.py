"""Launch arguments that set parameters of the node reach it with their values and types."""

from __future__ import annotations

import pytest
import yaml
from launch_stand_in import ROOT, Call, load_launch_file, parameter_text, stand_in_for_launch

LAUNCH_FILE = ROOT / "launch" / "ood_perception.launch.py"

# What a person writes behind NAME:=, and what the node has to read.
GIVEN = {
    "bundle": ("street", "street"),
    "backend": ("tensorrt:fp16,onnxruntime", "tensorrt:fp16,onnxruntime"),
    "cameras": ("[front, rear]", ["front", "rear"]),
    "compressed": ("true", True),
    "mounting_source": ("tf", "tf"),
    "autostart": ("false", False),
    "use_sim_time": ("true", True),
}


@pytest.fixture
def set_parameters(monkeypatch):
    """The recorded SetParameter actions by the parameter's name."""
    stand_in_for_launch(monkeypatch)
    description = load_launch_file(LAUNCH_FILE).generate_launch_description()
    return {call.given[0]: call for call in description.all("SetParameter")}


def command_line(set_parameters):
    """The text behind ``-p NAME:=`` of each parameter."""
    given = {name: written for name, (written, _) in GIVEN.items()}
    return {name: parameter_text(call.given[1], given) for name, call in set_parameters.items()}


def defaults():
    text = (ROOT / "config" / "ood_perception.yaml").read_text(encoding="utf-8")
    return {"use_sim_time": False, **yaml.safe_load(text)["/**"]["ros__parameters"]}


def test_each_sets_a_real_parameter_and_only_when_it_is_given(set_parameters):
    assert set(set_parameters) == set(GIVEN)
    assert set(set_parameters) <= set(defaults())
    for call in set_parameters.values():
        assert call.named["condition"].name == "IfCondition", "empty leaves the params_file's value"


def test_each_reaches_the_node_with_the_value_and_type_that_it_needs(set_parameters):
    for name, text in command_line(set_parameters).items():
        read = yaml.safe_load(text)
        assert read == GIVEN[name][1], f"-p {name}:={text}"
        assert type(read) is type(defaults()[name]), f"-p {name}:={text}"


def test_a_list_without_a_type_would_reach_the_node_as_one_string():
    """Why the launch file names a type: launch_ros writes the tuple that it made of a list."""
    plain = Call("LaunchConfiguration", ("cameras",), {})
    text = parameter_text(plain, {"cameras": "[front, rear]"})
    assert text == "('front', 'rear')"
    assert isinstance(yaml.safe_load(text), str)


@pytest.mark.ros
def test_rcl_reads_the_command_line_as_meant(set_parameters):
    rclpy = pytest.importorskip("rclpy", reason="rclpy is not installed")
    from rclpy.node import Node

    # A parameter that every node has is declared with its type already.
    texts = {n: t for n, t in command_line(set_parameters).items() if n != "use_sim_time"}
    context = rclpy.Context()
    rclpy.init(context=context)
    try:
        node = Node(
            "ood_perception",
            context=context,
            cli_args=[
                "--ros-args",
                *(word for name, text in texts.items() for word in ("-p", f"{name}:={text}")),
            ],
            automatically_declare_parameters_from_overrides=True,
        )
        for name in texts:
            assert node.get_parameter(name).value == GIVEN[name][1], name
        node.destroy_node()
    finally:
        rclpy.shutdown(context=context)


def test_the_real_launch_ros_keeps_a_list_as_it_is_written():
    pytest.importorskip("launch_ros", reason="launch_ros is not installed (it is not on PyPI)")
    from launch import LaunchContext
    from launch.actions import GroupAction
    from launch_ros.actions import SetParameter

    description = load_launch_file(LAUNCH_FILE).generate_launch_description()
    (group,) = [entity for entity in description.entities if isinstance(entity, GroupAction)]
    context = LaunchContext()
    for argument in description.get_launch_arguments():
        context.launch_configurations[argument.name] = ""
    context.launch_configurations["cameras"] = "[front, rear]"
    for entity in group.get_sub_entities():
        if isinstance(entity, SetParameter):
            entity.visit(context)
    assert context.launch_configurations["global_params"] == [("cameras", "[front, rear]")]
