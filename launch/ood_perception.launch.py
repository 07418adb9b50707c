"""Starts the node ood_perception for the cameras and the model that the arguments name."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import (
    EnvironmentVariable,
    LaunchConfiguration,
    NotEqualsSubstitution,
    PathJoinSubstitution,
)
from launch_ros.actions import LifecycleNode, SetParameter, SetParametersFromFile
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

# Each sets the node's parameter of the same name; left empty, the params_file decides.
PARAMETERS = {
    "bundle": "Model: a folder, or the name of a folder in the package's models/.",
    "backend": "What runs the network, such as onnxruntime.",
    "cameras": "Names of the cameras as a YAML list, such as [front, rear].",
    "compressed": "true subscribes ~/NAME/image/compressed instead of ~/NAME/image.",
    "mounting_source": "Where the cameras' place comes from: none, parameters or tf.",
    "autostart": "true configures and activates at once; false leaves it to a manager.",
    "use_sim_time": "true follows /clock, as for a bag played with --clock.",
}


def generate_launch_description():
    """The node with its parameters, and a Fast DDS profile that large images need."""
    config = PathJoinSubstitution([FindPackageShare("ood_detection"), "config"])
    profile = PathJoinSubstitution([config, "fastdds_profile.xml"])
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "params_file",
                default_value=PathJoinSubstitution([config, "ood_perception.yaml"]),
                description="YAML file with the node's parameters.",
            ),
            DeclareLaunchArgument(
                "namespace", default_value="", description="Namespace of the node."
            ),
            *(
                DeclareLaunchArgument(
                    name, default_value="", description=f"{text} Empty: as in params_file."
                )
                for name, text in PARAMETERS.items()
            ),
            *own_or_shipped(profile),
            GroupAction(
                [
                    SetParametersFromFile(LaunchConfiguration("params_file")),
                    *(
                        SetParameter(
                            name,
                            # The text as it is written, for rcl to read: without value_type
                            # launch_ros makes a tuple of a list, whose text is no list to rcl.
                            ParameterValue(LaunchConfiguration(name), value_type=str),
                            condition=IfCondition(
                                NotEqualsSubstitution(LaunchConfiguration(name), "")
                            ),
                        )
                        for name in PARAMETERS
                    ),
                    LifecycleNode(
                        package="ood_detection",
                        executable="ood_perception_node",
                        name="ood_perception",
                        namespace=LaunchConfiguration("namespace"),
                        output="screen",
                    ),
                ]
            ),
        ]
    )


def own_or_shipped(shipped):
    """Both variables of Fast DDS name the profile that the user set, or else the shipped one.

    Release 2 (Humble, Jazzy) reads only the first, release 3 only the second: who has set one of
    them means that profile for both.
    """
    variables = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
    return [
        SetEnvironmentVariable(
            name,
            EnvironmentVariable(
                name, default_value=EnvironmentVariable(other, default_value=shipped)
            ),
        )
        for name, other in zip(variables, reversed(variables))  # noqa: B905
    ]
