"""The command `ood`. The training verbs appear when the training extra is installed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from ood_perception.command_line import one_line_errors
from ood_perception.commands import (
    bag_commands,
    benchmark_command,
    compile_command,
    detect_commands,
    generate_command,
)
from ood_perception.errors import OodError

app = typer.Typer(
    help="Unknown obstacles on the road: detect, replay, train.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
detect_commands.register(app)
benchmark_command.register(app)
bag_commands.register(app)
compile_command.register(app)
generate_command.register(app)

TRAINING_VERBS = {
    "check-data": "Look for missing, broken and odd files in a data set.",
    "train": "Train a network.",
    "proxies": "Build masks of unknown objects from COCO.",
    "evaluate": "Measure a bundle, a checkpoint or score maps on labelled images.",
    "meta": "Build, train, evaluate and explain the meta classifier of a bundle.",
    "export": "Turn a checkpoint into a bundle.",
    "quantize": "Turn a bundle's network into 8-bit integers, calibrated on real images.",
}
_TRAINING_MODULES = ("torch", "segmentation_models_pytorch", "sklearn", "onnx")


def _register_training() -> None:
    if all(importlib.util.find_spec(module) for module in _TRAINING_MODULES):
        from ood_training.cli import register

        register(app)
        return
    for verb, summary in TRAINING_VERBS.items():
        app.command(
            verb,
            help=f"{summary} (needs: pip install 'ood-detection\\[training]')",
            context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        )(_say_what_to_install)


def _say_what_to_install(
    arguments: Annotated[Optional[list[Path]], typer.Argument(hidden=True)] = None,  # noqa: UP045
) -> None:
    raise OodError("this needs the training side: pip install 'ood-detection[training]'")


_register_training()


def main() -> None:
    """Run the command line; bad input ends with one line on stderr and exit code 2."""
    with one_line_errors():
        app()
    sys.exit(0)


if __name__ == "__main__":
    main()
