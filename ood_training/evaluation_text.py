"""An evaluation in words: every number with the protocol by which it was measured."""

from __future__ import annotations

from typing import Any

from ood_training.evaluation_protocols import (
    COMPONENTS_TEXT,
    EXACT_TEXT,
    MIOU_TEXT,
    PROTOCOL_TEXTS,
    SMIYC_COMPONENTS_TEXT,
    SMIYC_META_TEXT,
)

_NAME_WIDTH = 18
_COMPONENT_FIGURES = ("sIoU", "PPV", "F1")


def evaluation_lines(result: dict[str, Any]) -> list[str]:
    """Lines to print of a result of `ood evaluate`."""
    data = result["data"]
    split = f", split {data['split']}" if data["split"] else ""
    step = f", one of {data['every']}" if data["every"] > 1 else ""
    lines = [f"{data['path']} ({data['kind']}{split}, {data['frames']} frames{step})"]
    lines.append(f"{result['model']}, score: {result['score']}")
    if result["AP"] is not None:
        for name in ("AP", "FPR95", "AUROC"):
            text = f"{EXACT_TEXT}; {_exactness(result['bound'], name)}"
            lines.append(_line(name, result[name], text))
    for protocol, text in PROTOCOL_TEXTS.items():
        for name, value in result.get(protocol, {}).items():
            if isinstance(value, float):
                of_components = name in _COMPONENT_FIGURES
                lines.append(_line(name, value, SMIYC_COMPONENTS_TEXT if of_components else text))
    for masks, figures in result.get("smiyc_meta", {}).items():
        text = f"{SMIYC_META_TEXT}, {masks.replace('_', ' ')}"
        lines += [
            _line(name, figures[name], text)
            for name in _COMPONENT_FIGURES
            if figures[name] is not None
        ]
    if result["mIoU"] is not None:
        lines.append(_line("mIoU", result["mIoU"], MIOU_TEXT))
    if "components" in result:
        counts = ", ".join(f"{name} {value}" for name, value in result["components"].items())
        lines.append(f"components: {counts} ({COMPONENTS_TEXT})")
    return lines


def _line(name: str, value: float, protocol: str) -> str:
    return f"  {name:<{_NAME_WIDTH}}{value:.6f}  [{protocol}]"


def _exactness(bound: dict[str, list[float]] | None, name: str) -> str:
    if bound is None:
        return "exact"
    lowest, highest = bound[name]
    return f"scores finer than the levels: between {lowest:.6f} and {highest:.6f}"
