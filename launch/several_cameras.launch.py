"""Any number of cameras on one node and one engine, by the topics of their drivers.

ros2 launch ood_detection several_cameras.launch.py cameras:="[front, left, right]" bundle:=street
"""

import yaml
from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node, SetRemap
from launch_ros.substitutions import FindPackageShare

# Handed on to ood_perception.launch.py as they are: name, description.
HANDED_ON = (
    ("bundle", "Model: a folder, or a name in models/. Empty: as in params_file."),
    ("backend", "What runs the network, such as onnxruntime. Empty: as in params_file."),
    ("compressed", "true for IMAGE_TOPIC/compressed. Empty: as in params_file."),
    ("mounting_source", "none, parameters or tf. Empty: as in params_file."),
    ("namespace", "Namespace of the node."),
    ("use_sim_time", "true follows /clock. Empty: as in params_file."),
)


def generate_launch_description():
    """The node, its topics connected to the drivers', and what is asked for beside it."""
    config = PathJoinSubstitution([FindPackageShare("ood_detection"), "config"])
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "cameras",
                default_value="[front, rear]",
                description="Names of the cameras as a YAML list.",
            ),
            DeclareLaunchArgument(
                "image_topics",
                default_value="",
                description="Images of the drivers as a YAML list in the order of cameras, without "
                "the ending /compressed. Empty: /NAME/image_raw.",
            ),
            DeclareLaunchArgument(
                "camera_info_topics",
                default_value="",
                description="The same for camera_info. Empty: camera_info beside each image.",
            ),
            DeclareLaunchArgument(
                "params_file",
                default_value=PathJoinSubstitution([config, "ood_perception.yaml"]),
                description="YAML file with the node's parameters.",
            ),
            *(
                DeclareLaunchArgument(name, default_value="", description=text)
                for name, text in HANDED_ON
            ),
            DeclareLaunchArgument(
                "rviz",
                default_value="false",
                description="Show images, overlays, markers and points of all cameras in RViz.",
            ),
            DeclareLaunchArgument(
                "watchdog",
                default_value="false",
                description="Also start the example watchdog, which asks for a stop in silence.",
            ),
            DeclareLaunchArgument(
                "watchdog_timeout_s",
                default_value="0.5",
                description="Silence after which the watchdog asks for a stop, seconds.",
            ),
            OpaqueFunction(function=set_up),
        ]
    )


def set_up(context):
    """What depends on the number of cameras, once the arguments are known."""
    value = {name: LaunchConfiguration(name).perform(context) for name in _READ_HERE}
    cameras = as_list(value["cameras"], "cameras")
    images = as_list(value["image_topics"], "image_topics")
    images = images or [f"/{camera}/image_raw" for camera in cameras]
    infos = as_list(value["camera_info_topics"], "camera_info_topics")
    infos = infos or [beside_image("camera_info", image) for image in images]
    if not cameras or not len(cameras) == len(images) == len(infos):
        raise RuntimeError(
            f"{len(cameras)} cameras, {len(images)} image_topics and {len(infos)} "
            "camera_info_topics: give one of each for every camera"
        )
    share = FindPackageShare("ood_detection")
    include = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(
            PathJoinSubstitution([share, "launch", "ood_perception.launch.py"])
        ),
        launch_arguments={
            "cameras": f"[{', '.join(cameras)}]",
            "params_file": LaunchConfiguration("params_file"),
            **{name: LaunchConfiguration(name) for name, _ in HANDED_ON},
        }.items(),
    )
    remaps = [
        SetRemap(f"~/{camera}/{ours}", theirs)
        for camera, image, info in zip(cameras, images, infos)  # noqa: B905
        for ours, theirs in (
            ("image", image),
            ("image/compressed", f"{image}/compressed"),
            ("camera_info", info),
        )
    ]
    template = PathJoinSubstitution([share, "config", "ood_perception.rviz"]).perform(context)
    seen = dict(zip(cameras, images))  # noqa: B905
    return [GroupAction([*remaps, include]), *beside(value, seen, template)]


def beside(value, images, template):
    """RViz and the watchdog, as far as they are asked for. images: topic of each camera's."""
    namespace = f"/{value['namespace'].strip('/')}" if value["namespace"] else ""
    node = f"{namespace}/ood_perception"
    actions = []
    if value["rviz"].lower() == "true":
        ending = "/compressed" if value["compressed"].lower() == "true" else ""
        # RViz runs in no namespace; a name that does not begin with / lies in the node's.
        shown = {
            camera: f"{topic if topic.startswith('/') else f'{namespace}/{topic}'}{ending}"
            for camera, topic in images.items()
        }
        actions.append(rviz(template, node, shown, value["use_sim_time"].lower() == "true"))
    if value["watchdog"].lower() == "true":
        actions.append(watchdog(node, images, float(value["watchdog_timeout_s"])))
    return actions


def rviz(template, node, images, simulated):
    """RViz with the images of each camera, {camera: topic}, and what the node makes of them."""
    # Here, so that the file can be launched without RViz where ours is not importable.
    from ood_perception.rviz_view import write_view

    return Node(
        package="rviz2",
        executable="rviz2",
        name="rviz2",
        arguments=["-d", write_view(template, list(images), node, images)],
        parameters=[{"use_sim_time": simulated}],
    )


def watchdog(node, cameras, timeout_s):
    """The example watchdog for the clouds of these cameras."""
    return Node(
        package="ood_detection",
        executable="obstacle_watchdog.py",
        name="obstacle_watchdog",
        output="screen",
        parameters=[
            {
                "topics": [f"{node}/{camera}/obstacle_points" for camera in cameras],
                "timeout_s": timeout_s,
            }
        ],
    )


def beside_image(name, image):
    """The topic of that name in the same folder as an image topic."""
    return "".join(image.rpartition("/")[:2]) + name


def as_list(text, name):
    """A YAML list of names, as in [front, rear]; an empty text is an empty list."""
    found = yaml.safe_load(text) if text else []
    if not isinstance(found, list) or not all(isinstance(entry, str) for entry in found):
        raise RuntimeError(f"{name} is {text!r}: write a list, as in [front, rear]")
    return found


_READ_HERE = (
    "cameras",
    "image_topics",
    "camera_info_topics",
    "compressed",
    "namespace",
    "use_sim_time",
    "rviz",
    "watchdog",
    "watchdog_timeout_s",
)
