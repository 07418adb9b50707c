"""`ood meta explain`: what tells false positives apart, and the reasons of single decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ood_perception.command_line import on_progress, progress_bar, write_json
from ood_perception.commands.options import JsonOption

_DEFAULT_KINDS = ["logistic_regression", "network"]


def explain(
    tables: Annotated[list[Path], typer.Argument(help="Tables of components (Parquet).")],
    plots: Annotated[
        Path,
        typer.Option(
            help="Folder for plots: paths, quality by number of metrics, weights, curves."
        ),
    ],
    kind: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads this at run time, also on Python 3.10
        typer.Option(
            help="Kind of classifier, more than once for several; logistic_regression and network "
            "by default.",
            show_default=False,
        ),
    ] = None,
    components: Annotated[
        int,
        typer.Option(
            min=0, help="How many single decisions to explain, the most confident mistakes first."
        ),
    ] = 10,
    folds: Annotated[str, typer.Option(help="What a fold keeps together: sequence or image.")] = (
        "sequence"
    ),
    bundle: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--bundle", "-b", help="Bundle whose classes the words name."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of fits and resamples.")] = 0,
    json_file: JsonOption = None,
) -> None:
    """Rank the metrics, show how many are needed, and give the reasons of decisions."""
    from ood_perception.bundle import load_bundle
    from ood_perception.errors import OodError
    from ood_training.meta.families import create_family
    from ood_training.meta.folds import folds_in_words, make_folds
    from ood_training.meta.insight_report import draw_insight, gain_insight
    from ood_training.meta.insight_text import show_insight
    from ood_training.meta.table_files import read_tables

    if folds not in ("sequence", "image"):
        raise OodError(f"--folds {folds}: reasons are given for folds by sequence or image")
    families = [create_family(name) for name in dict.fromkeys(kind or _DEFAULT_KINDS)]
    class_names = load_bundle(bundle).class_names if bundle is not None else []
    table = read_tables(tables)
    chosen = make_folds(table, folds)  # type: ignore[arg-type]
    with progress_bar() as bar:
        insight = gain_insight(
            families,
            table,
            chosen,
            folds_in_words(table, folds, len(chosen)),  # type: ignore[arg-type]
            class_names,
            components,
            seed,
            lambda line: on_progress(bar, line),
        )
    paths = draw_insight(insight, plots)
    write_json(json_file, {**insight.to_json(), "plots": [str(path) for path in paths]})
    show_insight(insight)
    print(f"plots: {', '.join(str(path) for path in paths)}")
