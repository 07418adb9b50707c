"""How much memory this process holds, the most that it held (Linux), and how to hand some back."""

from __future__ import annotations

import ctypes
import gc
import resource
from pathlib import Path

_PROCESS = Path("/proc/self")


def resident_bytes(process_id: int | None = None) -> int:
    """Physical memory that this process, or another one of that id, holds now, in bytes.

    Raises OSError where there is no /proc, so anywhere but on Linux, or no such process.
    """
    place = _PROCESS if process_id is None else _PROCESS.with_name(str(process_id))
    pages = int((place / "statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def peak_bytes() -> int:
    """The most that it held since its start, or since `forget_peak`, in bytes."""
    try:
        for line in (_PROCESS / "status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def forget_peak() -> bool:
    """Let the peak begin anew; False where the system does not offer that (proc(5), clear_refs)."""
    try:
        (_PROCESS / "clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def hand_back_freed() -> None:
    """Frees what only circles of garbage hold, and hands all that is free back to the system.

    glibc keeps large blocks once such have been freed, and cuts them up for small ones: loading a
    model again and again lets a process grow in steps, though no more of it is in use. Elsewhere
    (musl, macOS) only the garbage is collected.
    """
    gc.collect()
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return
    trim(ctypes.c_size_t(0))
