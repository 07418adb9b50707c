"""What `ood check-data` found: as a table for people, as JSON for their scripts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Problem:
    """Something wrong with one file.

    kind: in words, the same for all problems of its sort.
    file: relative to the data set's folder where it lies below it.
    values: pixels by unexpected label value, for that kind of problem.
    """

    kind: str
    file: str
    detail: str = ""
    values: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class DataReport:
    """Findings for one split.

    counts: what was counted, in words.
    image_sizes: images by ``WIDTHxHEIGHT``.
    shares: share of all label pixels by class, ``unknown``, ``ignore`` and ``not in the map``.
    categories: annotations by category (COCO).
    """

    name: str
    counts: dict[str, int]
    image_sizes: dict[str, int] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    categories: dict[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "counts": self.counts,
            "image_sizes": self.image_sizes,
            "pixel_shares": {name: round(share, 6) for name, share in self.shares.items()},
            "annotations": self.categories,
            "problems": {
                kind: [_problem_json(problem) for problem in problems]
                for kind, problems in self.problems_by_kind()
            },
        }

    def problems_by_kind(self) -> Iterator[tuple[str, list[Problem]]]:
        """Kinds in alphabetical order, files sorted within each."""
        ordered = sorted(self.problems, key=lambda problem: (problem.kind, problem.file))
        for kind, problems in groupby(ordered, key=lambda problem: problem.kind):
            yield kind, list(problems)


def _problem_json(problem: Problem) -> dict[str, Any]:
    result: dict[str, Any] = {"file": problem.file}
    if problem.detail:
        result["detail"] = problem.detail
    if problem.values:
        result["values"] = {str(value): pixels for value, pixels in problem.values.items()}
    return result


def print_report(report: DataReport, console: Console, most_lines: int) -> None:
    """Tables of what is there, then every problem's file, ``most_lines`` at most of each kind."""
    table = Table(title=report.name, title_justify="left", show_header=False)
    for what, count in report.counts.items():
        table.add_row(what, str(count))
    _add_counts(table, report.image_sizes, "images of", most_lines)
    for name, share in report.shares.items():
        table.add_row(f"pixels of {name}", f"{share:.3%}")
    _add_counts(table, report.categories, "annotations of", most_lines)
    console.print(table, markup=False)
    for kind, problems in report.problems_by_kind():
        _line(console, f"{kind}: {len(problems)}")
        for problem in problems[:most_lines]:
            _line(console, f"  {problem.file}{': ' if problem.detail else ''}{problem.detail}")
        if len(problems) > most_lines:
            _line(console, f"  ... and {len(problems) - most_lines} more")


def _add_counts(table: Table, counts: dict[str, int], what: str, most_lines: int) -> None:
    for name, count in list(counts.items())[:most_lines]:
        table.add_row(f"{what} {name}", str(count))
    rest = list(counts.values())[most_lines:]
    if rest:
        table.add_row(f"{what} {len(rest)} others", str(sum(rest)))


def _line(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
