"""What a benchmark leaves behind for the page of all of them: its ratios, or why there are none."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from ood_perception.command_line import write_json
from ood_perception.machine_facts import machine_facts

NODE_NEEDS = {
    module: f"{module} is not installed: source a ROS installation, or `make setup`"
    for module in ("rclpy", "ood_detection")
}


def claim(
    what: str, ratio: float, *, at_most: float | None = None, at_least: float | None = None
) -> dict[str, Any]:
    """One row of the page: what is compared, the ratio, and the bound that is wanted of it."""
    met = (at_most is None or ratio <= at_most) and (at_least is None or ratio >= at_least)
    words = [f"at most {at_most:g}"] if at_most is not None else []
    words += [f"at least {at_least:g}"] if at_least is not None else []
    wanted = " and ".join(words)
    return {"what": what, "ratio": ratio, "wanted": wanted or None, "met": met if wanted else None}


def write_outcome(
    path: Path | None, result: dict[str, Any], claims: list[dict[str, Any]], threads: int | None
) -> None:
    """The benchmark's own figures, its claims and the machine as JSON; nothing without a path.

    threads: of each contestant; None for as many as the libraries take.
    """
    machine = machine_facts()
    used = threads or machine["cores"]
    write_json(path, {**result, "claims": claims, "threads": used, "machine": machine})


def is_left_out(what: str, path: Path | None, needs: dict[str, str]) -> bool:
    """Whether something that a benchmark needs is not there: printed, and written as its outcome.

    what: the benchmark, for a person. needs: modules, and why there is nothing without each.
    """
    for module, reason in needs.items():
        if importlib.util.find_spec(module) is None:
            print(f"{what}: left out, {reason}")
            write_json(path, {"skipped": reason, "machine": machine_facts()})
            return True
    return False


def use_cores(count: int) -> int:
    """Keep this process and its threads on the first `count` cores it may use; how many it got."""
    if not hasattr(os, "sched_setaffinity"):
        return os.cpu_count() or 1
    cores = sorted(os.sched_getaffinity(0))[:count]
    os.sched_setaffinity(0, cores)
    return len(cores)
