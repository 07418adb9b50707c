"""Runs pip and shows a person what matters of its output."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

_SHOWN_DOWNLOAD_MB = 20.0


class PipError(Exception):
    """The first error that pip reported."""


def pip_install(
    python: Path,
    arguments: list[str],
    variables: dict[str, str],
    log: Path,
    say: Callable[[str], None],
) -> None:
    """Installs with the pip of ``python``; everything that pip says is kept in ``log``.

    arguments: requirements and options of `pip install`. variables: the environment. say: shows one
    line. Raises PipError when pip fails.
    """
    command = [str(python), "-m", "pip", "install", "--progress-bar=off", "--no-input", *arguments]
    started = time.monotonic()
    errors = []
    with (
        log.open("w", encoding="utf-8") as kept,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**variables, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        ) as process,
    ):
        for line in process.stdout or ():
            kept.write(line)
            kept.flush()
            if line.lstrip().startswith("ERROR"):
                errors.append(line.strip())
            shown = shown_line(line.strip())
            if shown:
                say(f"  {time.monotonic() - started:4.0f} s  {shown}")
    if process.returncode != 0:
        raise PipError(errors[0] if errors else f"exit status {process.returncode}")


def shown_line(line: str) -> str:
    """What is worth showing of one line of pip's output: nothing ('') for most of them."""
    download = re.search(r"^Downloading \S*?([^/\s]+) \(([\d.]+) (MB|GB)\)", line)
    if download and (download[3] == "GB" or float(download[2]) >= _SHOWN_DOWNLOAD_MB):
        return f"downloading {download[1]} ({download[2]} {download[3]})"
    if line.startswith("Installing collected packages:"):
        return f"installing {line.count(',') + 1} packages"
    return ""
