"""The training verbs of the command `ood`."""

from __future__ import annotations

import typer

from ood_training.commands.check_data import check_data
from ood_training.commands.compare import compare
from ood_training.commands.evaluate import evaluate
from ood_training.commands.export import export
from ood_training.commands.meta import meta
from ood_training.commands.proxies import proxies
from ood_training.commands.quantize import quantize
from ood_training.commands.train import train


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    for verb in (check_data, train, proxies, export, quantize, evaluate, compare):
        app.command()(verb)
    app.add_typer(meta, name="meta")
