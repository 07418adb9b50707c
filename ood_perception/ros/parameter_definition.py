"""What a parameter of the node is: type, range, description, and when it may change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

Value = bool | int | float | str | list[str]


class Changes(Enum):
    """When a parameter may be set."""

    NEVER = "at start-up only"
    UNCONFIGURED = "while the node is unconfigured"


@dataclass(frozen=True)
class Parameter:
    """One parameter. ``range``: least and greatest value. ``choices``: the only texts allowed.
    ``may_be_empty``: whether a list may name nothing."""

    name: str
    kind: type
    description: str
    range: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    changes: Changes = Changes.UNCONFIGURED
    may_be_empty: bool = False

    def fault(self, value: Value) -> str | None:
        """Why a value of the right type cannot be used, or None."""
        if self.choices and value not in self.choices:
            return f"{self.name} is {value!r}: choose one of {', '.join(self.choices)}"
        if self.range and isinstance(value, int | float):
            least, greatest = self.range
            if not least <= value <= greatest:  # written so that not-a-number fails too
                return f"{self.name} is {value}: must lie in [{least:g}, {greatest:g}]"
        if self.kind is list and not value and not self.may_be_empty:
            return f"{self.name} is empty: name at least one"
        return None
