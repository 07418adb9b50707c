"""The parameter table and config/ood_perception.yaml say the same, and bad values are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.ros

rclpy = pytest.importorskip("rclpy", reason="rclpy is not installed")

from rclpy.exceptions import (  # noqa: E402
    InvalidParameterTypeException,
    InvalidParameterValueException,
)
from rclpy.parameter import Parameter as RosParameter  # noqa: E402

from ood_perception.camera_pipeline import PipelineSettings  # noqa: E402
from ood_perception.errors import OodError  # noqa: E402
from ood_perception.ros import package_files  # noqa: E402
from ood_perception.ros.parameter_table import (  # noqa: E402
    CAMERA_PARAMETERS,
    DEFAULT_CAMERA,
    NODE_PARAMETERS,
    Parameter,
    parameters_of,
)
from ood_perception.ros.parameters import (  # noqa: E402
    ParameterError,
    declare_parameters,
    read_defaults,
    read_settings,
)

ROOT = Path(__file__).resolve().parents[1]
ALL = [(p, default) for p, default in parameters_of([DEFAULT_CAMERA])]


@pytest.fixture
def make_node():
    context = rclpy.Context()
    nodes = []

    def make(arguments=(), **values):
        if not context.ok():
            rclpy.init(args=list(arguments), context=context)
        overrides = [
            RosParameter(name.replace("__", "."), value=value) for name, value in values.items()
        ]
        nodes.append(rclpy.create_node("settings", context=context, parameter_overrides=overrides))
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()
    rclpy.try_shutdown(context=context)


def test_table_and_yaml_name_the_same_parameters():
    assert {name for _, name in ALL} == set(read_defaults())
    assert len(ALL) == len(NODE_PARAMETERS) + len(CAMERA_PARAMETERS)


@pytest.mark.parametrize(("parameter", "default"), ALL, ids=lambda x: getattr(x, "name", ""))
def test_each_default_has_the_tables_type_and_range(parameter, default):
    value = read_defaults()[default]
    assert type(value) is parameter.kind
    assert parameter.fault(value) is None
    assert parameter.description.endswith(".")


def test_the_nodes_defaults_are_those_of_the_pipeline(make_node):
    node = make_node()
    declare_parameters(node)
    assert read_settings(node).pipeline == PipelineSettings()


def test_the_yaml_file_is_one_that_ros_reads(make_node):
    path = ROOT / "config" / "ood_perception.yaml"
    node = make_node(["--ros-args", "--params-file", str(path)])
    declare_parameters(node)
    settings = read_settings(node)
    assert settings.cameras == ("camera",)
    assert (
        settings.mountings["camera"].translation[2] == read_defaults()["camera.mounting.height_m"]
    )


def test_every_parameter_describes_itself_to_ros(make_node):
    node = make_node()
    declare_parameters(node)
    for parameter, _ in ALL:
        descriptor = node.describe_parameter(parameter.name)
        assert descriptor.description == parameter.description
        ranges = [*descriptor.floating_point_range, *descriptor.integer_range]
        assert [(r.from_value, r.to_value) for r in ranges] == (
            [parameter.range] if parameter.range else []
        )
    assert node.describe_parameter("autostart").read_only


@pytest.mark.parametrize(
    ("written", "classes"), [("[]", ()), ("[car]", ("car",)), ("[car, person]", ("car", "person"))]
)
def test_a_list_that_may_be_empty_is_read_from_files_and_set_later(
    make_node, tmp_path, written, classes
):
    path = tmp_path / "parameters.yaml"
    path.write_text(f"/**:\n  ros__parameters:\n    known_obstacle_classes: {written}\n")
    node = make_node(["--ros-args", "--params-file", str(path)])
    declare_parameters(node)
    assert read_settings(node).pipeline.known_obstacles.classes == classes
    (result,) = node.set_parameters([RosParameter("known_obstacle_classes", value=["tree"])])
    assert result.successful, result.reason
    assert read_settings(node).pipeline.known_obstacles.classes == ("tree",)


def test_another_camera_gets_the_defaults_that_it_does_not_set(make_node):
    node = make_node(cameras=["front", "rear"], front__mounting__height_m=2.5)
    declare_parameters(node)
    mountings = read_settings(node).mountings
    assert mountings["front"].translation[2] == 2.5
    assert mountings["rear"].translation[2] == read_defaults()["camera.mounting.height_m"]


def test_positive_pitch_looks_down(make_node):
    node = make_node(camera__mounting__pitch_deg=10.0)
    declare_parameters(node)
    forward = read_settings(node).mountings["camera"].rotation[:, 2]
    assert forward[0] > 0.9
    assert forward[2] < -0.1


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"cameras": ["two words"]}, "two words"),
        ({"cameras": ["a", "a"]}, "once"),
        ({"image_reliability": "sometimes"}, "best_effort"),
        ({"mounting_source": "guess"}, "tf"),
    ],
)
def test_impossible_values_are_refused_in_one_line(make_node, values, word):
    node = make_node(**values)

    def declare_and_read() -> None:
        declare_parameters(node)
        read_settings(node)

    with pytest.raises(ParameterError, match=word) as caught:
        declare_and_read()
    assert "\n" not in str(caught.value)


def test_values_of_another_type_or_out_of_range_are_refused_at_once(make_node):
    with pytest.raises(InvalidParameterTypeException):
        declare_parameters(make_node(bundle=3))
    with pytest.raises(InvalidParameterValueException):
        declare_parameters(make_node(max_frame_age_s=-1.0))


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_range_refuses_what_lies_outside_and_what_is_no_number(value):
    parameter = Parameter("share", float, "A share.", range=(0.0, 1.0))
    assert "share" in parameter.fault(value)
    assert parameter.fault(0.5) is None


def test_files_are_found_in_the_share_folder_of_an_ordinary_install(tmp_path, monkeypatch):
    share = tmp_path / "share"
    (share / "config").mkdir(parents=True)
    (share / "config" / "ood_perception.yaml").write_text("here", encoding="utf-8")
    monkeypatch.setattr(
        package_files, "__file__", str(tmp_path / "site" / "ood_perception" / "ros" / "x.py")
    )
    monkeypatch.setattr(package_files, "get_package_share_directory", lambda _: str(share))
    found = package_files.package_file("config/ood_perception.yaml")
    assert found.read_text(encoding="utf-8") == "here"
    with pytest.raises(OodError, match=r"nothing\.yaml"):
        package_files.package_file("config/nothing.yaml")


def test_a_bundle_is_a_path_or_a_name_in_models(tmp_path, monkeypatch):
    (tmp_path / "models" / "tiny").mkdir(parents=True)
    monkeypatch.setattr(package_files, "package_file", lambda name: tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert package_files.bundle_folder("tiny") == tmp_path / "models" / "tiny"
    assert package_files.bundle_folder(str(tmp_path / "elsewhere")) == tmp_path / "elsewhere"
    assert package_files.bundle_folder("models/tiny") == Path("models/tiny")
    with pytest.raises(OodError, match=r"'huge'.*tiny"):
        package_files.bundle_folder("huge")
    with pytest.raises(OodError, match="empty"):
        package_files.bundle_folder("")
