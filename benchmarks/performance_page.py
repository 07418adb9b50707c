"""The page of all benchmarks, from the JSON that each of them wrote."""

from __future__ import annotations

from typing import Any, NamedTuple

_HEAD = """# Performance

Written by `make bench`; do not edit. Every ratio compares two ways that took turns in one run, so
that whatever else the machine did slowed both.

"""


class Report(NamedTuple):
    """One benchmark's answer: its JSON, or why there is none. ``command``: how to run it alone."""

    name: str
    command: str
    result: dict[str, Any] | None
    reason: str = ""


def performance_page(reports: list[Report], machine: dict[str, Any]) -> str:
    """Markdown: the machine, then one table with a row for every ratio and every gap."""
    lines = ["| compared | ratio | wanted | met | threads | command |", "|---|---|---|---|---|---|"]
    for report in reports:
        lines += [_row(*cells, f"`{report.command}`") for cells in _cells(report)]
    return _HEAD + _machine_words(machine) + "\n\n" + "\n".join(lines) + "\n"


def unmet(reports: list[Report]) -> list[str]:
    """What was measured and is not as wanted."""
    claims = [claim for report in reports if report.result for claim in _claims(report.result)]
    return [claim["what"] for claim in claims if claim["met"] is False]


def missing(reports: list[Report]) -> list[str]:
    """The benchmarks that failed or were skipped."""
    return [r.name for r in reports if r.result is None or "skipped" in r.result]


def _cells(report: Report) -> list[tuple[str, str, str, str, str]]:
    if report.result is None:
        return [(f"**{report.name}: failed**, {report.reason}", "", "", "", "")]
    if "skipped" in report.result:
        return [(f"**{report.name}: skipped**, {report.result['skipped']}", "", "", "", "")]
    threads = str(report.result["threads"])
    answers = {True: "yes", False: "**no**", None: ""}
    return [
        (
            claim["what"],
            f"{claim['ratio']:.3g}",
            claim["wanted"] or "",
            answers[claim["met"]],
            threads,
        )
        for claim in _claims(report.result)
    ]


def _claims(result: dict[str, Any]) -> list[dict[str, Any]]:
    claims: list[dict[str, Any]] = result.get("claims", [])
    return claims


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _machine_words(machine: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    commit = machine["commit"] or "unknown (no checkout)"
    if machine["uncommitted_changes"]:
        commit += " with uncommitted changes"
    return (
        f"Machine: {machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
        f"{machine['system']}. Versions: {versions}. Commit: {commit}. Date: {machine['date']}."
    )
