"""`ood meta train`: a meta classifier into a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ood_perception.command_line import on_progress, progress_bar
from ood_perception.commands.options import BundleOption, JsonOption
from ood_perception.errors import OodError
from ood_training.commands.result import show_result


def train_meta_command(
    bundle: BundleOption,
    tables: Annotated[
        Optional[list[Path]],  # noqa: UP045 - typer reads this at run time, also on Python 3.10
        typer.Argument(help="Tables of `ood meta build` (Parquet)."),
    ] = None,
    configuration: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--configuration",
            "-c",
            help="Meta configuration (YAML) instead of tables: builds one for each threshold and "
            "takes the best.",
        ),
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            help="logistic_regression, explainable_boosting, network, or its layers as in "
            "network:75-75-75."
        ),
    ] = "logistic_regression",
    decision: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Drop above this P(false positive); 0.5 by default."),
    ] = None,
    keep_objects: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            help="Put the decision, at 0.5 or above, so that this share of the objects that were "
            "hit stays hit, out of fold; the configuration's by default."
        ),
    ] = None,
    promise_alpha: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            help="Put the decision so that the expected share of real obstacles dropped, of those "
            "that the score hits, stays under this; needs --calibration."
        ),
    ] = None,
    calibration: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(
            help="Table for the promise, again for each: whole sequences that are not in the "
            "training tables, at least 1 / alpha - 1 objects."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the classifier's fit.")] = 0,
    json_file: JsonOption = None,
) -> None:
    """Fit a false-positive filter and write it, with its decision, into a bundle and its card.

    The threshold of the tables becomes the bundle's: the filter knows its components alone.
    """
    from ood_training.meta.configuration import load_meta_configuration
    from ood_training.meta.promise import PromiseRequest
    from ood_training.meta.table_files import read_tables
    from ood_training.meta.training import train_meta, train_meta_classifier
    from ood_training.meta.validation import DecisionRule

    if bool(tables) == (configuration is not None):
        raise OodError("give either tables of `ood meta build` or a --configuration")
    if sum(one is not None for one in (decision, keep_objects, promise_alpha)) > 1:
        raise OodError("give one of --decision, --keep-objects and --promise-alpha: each puts it")
    if (promise_alpha is not None) != bool(calibration):
        raise OodError("a promise needs --promise-alpha and --calibration, each with the other")
    rule = None
    if decision is not None or keep_objects is not None:
        rule = DecisionRule(0.5 if decision is None else decision, keep_objects)
    promise = None
    if promise_alpha is not None:
        promise = PromiseRequest(promise_alpha, read_tables(calibration or []))
    with progress_bar() as bar:
        if configuration is not None:
            settings = load_meta_configuration(configuration)
            move = on_progress(bar, "components")
            result = train_meta_classifier(
                bundle, settings, move, kind=kind, rule=rule, promise=promise, seed=seed
            )
        else:
            table = read_tables(tables or [])
            move = on_progress(bar, "folds")
            result = train_meta(bundle, table, kind, rule, promise, seed, move)
    show_result(result, json_file)
