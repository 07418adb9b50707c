"""Generated scenes that a run draws itself before it starts, so that it needs no command before."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from ood_perception.errors import OodError
from ood_perception.generated_drive.dataset import scene_seed, write_dataset
from ood_training.configuration import TrainingConfiguration
from ood_training.data_configuration import RenderConfiguration, SourceConfiguration

_log = logging.getLogger(__name__)


def draw_missing_scenes(configuration: TrainingConfiguration) -> None:
    """Write the folders of sources with ``render`` that do not exist yet, each whole or not at all.

    Raises OodError when a folder holds other scenes than the settings ask for.
    """
    sources: list[SourceConfiguration] = list(configuration.sources)
    if configuration.validation is not None:
        sources.append(configuration.validation.source)
    for source in sources:
        if source.render is None:
            continue
        if source.kind != "generated":
            raise OodError(f"render: only generated sources are drawn, {source.root} is not one")
        folder = configuration.data_root / source.root
        if folder.is_dir() and any(folder.iterdir()):
            _check(folder, source.render)
        else:
            _log.info("drawing %d scenes into %s", source.render.count, folder)
            wanted = source.render
            write_dataset(
                folder, wanted.count, wanted.seed, view_deg=wanted.view_deg, light=wanted.light
            )


def _check(folder: Path, wanted: RenderConfiguration) -> None:
    try:
        truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
        count, first_seed = len(truth), min(entry["seed"] for entry in truth.values())
        drawn = json.loads((folder / "camera.json").read_text(encoding="utf-8"))
        found = count, first_seed, drawn.get("view_deg"), drawn.get("light")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise OodError(f"{folder}: no folder of generated scenes: remove it: {error}") from error
    asked = None if wanted.view_deg is None else [*wanted.view_deg]
    if found != (wanted.count, scene_seed(wanted.seed, 0), asked, wanted.light):
        raise OodError(
            f"{folder} holds {count} other scenes than the {wanted.count} of seed {wanted.seed} "
            "that the settings ask for: remove it, or name another root"
        )
