"""The node under test as a process of its own, with its log in a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


class SoakedProcess:
    """The node under test; a context manager that ends it by SIGTERM and keeps its exit code."""

    def __init__(self, bundle: Path, log: Path, **parameters: Any) -> None:
        values = {
            "bundle": str(bundle),
            "mounting_source": "parameters",
            "camera.mounting.height_m": 1.5,
            "max_frame_age_s": 10.0,
            **parameters,
        }
        given = [part for name, value in values.items() for part in ("-p", f"{name}:={value}")]
        self._log = log.open("wb")
        self.exit_code: int | None = None
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "benchmarks" / "soaked_node.py"), "--ros-args", *given],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            },
        )

    def __enter__(self) -> SoakedProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            self.exit_code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.exit_code = self.process.wait()
        self._log.close()

    def is_alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None
