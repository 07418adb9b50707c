"""`ood compare`: methods side by side, over several seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ood_perception.command_line import write_json
from ood_perception.commands.options import JsonOption


def compare(
    configuration: Annotated[Path, typer.Argument(help="The comparison (YAML).")],
    only_show: Annotated[
        bool, typer.Option("--only-show", help="Show what is finished; train and measure nothing.")
    ] = False,
    method: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads this at run time, also on Python 3.10
        typer.Option(help="Only this method; may be given several times."),
    ] = None,
    markdown: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Write the section with all tables to this file."),
    ] = None,
    plots: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder for plots: AP, FPR95, precision and recall."),
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Train methods with every seed, measure each on the same data, show mean and deviation.

    Takes trainings, checkpoints and bundles; config/studies/methods.yaml is an example, and
    docs/training.md tells what can be said in it. An interrupted comparison goes on where it
    stopped; what is finished is not repeated.
    """
    from ood_training.comparison.configuration import load_comparison
    from ood_training.comparison.markdown import comparison_markdown
    from ood_training.comparison.run_comparison import finished, run_comparison
    from ood_training.whole_files import written_whole

    comparison = load_comparison(configuration)
    summary = (finished if only_show else run_comparison)(comparison, method or ())
    text = comparison_markdown(summary, f"ood compare {configuration}")
    print(text)
    write_json(json_file, summary)
    if markdown is not None:
        with written_whole(markdown) as temporary:
            temporary.write_text(text, encoding="utf-8")
    if plots is not None:
        from ood_training.comparison.plots import draw_comparison

        draw_comparison(summary, plots)
