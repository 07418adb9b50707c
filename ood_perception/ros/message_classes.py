"""The Python class of a message type, by the type's name."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ood_perception.errors import OodError


def message_class(typename: str) -> Any:
    """The class of a type such as "sensor_msgs/msg/Image".

    Raises OodError when its package is not installed or lacks it.
    """
    package, _, name = typename.partition("/msg/")
    try:
        return getattr(import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise OodError(
            f"message type {typename} is not there: install the ROS package {package or typename} "
            "and source its workspace"
        ) from error


def starts_with_header(typename: str) -> bool:
    """Whether the first field is a std_msgs/Header, whose stamp then comes first when serialised.

    Raises OodError as ``message_class`` does.
    """
    fields = list(message_class(typename).get_fields_and_field_types().values())
    return bool(fields) and fields[0] == "std_msgs/Header"
