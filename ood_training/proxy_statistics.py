"""What share of the proxies each supercategory makes: numbers and a plot of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ood_training.figure_files import write_figure
from ood_training.proxy_index import SUBSETS, IndexRow


def supercategory_shares(rows: Sequence[IndexRow]) -> dict[str, Any]:
    """For all proxies, L-20% and M-80%: their number and what each supercategory makes of it.

    ``images`` of a supercategory are those that show it; ``pixel_share`` is its part of all pixels
    of the subset's images, in [0, 1]. Supercategories may overlap, so shares need not add up to
    the share of unknown pixels.
    """
    names = sorted({name for row in rows for name in row.areas})
    result = {}
    for subset, selection in SUBSETS.items():
        chosen = [row for row in rows if selection.takes(row)]
        pixels = sum(row.height * row.width for row in chosen)
        result[subset] = {
            "images": len(chosen),
            "supercategories": {name: _share_of(name, chosen, pixels) for name in names},
        }
    return result


def _share_of(name: str, rows: Sequence[IndexRow], pixels: int) -> Mapping[str, float]:
    areas = [row.areas.get(name, 0) for row in rows]
    return {
        "images": sum(area > 0 for area in areas),
        "pixel_share": sum(areas) / pixels if pixels else 0.0,
    }


def plot_supercategories(path: Path, rows: Sequence[IndexRow]) -> None:
    """Bars of pixel share and number of images of each supercategory, for all, L-20% and M-80%.

    Written as PNG, whole or not at all; raises OodError when it cannot be.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    subsets = supercategory_shares(rows)
    everything = subsets["all"]["supercategories"]
    names = sorted(everything, key=lambda name: everything[name]["pixel_share"])
    figure = Figure(figsize=(11.0, 1.5 + 0.42 * len(names)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2, sharey=True)
    height = 0.8 / len(subsets)
    for number, (subset, content) in enumerate(subsets.items()):
        # the first subset is the uppermost bar of its group
        places = [at + height * (len(subsets) / 2 - number - 0.5) for at in range(len(names))]
        label = f"{subset} ({content['images']} images)"
        for axis, key, factor in ((axes[0], "pixel_share", 100.0), (axes[1], "images", 1.0)):
            values = [content["supercategories"][name][key] * factor for name in names]
            axis.barh(places, values, height, label=label)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_xlabel("share of the subset's pixels (%)")
    axes[1].set_xlabel("images that show it")
    axes[1].legend(loc="lower right")
    write_figure(figure, path)
