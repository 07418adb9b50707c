"""`ood meta`: the table of components, the classifier made from it, its quality and its reasons."""

from __future__ import annotations

import typer

from ood_training.commands.meta_build import build
from ood_training.commands.meta_evaluate import evaluate_meta
from ood_training.commands.meta_explain import explain
from ood_training.commands.meta_train import train_meta_command

meta = typer.Typer(
    no_args_is_help=True,
    help="Meta classification: tell real obstacles from false ones by their components' metrics.",
)
meta.command("build")(build)
meta.command("train")(train_meta_command)
meta.command("evaluate")(evaluate_meta)
meta.command("explain")(explain)
