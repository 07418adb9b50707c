"""What a measurement ran on: processor, versions, commit. Numbers without them say little."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cv2

_ROOT = Path(__file__).resolve().parents[1]
_PACKAGES = ("numpy", "onnxruntime", "onnxruntime-gpu", "torch", "tensorrt", "tensorrt-rtx-cu13")


def machine_facts() -> dict[str, Any]:
    """Processor, cores and versions of this machine and process, as JSON takes them.

    Keys: date (ISO, UTC), cpu, cores (that this process may use), opencv_threads, memory_gb,
    system, versions (of Python and of the packages that are installed), commit (None outside a
    checkout), uncommitted_changes (of the checkout, None outside one).
    """
    commit, changed = _checkout()
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "opencv_threads": cv2.getNumThreads(),
        "memory_gb": _memory_gb(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "versions": {
            "python": platform.python_version(),
            "opencv": cv2.__version__,
            **{name: found for name in _PACKAGES if (found := _version(name)) is not None},
        },
        "commit": commit,
        "uncommitted_changes": changed,
    }


def cpu_name() -> str:
    """The processor's name as Linux tells it; the architecture where it tells none."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for key in ("model name", "Model", "Hardware"):
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip() == key and value.strip():
                return value.strip()
    return platform.processor() or platform.machine() or "unknown"


def usable_cores() -> int:
    """How many processor cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (OSError, ValueError):
        return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _checkout() -> tuple[str | None, bool | None]:
    """Commit of the sources, and whether anything differs from it; None twice without git."""
    if not (_ROOT / ".git").exists():
        return None, None
    commit = _git("rev-parse", "HEAD")
    status = _git("status", "--porcelain")
    return commit, None if commit is None or status is None else bool(status)


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
