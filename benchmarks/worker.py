"""A way of doing something in a process of its own, asked line by line.

Two ways that are compared live in two processes, so that neither inherits the other's memory or
threads, and take turns, so that whatever else the machine does slows both. A script starts itself
again with `--serve NAME --threads N`; there it calls `serve`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any


def serve(answer: Callable[[str], dict[str, Any]]) -> None:
    """Say that this process is ready, then answer each line on stdin with one line of JSON."""
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(line.strip())), flush=True)


class Worker:
    """The asking side; a context manager that ends the process."""

    def __init__(self, script: str, name: str, threads: int) -> None:
        """Start `script --serve name --threads threads` and wait until it is ready."""
        self._script = Path(script).stem
        root = str(Path(__file__).resolve().parents[1])
        self._process = subprocess.Popen(
            [sys.executable, script, "--serve", name, "--threads", str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": root},
        )
        self._read()

    def run(self, request: str = "") -> dict[str, Any]:
        """Ask once and wait for the answer; SystemExit when the process has ended."""
        assert self._process.stdin is not None
        # where the process is gone, reading says so
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{request}\n")
            self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._read())
        return answer

    def close(self) -> None:
        """End the process and wait for its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._script}: a process ended early, see above")
        return line
