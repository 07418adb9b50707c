"""What every `ood` command shares: errors as one line with exit code 2, results as JSON."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ood_perception.errors import OodError

BAD_INPUT = 2


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn an OodError into one line on stderr and exit code 2."""
    try:
        yield
    except OodError as error:
        print(f"ood: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(BAD_INPUT)
    except KeyboardInterrupt:
        print("ood: interrupted", file=sys.stderr)
        sys.exit(130)


def write_json(path: Path | None, result: Any) -> None:
    """Write a result whole or not at all; nothing is done without a path.

    Raises:
        OodError: the file cannot be written.
    """
    if path is None:
        return
    text = json.dumps(result, indent=1, allow_nan=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(handle, "w") as stream:
                stream.write(text)
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        raise OodError(f"cannot write {path}: {error.strerror}") from error


def progress_bar() -> Progress:
    """A bar on stderr with count and time left; it disappears when it is done.

    Where stderr is no terminal nothing is written, so that an error stays the only line there.
    """
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def on_progress(bar: Progress, description: str) -> Callable[[int, int | None], None]:
    """A function (done, total or None) that moves a line of the bar."""
    task = bar.add_task(description, total=None)

    def move(done: int, total: int | None) -> None:
        bar.update(task, completed=done, total=total)

    return move
