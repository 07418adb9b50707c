"""Plots written as PNG files, whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from ood_training.whole_files import written_whole


def write_figure(figure: Figure, path: Path) -> Path:
    """Write one figure and return its path; OodError when it cannot be written."""
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=100)
    return path


def write_figures(figures: Mapping[str, Figure], folder: Path) -> tuple[Path, ...]:
    """Write each as ``NAME.png``; their paths. Raises OodError when one cannot be written."""
    return tuple(write_figure(figure, folder / f"{name}.png") for name, figure in figures.items())
