"""What a soak of the node injected, what the node said, and whether that is as wanted."""

from __future__ import annotations

from typing import Any

from memory_slope import BLOCKS, block_floors, memory_slope

_WARMUP_SHARE = 0.2
_LOST_SHARE = 0.02
_FEWEST_FOR_GROWTH = 4000
"""Good images; before, caches and allocators still fill, and a slope says nothing."""


class Report:
    """What was injected, and what was said."""

    def __init__(self) -> None:
        self.faults: dict[str, dict[str, Any]] = {}
        self.wrong: list[str] = []
        self.resident: list[int] = []
        self.good_images = self.unanswered = 0
        self.waited_for_core_s = 0.0

    def note(self, name: str, said_s: float, recovered_s: float, message: str) -> None:
        """A fault that was answered and overcome."""
        entry = self.faults.setdefault(
            name, {"times": 0, "slowest_said_s": 0.0, "slowest_recovered_s": 0.0, "said": ""}
        )
        entry["times"] += 1
        entry["slowest_said_s"] = max(entry["slowest_said_s"], said_s)
        entry["slowest_recovered_s"] = max(entry["slowest_recovered_s"], recovered_s)
        entry["said"] = message


def result_of(
    report: Report, sent: int, exit_code: int | None, log: str, seconds: float
) -> dict[str, Any]:
    """The report as plain values, with what is ``wrong`` in words.

    sent: images of every kind. log: of the node. Memory is judged from the first fifth on, and only
    where enough images are left (``growth_judged``).
    """
    wrong = list(report.wrong)
    if exit_code != 0:
        wrong.append(f"the node ended with code {exit_code}")
    if report.unanswered > _LOST_SHARE * report.good_images + 1:
        wrong.append(f"{report.unanswered} of {report.good_images} good images not answered")
    result: dict[str, Any] = {
        "frames": sent,
        "good_frames": report.good_images,
        "good_frames_unanswered": report.unanswered,
        "faults_injected": sum(entry["times"] for entry in report.faults.values()),
        "faults": report.faults,
        "seconds": seconds,
        "waited_for_core_s": report.waited_for_core_s,
        "tracebacks_in_log": log.count("Traceback"),
        "last_log_lines": log.splitlines()[-3:],
    }
    after = report.resident[round(_WARMUP_SHARE * len(report.resident)) :]
    result["growth_judged"] = is_judged = len(after) >= _FEWEST_FOR_GROWTH
    if len(after) >= 3 * BLOCKS:
        slope = memory_slope(after)
        result |= {
            "resident_first_bytes": after[0],
            "resident_last_bytes": after[-1],
            "resident_by_block_bytes": block_floors(after),
            "bytes_per_frame": slope.bytes_per_frame,
            "interval_95": [slope.low, slope.high],
        }
        if slope.is_growth and is_judged:
            wrong.append(f"memory grows by {slope.bytes_per_frame:.0f} bytes a good image")
    return {**result, "wrong": wrong}


def print_report(result: dict[str, Any]) -> None:
    """What was injected and what was said, for people."""
    print(
        f"{result['frames']} images through the node in {result['seconds']:.0f} s, "
        f"{result['faults_injected']} faults injected; {result['good_frames_unanswered']} of "
        f"{result['good_frames']} good images not answered within a second; "
        f"threads waited {result['waited_for_core_s']:.0f} s for a core, which no limit counts"
    )
    for name, entry in sorted(result["faults"].items()):
        print(
            f"  {entry['times']:4} x {name:34} said after at most {entry['slowest_said_s']:.2f} s, "
            f"right again after at most {entry['slowest_recovered_s']:.2f} s: {entry['said']}"
        )
    if "bytes_per_frame" in result:
        low, high = result["interval_95"]
        print(
            f"resident memory {result['resident_first_bytes'] / 1e6:.1f} MB after the warm-up, "
            f"{result['resident_last_bytes'] / 1e6:.1f} MB at the end; slope "
            f"{result['bytes_per_frame']:.0f} bytes an image, 95% interval {low:.0f} to {high:.0f}"
            + ("" if result["growth_judged"] else " (too few images to judge growth)")
        )
    for line in result["wrong"] or ["everything as wanted"]:
        print(f"  {line}")
