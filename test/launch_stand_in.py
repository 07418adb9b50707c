"""Stands in for launch and launch_ros, which PyPI lacks: every call is recorded, none is run."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import ItemsView
from pathlib import Path
from types import ModuleType

import yaml

ROOT = Path(__file__).resolve().parents[1]
MODULES = (
    "launch",
    "launch.actions",
    "launch.conditions",
    "launch.launch_description_sources",
    "launch.substitutions",
    "launch_ros",
    "launch_ros.actions",
    "launch_ros.parameter_descriptions",
    "launch_ros.substitutions",
)


class Call:
    """A recorded call of something of launch: its name, what was given, by place and by name."""

    def __init__(self, name, given, named):
        self.name, self.given, self.named = name, given, named

    def all(self, name):
        """Every recorded call of that name in here, at any depth."""
        return found_in([self], name)

    def perform(self, context):
        """What a substitution stands for. context: values of the launch arguments by name."""
        if self.name == "LaunchConfiguration":
            return context[self.given[0]]
        if self.name == "FindPackageShare":
            return str(ROOT)
        if self.name == "PathJoinSubstitution":
            return "/".join(text(part, context) for part in self.given[0])
        if self.name == "EnvironmentVariable":
            default = text(self.named.get("default_value", ""), context)
            return os.environ.get(self.given[0], default)
        raise NotImplementedError(self.name)


def text(value, context):
    """A text, a substitution, or a list of both, as launch would resolve it."""
    if isinstance(value, list | tuple):
        return "".join(text(part, context) for part in value)
    return value.perform(context) if isinstance(value, Call) else value


def parameter_text(value, context):
    """What launch_ros writes behind ``-p NAME:=`` for the value of a SetParameter.

    It reads a substitution as YAML, makes a tuple of a list, and writes str() of what it has then;
    only the text of a ParameterValue with value_type=str stays as it is.
    """
    if isinstance(value, Call) and value.name == "ParameterValue":
        if value.named["value_type"] is not str:
            raise NotImplementedError(value.named["value_type"])
        return text(value.given[0], context)
    read = yaml.safe_load(text(value, context))
    return str(tuple(read) if isinstance(read, list) else read)


def found_in(values, name):
    """Every recorded call of that name in these values, at any depth."""
    found = []
    for value in _leaves(values):
        if isinstance(value, Call):
            found += [value] if value.name == name else []
            found += found_in([*value.given, *value.named.values()], name)
    return found


def stand_in_for_launch(monkeypatch):
    """Puts the recorders in place of the modules for one test."""
    for module in MODULES:
        monkeypatch.setitem(sys.modules, module, _recorder(module))


def load_launch_file(path):
    """The launch file as a module."""
    spec = importlib.util.spec_from_file_location("launch_file", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Arguments(dict):
    """Values of launch arguments by name, which remembers whose value was asked for."""

    def __init__(self, values):
        super().__init__(values)
        self.asked = set()

    def __getitem__(self, name):
        self.asked.add(name)
        return super().__getitem__(name)


def default_arguments(description, **changes):
    """The arguments of a launch file with their defaults, and some of them given."""
    declared = {call.given[0]: call.named for call in description.all("DeclareLaunchArgument")}
    assert set(changes) <= set(declared)
    values = {name: text(named.get("default_value", ""), {}) for name, named in declared.items()}
    return Arguments({**values, **changes})


def _leaves(values):
    for value in values:
        if isinstance(value, list | tuple | ItemsView):
            yield from _leaves(value)
        elif isinstance(value, dict):
            yield from _leaves(value.values())
        else:
            yield value


def _recorder(module):
    """A module of which every attribute records how it is called."""

    def attribute(name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *given, **named: Call(name, given, named)

    stand_in = ModuleType(module)
    stand_in.__getattr__ = attribute
    return stand_in
