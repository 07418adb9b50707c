"""`ood meta build`: labelled images to a table of components."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ood_perception.command_line import on_progress, progress_bar
from ood_perception.commands.options import BundleOption, JsonOption
from ood_training.commands.result import show_result


def build(
    bundle: BundleOption,
    out: Annotated[
        Path, typer.Option(help="NAME.parquet; NAME.objects.parquet is written beside it.")
    ],
    data: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads this at run time, also on Python 3.10
        typer.Option(help="Folder of a data set with unknown objects."),
    ] = None,
    kind: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--format",
            help="smiyc, cityscapes, camvid, lost_and_found, fishyscapes, folder or generated.",
        ),
    ] = None,
    configuration: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--configuration",
            "-c",
            help="Meta configuration (YAML) instead of a data set: frames with pasted objects.",
        ),
    ] = None,
    split: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Split of the data set; the one for evaluation by default."),
    ] = None,
    label_map: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Label map by name or YAML file; the data set's own by default."),
    ] = None,
    every: Annotated[int, typer.Option(help="Use every Nth frame, from the first on.")] = 1,
    threshold: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Score from which a cell is anomalous; the bundle's by default."),
    ] = None,
    ignored: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="Components wholly on cells that the labels ignore: drop (default) or "
            "false_positive."
        ),
    ] = None,
    roi: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="labels: components are made without ignored cells, as published; none: as in "
            "the vehicle (default)."
        ),
    ] = None,
    least_overlap: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            help="Share of its cells that a component needs on unknown objects, or else it is a "
            "false positive; 0, one cell is enough, by default."
        ),
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Collect a bundle's components on labelled images, with metrics and labels, in one table.

    --ignored, --roi and --least-overlap take precedence over the configuration.
    """
    from ood_training.meta.table_build import BuildRequest, build_table

    rules = {"ignored": ignored, "roi": roi, "least_overlap": least_overlap}
    request = BuildRequest(
        bundle=bundle,
        out=out,
        data=data,
        kind=kind,
        configuration=configuration,
        split=split,
        label_map=label_map,
        every=every,
        threshold=threshold,
        rules={name: value for name, value in rules.items() if value is not None},
    )
    with progress_bar() as bar:
        result = build_table(request, on_progress(bar, "components"))
    show_result(result, json_file)
