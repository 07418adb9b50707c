"""`ood train`: a configuration to checkpoints."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated, Optional

import typer

from ood_perception.commands.options import JsonOption
from ood_training.commands.result import show_result


def train(
    configuration: Annotated[Path, typer.Argument(help="Training configuration (YAML).")],
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--output", "-o", help="Folder of the run; the configuration's by default."),
    ] = None,
    restart: Annotated[
        bool, typer.Option(help="Begin anew instead of going on from the last checkpoint.")
    ] = False,
    json_file: JsonOption = None,
) -> None:
    """Train a network; an interrupted run goes on from its last checkpoint.

    Several GPUs or hosts: torchrun --nproc_per_node N -m ood_perception.cli train CONFIGURATION.
    """
    from ood_training.configuration import load_training_configuration
    from ood_training.training import train as run

    first = os.environ.get("RANK", "0") == "0"
    logging.basicConfig(
        level=logging.INFO if first else logging.WARNING, format="%(asctime)s %(message)s"
    )
    settings = load_training_configuration(configuration)
    if output is not None:
        settings = settings.model_copy(update={"output": output})
    result = run(settings, restart=restart)
    if first:
        show_result(result, json_file)
