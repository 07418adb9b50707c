"""One camera by the topics of its driver; the plainest way to start on a vehicle.

ros2 launch ood_detection one_camera.launch.py image_topic:=/front/image_raw bundle:=street
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

# Handed on as they are, with the same meaning: name, default, description.
HANDED_ON = (
    ("bundle", "", "Model: a folder, or a name in models/. Empty: as in params_file."),
    ("backend", "", "What runs the network, such as onnxruntime. Empty: as in params_file."),
    ("compressed", "", "true for IMAGE_TOPIC/compressed. Empty: as in params_file."),
    ("mounting_source", "", "none, parameters or tf. Empty: as in params_file."),
    ("namespace", "", "Namespace of the node."),
    ("use_sim_time", "", "true follows /clock. Empty: as in params_file."),
    ("rviz", "false", "Show images, overlay, markers and points in RViz."),
    ("watchdog", "false", "Also start the example watchdog, which asks for a stop in silence."),
    ("watchdog_timeout_s", "0.5", "Silence after which the watchdog asks for a stop, seconds."),
)


def generate_launch_description():
    """several_cameras.launch.py with one camera."""
    share = FindPackageShare("ood_detection")
    several = PathJoinSubstitution([share, "launch", "several_cameras.launch.py"])
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "camera",
                default_value="camera",
                description="Name of the camera in the node's topics and parameters.",
            ),
            DeclareLaunchArgument(
                "image_topic",
                default_value="/camera/image_raw",
                description="Images of the driver; without the ending /compressed.",
            ),
            DeclareLaunchArgument(
                "camera_info_topic",
                default_value="",
                description="The camera_info of the driver. Empty: camera_info beside the images.",
            ),
            DeclareLaunchArgument(
                "params_file",
                default_value=PathJoinSubstitution([share, "config", "ood_perception.yaml"]),
                description="YAML file with the node's parameters.",
            ),
            *(
                DeclareLaunchArgument(name, default_value=default, description=text)
                for name, default, text in HANDED_ON
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(several),
                launch_arguments={
                    "cameras": ["[", LaunchConfiguration("camera"), "]"],
                    "image_topics": ["[", LaunchConfiguration("image_topic"), "]"],
                    "camera_info_topics": ["[", LaunchConfiguration("camera_info_topic"), "]"],
                    "params_file": LaunchConfiguration("params_file"),
                    **{name: LaunchConfiguration(name) for name, _, _ in HANDED_ON},
                }.items(),
            ),
        ]
    )
