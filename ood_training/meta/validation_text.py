"""A validation's report as tables for people: the kinds of classifiers side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

Row = tuple[str, Callable[[dict[str, Any]], str]]


def report_text(report: dict[str, Any], title: str) -> Iterator[RenderableType]:
    """What `validation_report` or `cross_data_report` found, to be printed one after another."""
    yield f"[bold]{title}[/bold]: {escape(', '.join(report['tables']))}"
    yield (
        f"bundle {escape(report['model_id'])}, {report['score']} >= {report['threshold']:g}; "
        + _counts_text(report)
    )
    if "learned_from" in report:
        learned = report["learned_from"]
        yield f"learned from {escape(', '.join(learned['tables']))}: {_counts_text(learned)}"
    if "folds" in report:
        yield report["folds"]["text"]
    yield report["decision"]["text"]
    yield _side_by_side(report["kinds"])
    if "bootstrap" in report:
        yield from _differences(report["bootstrap"])
    for name, part in report.get("by_table", {}).items():
        yield f"the same predictions, {escape(name)} alone: {_counts_text(part)}"
        yield _side_by_side(part["kinds"])
    yield "[ ]: 95%, shares exact (Clopper-Pearson), the others by bootstrap over sequences"


def _counts_text(counts: dict[str, Any]) -> str:
    ignored = counts["ignored_components"]
    return (
        f"{counts['components']} components, {counts['false_positives']} of them false positives"
        + (f" ({ignored} on ignored cells)" if ignored else "")
        + f"; {counts['objects_hit']} of {counts['objects']} objects hit; "
        f"{counts['images']} images, {counts['sequences']} sequences"
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _interval(kind: dict[str, Any], name: str, text: Callable[[float | None], str]) -> str:
    found = kind["intervals"].get(name)
    if found is None or found["low"] is None:
        return ""
    return f" \\[{text(found['low'])}, {text(found['high'])}]"


def _figure(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda kind: _number(kind[name])


def _count(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda kind: str(kind["at_decision"][name])


def _share(count: str, interval: str) -> Callable[[dict[str, Any]], str]:
    """A count with its share and the share's interval."""

    def text(kind: dict[str, Any]) -> str:
        share = _percent(kind["intervals"][interval]["value"])
        return f"{kind['at_decision'][count]}, {share}{_interval(kind, interval, _percent)}"

    return text


def _decision(kind: dict[str, Any]) -> str:
    chosen = kind["decision"]
    if chosen["lowest"] == chosen["highest"]:
        return _number(chosen["median"])
    return (
        f"{_number(chosen['median'])} ({_number(chosen['lowest'])} to {_number(chosen['highest'])})"
    )


def _change(before: str, after: str, text: Callable[[Any], str]) -> Callable[[dict[str, Any]], str]:
    return lambda kind: f"{text(kind['at_decision'][before])} to {text(kind['at_decision'][after])}"


_ROWS: tuple[Row, ...] = (
    (
        "average precision",
        lambda kind: (
            _number(kind["average_precision"]) + _interval(kind, "average_precision", _number)
        ),
    ),
    ("AUROC", _figure("auroc")),
    ("accuracy at 0.5", _figure("accuracy")),
    ("Brier score", _figure("brier_score")),
    ("expected calibration error", _figure("expected_calibration_error")),
    ("decision", _decision),
    (
        "false positives removed",
        _share("false_positives_removed", "false_positives_removed_share"),
    ),
    ("false positives kept", _count("false_positives_kept")),
    ("true positives removed", _count("true_positives_removed")),
    ("true positives kept", _count("true_positives_kept")),
    (
        "objects newly missed, of those hit",
        _share("objects_newly_missed", "newly_missed_share_of_objects_hit"),
    ),
    (
        "objects newly missed, of all",
        _share("objects_newly_missed", "newly_missed_share_of_objects"),
    ),
    ("objects missed", _change("objects_missed_before", "objects_missed_after", str)),
    ("F1", _change("f1_before", "f1_after", _number)),
    ("object-level error FP + FN", _change("error_before", "error_after", str)),
    (
        "its reduction",
        lambda kind: (
            _percent(kind["at_decision"]["error_reduction"])
            + _interval(kind, "error_reduction", _percent)
        ),
    ),
)


def _side_by_side(kinds: dict[str, Any]) -> Table:
    table = Table()
    table.add_column("positive = false positive")
    for kind in kinds:
        table.add_column(kind, justify="right", overflow="fold")
    for name, text in _ROWS:
        table.add_row(name, *(text(kind) for kind in kinds.values()))
    return table


def _differences(bootstrap: dict[str, Any]) -> Iterator[str]:
    yield (
        f"bootstrap: {bootstrap['resamples']} resamples of {bootstrap['sequences']} sequences, "
        f"seed {bootstrap['seed']}"
    )
    for one in bootstrap["average_precision_differences"]:
        bounds = "" if one["low"] is None else f" \\[{one['low']:+.4f}, {one['high']:+.4f}]"
        yield f"average precision, {one['kind']} minus {one['minus']}: {one['value']:+.4f}{bounds}"
