"""The other processes of a demo, and the corner of the network that they share."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from ood_perception.errors import OodError

_LOG_TAIL_LINES = 30


class DemoError(OodError):
    """The demo could not come to its end. log_tail: the last lines of the process at fault."""

    def __init__(self, message: str, log_tail: str = "") -> None:
        super().__init__(message)
        self.log_tail = log_tail


def isolate_network(profile: Path, domain_id: int | None = None) -> int:
    """Sets this process's environment, and so that of its children, for a run of its own.

    profile: Fast DDS profile with enough shared memory for large images. domain_id: a random one
    when None. Has to be called before rclpy is initialised. Returns the domain id.
    """
    domain_id = random.SystemRandom().randint(1, 99) if domain_id is None else domain_id
    os.environ["ROS_DOMAIN_ID"] = str(domain_id)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    if os.environ.get("ROS_DISTRO") == "humble":
        os.environ["ROS_LOCALHOST_ONLY"] = "1"  # Humble does not know the discovery range
    for name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
        os.environ[name] = str(profile)
    return domain_id


class PythonProcess:
    """A module of ours that runs in a process of its own; it ends with the ``with`` block.

    name: for messages. log: file that takes its stdout and stderr.
    """

    def __init__(self, name: str, module: str, arguments: Sequence[str], log: Path) -> None:
        self._name = name
        self._log = log
        self._command = [sys.executable, "-m", module, *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> PythonProcess:
        with self._log.open("wb") as output:
            # A session of its own: Ctrl-C reaches the demo alone, which then stops its children.
            self._process = subprocess.Popen(
                self._command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.exit_code is None:
            self.stop()

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative when a signal ended it."""
        return None if self._process is None else self._process.poll()

    @property
    def log_tail(self) -> str:
        """Its last lines."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LOG_TAIL_LINES:])

    def check_running(self) -> None:
        """Raises DemoError when it has ended."""
        if self.exit_code is not None:
            raise self.failure(f"ended by itself with exit code {self.exit_code}")

    def failure(self, what: str) -> DemoError:
        """An error about this process, with the tail of its log."""
        return DemoError(f"{self._name} {what}", self.log_tail)

    def stop(self, patience_s: float = 15.0) -> int:
        """SIGINT, then SIGTERM, then SIGKILL, each after patience_s. Returns the exit code."""
        if self._process is None:
            raise DemoError(f"{self._name} was not started")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                self._process.send_signal(number)
            try:
                return self._process.wait(patience_s)
            except subprocess.TimeoutExpired:
                continue
        raise self.failure("cannot be ended")


class OutputFolder:
    """A folder that replaces an older one only when it is whole.

    Within the ``with`` block the new folder grows beside the old one, at ``path``; ``finish``
    moves it into place, and without it nothing is left and the old one stays.

    Raises OodError when something stands there that no earlier demo wrote, or that cannot be
    written.
    """

    def __init__(self, destination: Path, mark: str) -> None:
        self._destination = destination.absolute()
        self._mark = mark
        if self._destination.exists() and not self._is_replaceable():
            raise OodError(
                f"{destination} holds something that is not an earlier demo's (no {mark}): "
                "choose another output folder"
            )

    def __enter__(self) -> Path:
        parent = self._destination.parent
        try:
            parent.mkdir(parents=True, exist_ok=True)
            self._work = tempfile.TemporaryDirectory(
                prefix=f".{self._destination.name}-", dir=parent
            )
        except OSError as error:
            raise OodError(f"cannot write beside {self._destination}: {error.strerror}") from error
        path = Path(self._work.name) / self._destination.name
        path.mkdir()
        return path

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._work.cleanup()

    def finish(self) -> None:
        """Moves the new folder to its destination."""
        new = Path(self._work.name) / self._destination.name
        if self._destination.exists():
            self._destination.rename(new.with_name("replaced"))
        new.rename(self._destination)

    def _is_replaceable(self) -> bool:
        if not self._destination.is_dir():
            return False
        return (self._destination / self._mark).is_file() or not any(self._destination.iterdir())
