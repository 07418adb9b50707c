"""`ood meta evaluate`: how well classifiers tell false positives, on components not learned."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Optional

import typer
from rich.console import Console

from ood_perception.command_line import on_progress, progress_bar, write_json
from ood_perception.commands.options import JsonOption
from ood_perception.errors import OodError

_WIDTH_OF_A_FILE = 160
"""Characters of a line where the output is no terminal, so that three kinds fit side by side."""


def evaluate_meta(
    tables: Annotated[list[Path], typer.Argument(help="Tables of `ood meta build` (Parquet).")],
    kind: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads this at run time, also on Python 3.10
        typer.Option(help="Kind of classifier, again for each; all kinds by default."),
    ] = None,
    folds: Annotated[
        str,
        typer.Option(help="What a fold keeps together: sequence or image; or loo, one component."),
    ] = "sequence",
    fold_count: Annotated[
        int, typer.Option(help="Folds at most; at most one a sequence or image.")
    ] = 10,
    test: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(help="Learn from the tables and test on this one instead, again for each."),
    ] = None,
    decision: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Remove above this P(false positive); 0.5 by default."),
    ] = None,
    keep_objects: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Choose the decision to keep this share of the objects, out of fold."),
    ] = None,
    plots: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder for plots: reliability, ROC, precision, histogram, trade-off."),
    ] = None,
    bootstrap: Annotated[
        int, typer.Option(help="Resamples of the sequences for intervals; 0 for none.")
    ] = 1000,
    seed: Annotated[int, typer.Option(help="Of the classifiers and of the bootstrap.")] = 0,
    json_file: JsonOption = None,
) -> None:
    """Validate meta classifiers side by side on components that they did not learn from."""
    from ood_training.meta.families import FAMILY_KINDS, create_family
    from ood_training.meta.table_files import read_table
    from ood_training.meta.validation import DecisionRule
    from ood_training.meta.validation_report import (
        ReportSettings,
        cross_data_report,
        validation_report,
    )
    from ood_training.meta.validation_text import report_text

    if decision is not None and keep_objects is not None:
        raise OodError("give either a decision or the share of objects to keep, not both")
    if folds not in ("sequence", "image", "loo"):
        raise OodError(f"there are no folds by {folds!r}; give one of sequence, image, loo")
    rule = DecisionRule(0.5 if decision is None else decision, keep_objects)
    settings = ReportSettings(folds, fold_count, rule, bootstrap, seed, plots)  # type: ignore[arg-type]
    families = [create_family(name) for name in kind or FAMILY_KINDS]
    parts = {str(path): read_table(path) for path in tables}
    test_parts = {str(path): read_table(path) for path in test or ()}
    if len(parts) + len(test_parts) < len(tables) + len(test or ()):
        raise OodError("a table is given twice; give each one once")
    with progress_bar() as bar:
        line = partial(on_progress, bar)
        if test_parts:
            title = "learned elsewhere, tested on"
            result = cross_data_report(parts, test_parts, families, settings, line)
        else:
            title = "validated out of fold"
            result = validation_report(parts, families, settings, line)
    write_json(json_file, result)
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH_OF_A_FILE)
    for text in report_text(result, title):
        console.print(text, highlight=False)
