"""`ood proxies`: COCO annotations to masks of unknown objects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ood_perception.commands.options import JsonOption
from ood_training.commands.result import show_result


def proxies(
    coco: Annotated[
        Path, typer.Argument(help="COCO's official tree, with annotations/instances_YEAR.json.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for masks, index and plot.")],
    year: Annotated[str, typer.Option(help="Which annotations: train2017 or val2017.")] = (
        "train2017"
    ),
    exclude_train: Annotated[
        bool,
        typer.Option(
            "--exclude-train/--keep-train",
            help="Drop images with COCO's trains too; the published code keeps them.",
        ),
    ] = True,
    min_side: Annotated[
        int,
        typer.Option(min=0, help="Drop images with a shorter side than this; the paper: 480."),
    ] = 0,
    json_file: JsonOption = None,
) -> None:
    """Build masks of unknown objects from COCO, with an index of every image's share."""
    from ood_perception.command_line import on_progress, progress_bar
    from ood_training.proxy_masks import build_proxies

    with progress_bar() as bar:
        result = build_proxies(
            coco,
            out,
            year,
            exclude_train=exclude_train,
            min_side=min_side,
            on_progress=on_progress(bar, "proxies"),
        )
    show_result(result, json_file)
