"""Message classes by their types' names, and messages from plain nested dicts."""

from __future__ import annotations

from functools import cache
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


def filled(message: Any, fields: dict[str, Any]) -> Any:
    """The message with these fields set: nested dicts for messages, lists for arrays of them.

    Raises OodError as ``message_class`` does, and AttributeError for a field that it lacks.
    """
    kind: Any = type(message)
    for name, value in fields.items():
        if isinstance(value, dict):
            filled(getattr(message, name), value)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            element = _element_class(kind, name)
            setattr(message, name, [filled(element(), entry) for entry in value])
        else:
            setattr(message, name, value)
    return message


@cache
def _element_class(kind: Any, name: str) -> Any:
    """The class of what the array of a message holds, as "sequence<geometry_msgs/Point32>"."""
    array_type = kind.get_fields_and_field_types()[name]
    package, _, name = array_type.partition("<")[2].partition(",")[0].rstrip(">").partition("/")
    return message_class(f"{package}/msg/{name}")
