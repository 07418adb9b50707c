"""How training verbs hand over their result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from ood_perception.command_line import write_json


def show_result(result: dict[str, Any], json_file: Path | None) -> None:
    """Print a result as JSON, and write it where the person asked for."""
    write_json(json_file, result)
    Console().print_json(data=result)
