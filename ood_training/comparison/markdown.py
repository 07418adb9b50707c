"""A comparison as a section of Markdown: one table a data set, and one of latencies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ood_training.comparison.summary import COMPONENT_FIGURES

_MISSING = "–"


def comparison_markdown(summary: dict[str, Any], command: str) -> str:
    """What ``comparison_summary`` gives, to be read.

    command: what a reader would type to get the same. The largest mean AP of a table is bold.
    """
    height, width = summary["input_size"]
    seeds = ", ".join(str(seed) for seed in summary["seeds"])
    commits = ", ".join(_short(one) for one in summary["commits"]) or "unknown"
    if not any(data["rows"] for data in summary["sets"].values()):
        return f"Nothing of this comparison is finished.\n\n    {command}\n"
    parts = [
        "Mean ± sample standard deviation over the runs: trained methods have one for each seed "
        f"({seeds}), all others one. Checkpoints are looked at in {height}x{width}. AP, FPR95 and "
        "AUROC: every pixel that is not ignored, pooled, at the frames' own size, Fishyscapes' "
        "definitions; of trainings and checkpoints the scores before they come into [0, 1], which "
        f"a bundle's are measured in. Commit {commits}.",
        f"    {command}",
    ]
    if any(_shown(one, COMPONENT_FIGURES) for one in summary["sets"].values()):
        parts.append(
            "F1: SegmentMeIfYouCan's mean component F1 of the own masks of a bundle with the "
            "method's first score, without and with its meta classifier, both at the bundle's "
            "threshold, which the fit of the classifier chose among its candidates."
        )
    for name, data in summary["sets"].items():
        if data["rows"]:
            parts += [_head(name, data), _table(data)]
    if summary["latency"] and summary["latency"]["methods"]:
        parts += _latency(summary["latency"])
    parts += summary["notes"]
    return "\n\n".join(parts) + "\n"


def _head(name: str, data: dict[str, Any]) -> str:
    split = f", split {data['split']}" if data["split"] else ""
    every = f", one in {data['every']}" if data["every"] > 1 else ""
    components = f", components by {data['protocol']}" if _shown(data, COMPONENT_FIGURES) else ""
    return (
        f"**{name}**: {data['data']} ({data['kind']}{split}), {data['frames']} frames{every}"
        f"{components}"
    )


def _shown(data: dict[str, Any], names: Sequence[str]) -> list[str]:
    return [name for name in names if any(name in row["figures"] for row in data["rows"])]


def _table(data: dict[str, Any]) -> str:
    with_scores = any(row["score"] for row in data["rows"])
    figures = [*data["figures"], *_shown(data, COMPONENT_FIGURES)]
    heads = ["method", *(["score"] if with_scores else []), "runs", *figures]
    means = [row["figures"]["AP"]["mean"] for row in data["rows"] if "AP" in row["figures"]]
    best = max(means, default=0.0)
    lines = [_line(heads), _line(["---"] * len(heads))]
    for row in data["rows"]:
        score = [row["score"] or _MISSING] if with_scores else []
        cells = []
        for name in figures:
            cell = _cell(row["figures"].get(name), row["runs"])
            is_best = name == "AP" and cell.startswith(_number(best))
            cells.append(f"**{cell}**" if is_best else cell)
        lines.append(_line([row["method"], *score, str(row["runs"]), *cells]))
    return "\n".join(lines)


def _cell(figure: dict[str, Any] | None, runs: int) -> str:
    if figure is None:
        return _MISSING
    text = _number(figure["mean"])
    if figure["deviation"] is not None:
        text += f" ± {_number(figure['deviation'])}"
    count = len(figure["values"])
    return text if count == runs else f"{text} (n = {count})"


def _number(value: float) -> str:
    return f"{value:.3f}"


def _latency(latency: dict[str, Any]) -> list[str]:
    calls = latency["pictures"] * latency["rounds"]
    note = (
        f"Latency of the whole detector, letterbox to obstacles: median of {calls} calls on "
        f"{latency['pictures']} pictures, all bundles taking turns in one run (of trained methods "
        f"the first seed's), ONNX Runtime, {latency['cores']} cores of {latency['cpu']}. "
        f"The ratios to {latency['reference']!r} say something; milliseconds are this machine's."
    )
    lines = [_line(["method", "ms", "ratio"]), _line(["---"] * 3)]
    lines += [
        _line([name, f"{one['milliseconds']:.1f}", f"{one['ratio']:.2f}"])
        for name, one in latency["methods"].items()
    ]
    return [note, "\n".join(lines)]


def _short(commit: str) -> str:
    name, _, dirty = commit.partition("-")
    return name[:7] + (f"-{dirty}" if dirty else "")


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
