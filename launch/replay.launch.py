"""Plays a bag into the node ood_perception, in simulated time, and shows it in RViz if wished.

ros2 launch ood_detection replay.launch.py bag:=/path/to/bag image_topic:=/front/image_raw
"""

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

NODE = "/ood_perception"
CAMERA = "camera"

# Handed on to ood_perception.launch.py as they are: name, description.
HANDED_ON = (
    ("bundle", "Model. Empty: as in params_file."),
    ("compressed", "true for a bag of compressed images. Empty: as in params_file."),
    ("mounting_source", "none, parameters or tf. Empty: as in params_file."),
)


def generate_launch_description():
    """The player starts when the node has loaded its model: rosbag2 waits for ``delay_s``, our own
    player for the node's subscription."""
    share = FindPackageShare("ood_detection")
    node = PathJoinSubstitution([share, "launch", "ood_perception.launch.py"])
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="Folder of the bag to play."),
            DeclareLaunchArgument(
                "image_topic",
                default_value="/camera/image",
                description="Topic of the images in the bag, without the ending /compressed.",
            ),
            DeclareLaunchArgument(
                "camera_info_topic",
                default_value="",
                description="Topic of the camera_info in the bag. Empty: camera_info beside the "
                "images.",
            ),
            *(
                DeclareLaunchArgument(name, default_value="", description=text)
                for name, text in HANDED_ON
            ),
            DeclareLaunchArgument(
                "params_file",
                default_value=PathJoinSubstitution([share, "config", "ood_perception.yaml"]),
                description="YAML file with the node's parameters.",
            ),
            DeclareLaunchArgument(
                "rate", default_value="1.0", description="Speed of the bag; 1.0 is as recorded."
            ),
            DeclareLaunchArgument(
                "delay_s",
                default_value="5.0",
                description="Time for the node to load its model before rosbag2 starts, seconds.",
            ),
            DeclareLaunchArgument(
                "player",
                default_value="rosbag2",
                choices=["rosbag2", "own"],
                description="What plays the bag: rosbag2, or this package's player without it.",
            ),
            DeclareLaunchArgument(
                "rviz", default_value="true", description="Show image, overlay and markers."
            ),
            # Before the player: the Fast DDS profile that this file names, with its large
            # shared-memory segment, the player needs even more than the node does.
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(node),
                launch_arguments={
                    "cameras": f"[{CAMERA}]",
                    "params_file": LaunchConfiguration("params_file"),
                    "use_sim_time": "true",
                    **{name: LaunchConfiguration(name) for name, _ in HANDED_ON},
                }.items(),
            ),
            OpaqueFunction(function=set_up),
        ]
    )


def set_up(context):
    """The player, and RViz if wished, once the arguments are known."""
    value = {name: LaunchConfiguration(name).perform(context) for name in _READ_HERE}
    share = FindPackageShare("ood_detection")
    player = own_player(value) if value["player"] == "own" else rosbag2(value)
    if not is_true(value["rviz"]):
        return [player]
    template = PathJoinSubstitution([share, "config", "ood_perception.rviz"]).perform(context)
    return [player, rviz(template, is_true(value["compressed"]))]


def rosbag2(value):
    """``ros2 bag play`` with what the node takes, under the names that it listens to.

    What else was recorded stays out: the outputs of another run, its /clock and its /diagnostics.
    """
    image = value["image_topic"]
    info = value["camera_info_topic"] or "".join(image.rpartition("/")[:2]) + "camera_info"
    names = {
        image: f"{NODE}/{CAMERA}/image",
        f"{image}/compressed": f"{NODE}/{CAMERA}/image/compressed",
        info: f"{NODE}/{CAMERA}/camera_info",
    }
    return ExecuteProcess(
        cmd=[
            # The bag first: --topics and --remap take all words up to the next option.
            *("ros2", "bag", "play", value["bag"]),
            *("--clock", "100", "--rate", value["rate"], "--delay", value["delay_s"]),
            *("--topics", *names, "/tf", "/tf_static"),
            *("--remap", *(f"{old}:={new}" for old, new in names.items())),
        ],
        output="screen",
    )


def own_player(value):
    """This package's player, which finds out itself what the bag has of it."""
    info = value["camera_info_topic"]
    ending = "/compressed" if is_true(value["compressed"]) else ""
    return Node(
        package="ood_detection",
        executable="live_player",
        arguments=[
            *(value["bag"], "--image-topic", f"{value['image_topic']}{ending}"),
            *(("--camera-info-topic", info) if info else ()),
            *("--rate", value["rate"], "--node", NODE, "--camera", CAMERA),
        ],
        output="screen",
    )


def rviz(view, compressed):
    """RViz with the shipped view, or one of compressed images, where only those are played."""
    if compressed:
        # Here, so that the file can be launched without this where ours is not importable.
        from ood_perception.rviz_view import write_view

        images = {CAMERA: f"{NODE}/{CAMERA}/image/compressed"}
        view = write_view(view, [CAMERA], NODE, images)
    return Node(
        package="rviz2",
        executable="rviz2",
        name="rviz2",
        arguments=["-d", view],
        parameters=[{"use_sim_time": True}],
    )


def is_true(text):
    """What people write for yes in a launch argument."""
    return text.lower() in ("true", "1")


_READ_HERE = (
    "bag",
    "image_topic",
    "camera_info_topic",
    "compressed",
    "rate",
    "delay_s",
    "player",
    "rviz",
)
