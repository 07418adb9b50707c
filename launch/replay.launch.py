"""Plays a bag into the node ood_perception, in simulated time, and shows it in RViz if wished.

ros2 launch ood_detection replay.launch.py bag:=/path/to/bag image_topic:=/front/image_raw
"""

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    SetEnvironmentVariable,
)
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import (
    EqualsSubstitution,
    LaunchConfiguration,
    NotEqualsSubstitution,
    PathJoinSubstitution,
)
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare


def generate_launch_description():
    """The player starts when the node has loaded its model: rosbag2 waits for ``delay_s``, our own
    player for the node's subscription."""
    share = FindPackageShare("ood_detection")
    profile = PathJoinSubstitution([share, "config", "fastdds_profile.xml"])
    node = PathJoinSubstitution([share, "launch", "ood_perception.launch.py"])
    rviz = PathJoinSubstitution([share, "config", "ood_perception.rviz"])
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
                default_value="/camera/camera_info",
                description="Topic of the camera_info in the bag.",
            ),
            DeclareLaunchArgument(
                "bundle", default_value="", description="Model. Empty: as in params_file."
            ),
            DeclareLaunchArgument(
                "compressed",
                default_value="",
                description="true for a bag of compressed images. Empty: as in params_file.",
            ),
            DeclareLaunchArgument(
                "mounting_source",
                default_value="",
                description="none, parameters or tf. Empty: as in params_file.",
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
            # The player needs the large shared-memory segment even more than the node does.
            SetEnvironmentVariable("FASTRTPS_DEFAULT_PROFILES_FILE", profile),
            SetEnvironmentVariable("FASTDDS_DEFAULT_PROFILES_FILE", profile),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(node),
                launch_arguments={
                    "bundle": LaunchConfiguration("bundle"),
                    "cameras": "[camera]",
                    "compressed": LaunchConfiguration("compressed"),
                    "mounting_source": LaunchConfiguration("mounting_source"),
                    "params_file": LaunchConfiguration("params_file"),
                    "use_sim_time": "true",
                }.items(),
            ),
            ExecuteProcess(
                cmd=[
                    "ros2",
                    "bag",
                    "play",
                    LaunchConfiguration("bag"),
                    "--clock",
                    "100",
                    "--rate",
                    LaunchConfiguration("rate"),
                    "--delay",
                    LaunchConfiguration("delay_s"),
                    "--remap",
                    [LaunchConfiguration("image_topic"), ":=", "/ood_perception/camera/image"],
                    [
                        LaunchConfiguration("image_topic"),
                        "/compressed:=/ood_perception/camera/image/compressed",
                    ],
                    [
                        LaunchConfiguration("camera_info_topic"),
                        ":=/ood_perception/camera/camera_info",
                    ],
                ],
                output="screen",
                condition=IfCondition(NotEqualsSubstitution(LaunchConfiguration("player"), "own")),
            ),
            ExecuteProcess(
                cmd=[
                    "python3",
                    "-m",
                    "ood_perception.cli",
                    "replay",
                    LaunchConfiguration("bag"),
                    "--live",
                    "--topic",
                    LaunchConfiguration("image_topic"),
                    "--rate",
                    LaunchConfiguration("rate"),
                ],
                output="screen",
                condition=IfCondition(EqualsSubstitution(LaunchConfiguration("player"), "own")),
            ),
            Node(
                package="rviz2",
                executable="rviz2",
                name="rviz2",
                arguments=["-d", rviz],
                parameters=[{"use_sim_time": True}],
                condition=IfCondition(LaunchConfiguration("rviz")),
            ),
        ]
    )
