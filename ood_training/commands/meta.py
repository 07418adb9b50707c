"""`ood meta`: the meta classifier of a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ood_perception.command_line import on_progress, progress_bar
from ood_perception.commands.options import BundleOption, JsonOption
from ood_training.commands.result import show_result


def meta(
    configuration: Annotated[Path, typer.Argument(help="Meta configuration (YAML).")],
    bundle: BundleOption,
    json_file: JsonOption = None,
) -> None:
    """Fit the meta classifier of a bundle on held-out objects and write it into the bundle."""
    from ood_training.meta_configuration import load_meta_configuration
    from ood_training.meta_training import train_meta_classifier

    settings = load_meta_configuration(configuration)
    with progress_bar() as bar:
        result = train_meta_classifier(bundle, settings, on_progress(bar, "meta"))
    show_result(result, json_file)
