"""Held-out proxy images as an evaluation set: unknown objects where they live, not pasted.

python -m ood_training.proxy_evaluation_set ../shared/data/coco --out runs/held_out_animals

Pasted objects tell how well a network finds what was pasted. Here an object must be told from its
own surroundings, grass and bushes that street data do not show, without touching any anomaly set.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from ood_perception.command_line import one_line_errors
from ood_perception.commands.options import JsonOption
from ood_perception.errors import OodError
from ood_training.commands.result import show_result
from ood_training.datasets.coco import coco_proxies
from ood_training.proxy_index import ProxySelection, select_proxies
from ood_training.whole_files import written_whole

_KNOWN, _UNKNOWN = 0, 1


def write_evaluation_set(
    coco_root: Path,
    out: Path,
    year: str = "train2017",
    *,
    fold: int = 1,
    folds: int = 2,
    selection: ProxySelection | None = None,
) -> int:
    """Write the pictures of a fold in the SegmentMeIfYouCan layout and return how many.

    Labels: 1 on annotated objects, 0 on everything else, which COCO does not annotate: an object of
    an unnamed kind counts as known. The pictures stay under COCO's terms.

    Args:
        fold, folds: which images; name a fold that the training does not use.
        selection: None takes images that show animals and 1% to 60% unknown pixels.

    Raises OodError when nothing is left, or ``out`` is not empty.
    """
    selection = selection or ProxySelection(0.01, 0.6, supercategories=("animal",))
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OodError(f"{out} is not an empty folder: name a new one, or remove it")
    chosen = select_proxies(coco_proxies(coco_root, year, fold=fold, folds=folds), selection)
    for proxy in chosen:
        name = f"{proxy.image_id:012d}"
        label = np.where(proxy.mask, _UNKNOWN, _KNOWN).astype(np.uint8)
        with written_whole(out / "images" / f"{name}{proxy.path.suffix}") as temporary:
            shutil.copyfile(proxy.path, temporary)
        with written_whole(out / "labels_masks" / f"{name}_labels_semantic.png") as temporary:
            temporary.write_bytes(cv2.imencode(".png", label)[1].tobytes())
    return len(chosen)


def main(
    coco: Annotated[Path, typer.Argument(help="COCO's official tree.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="A new folder for the set.")],
    year: Annotated[str, typer.Option(help="Which annotations.")] = "train2017",
    fold: Annotated[int, typer.Option(help="Which part of the images.")] = 1,
    folds: Annotated[int, typer.Option(min=2, help="How many parts there are.")] = 2,
    json_file: JsonOption = None,
) -> None:
    """Write held-out COCO images with animals as a set that `ood evaluate --format smiyc` reads."""
    with one_line_errors():
        count = write_evaluation_set(coco, out, year, fold=fold, folds=folds)
        show_result({"images": count, "folder": str(out)}, json_file)


if __name__ == "__main__":
    typer.run(main)
