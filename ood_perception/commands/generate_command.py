"""`ood generate`: labelled driving scenes out of nothing, to train and measure on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ood_perception.command_line import write_json
from ood_perception.commands.options import JsonOption
from ood_perception.generated_drive import LIGHT_KINDS, write_dataset


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command()(generate)


def generate(
    folder: Annotated[Path, typer.Argument(help="New folder for images, labels and truth.")],
    count: Annotated[int, typer.Option(min=1, help="Number of scenes.")] = 1200,
    seed: Annotated[int, typer.Option(help="The same seed makes the same scenes.")] = 1,
    family: Annotated[
        str, typer.Option(help="Unknown objects: train, or test (other shapes and textures).")
    ] = "train",
    obstacles: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=0, help="Unknown objects a scene; a random number without it."),
    ] = None,
    view_deg: Annotated[
        Optional[tuple[float, float]],  # noqa: UP045
        typer.Option(help="Least and greatest angle of view of the lenses; 58 without it."),
    ] = None,
    light: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help=f"Of all scenes: {', '.join(LIGHT_KINDS)}; each its own without it."),
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Write generated driving scenes with exact labels, ids and distances."""
    written = write_dataset(
        folder, count, seed, family=family, view_deg=view_deg, light=light, obstacle_count=obstacles
    )
    write_json(json_file, {"folder": str(written), "scenes": count, "family": family, "seed": seed})
    print(f"{written}: {count} scenes, {family} objects, seed {seed}")
