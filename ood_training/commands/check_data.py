"""`ood check-data`: is a data set whole?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer
from rich.console import Console

from ood_perception.command_line import on_progress, progress_bar, write_json
from ood_perception.commands.options import JsonOption
from ood_perception.errors import OodError


def check_data(
    root: Annotated[Path, typer.Argument(help="Folder of the data set.")],
    kind: Annotated[
        str,
        typer.Option(
            help="camvid, cityscapes, coco, fishyscapes, folder, generated, lost_and_found, smiyc."
        ),
    ],
    split: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Only this split; every one by default."),
    ] = None,
    label_map: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Name of a label map or path of a YAML file."),
    ] = None,
    most_lines: Annotated[
        int, typer.Option(min=1, help="Files named for each kind of problem; JSON names all.")
    ] = 20,
    json_file: JsonOption = None,
) -> None:
    """Walk a data set: counts, sizes, class shares, and every file with something wrong."""
    from ood_training.coco_check import check_coco
    from ood_training.data_check import check_frames
    from ood_training.data_report import print_report
    from ood_training.datasets.registry import DATASET_KINDS

    if kind not in (*DATASET_KINDS, "coco"):
        raise OodError(f"no kind of data set {kind!r}: known are {', '.join(DATASET_KINDS)}, coco")
    if kind == "coco" and label_map is not None:
        raise OodError("COCO has categories of its own; leave out --label-map")
    with progress_bar() as bar:
        move = on_progress(bar, kind)
        if kind == "coco":
            reports = check_coco(root, split, move)
        else:
            reports = check_frames(kind, root, split, label_map, move)
    for report in reports:
        print_report(report, Console(), most_lines)
    problems = sum(len(report.problems) for report in reports)
    result = [report.as_json() for report in reports]
    write_json(
        json_file, {"root": str(root), "kind": kind, "problems": problems, "reports": result}
    )
    if problems:
        noun = "problem" if problems == 1 else "problems"
        raise OodError(f"{root}: {problems} {noun}, listed above; correct or remove the files")
