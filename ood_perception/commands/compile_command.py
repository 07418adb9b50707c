"""`ood compile`: TensorRT engines of a bundle, for this GPU or ahead of time."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Optional

import typer
from rich.progress import Progress

from ood_perception.backends.engine_cache import EngineCache
from ood_perception.bundle import load_bundle
from ood_perception.command_line import progress_bar, write_json
from ood_perception.commands.options import JsonOption
from ood_perception.engine_compile import (
    CompiledEngine,
    ahead_of_time,
    compile_bundle,
    this_gpu,
)
from ood_perception.image_files import list_images, read_image


class Precision(str, Enum):
    """What an engine computes in."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command("compile")(compile_engines)


def compile_engines(
    bundle: Annotated[Path, typer.Argument(help="Folder of the trained model.")],
    target: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            help="Compute capability to build for ahead of time, such as sm_86; may be repeated. "
            "Without any: this machine's GPU."
        ),
    ] = None,
    precision: Annotated[
        Optional[Precision],  # noqa: UP045
        typer.Option(
            help="Of the network; else the bundle's own: fp32, or int8 of a bundle of "
            "`ood quantize --for tensorrt`. The meta classifier is always fp32."
        ),
    ] = None,
    cache: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            help="Folder of the engines; else $OOD_ENGINE_CACHE, else the user's cache folder.",
            show_default=False,
        ),
    ] = None,
    check_images: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Images to measure the deviation from the bundle's graphs on."),
    ] = None,
    prune: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=0, help="Keep only so many of the other engines, the last used ones."),
    ] = None,
    prune_megabytes: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=0, help="Keep other engines only while all are smaller together."),
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Build the engines that the backend `tensorrt` runs; what is built already is found."""
    model = load_bundle(bundle)
    targets = ahead_of_time(target) if target else [this_gpu()]
    engines = EngineCache(cache)
    with progress_bar() as progress:
        images = [read_image(path) for path in list_images([check_images])] if check_images else []
        compiled = compile_bundle(
            model,
            targets,
            precision.value if precision else model.manifest.network.precision,
            engines,
            images=images,
            say=progress.console.print if not progress.disable else print,
            on_phase=_shown_in(progress),
        )
    spare = frozenset(engine.request.key for engine in compiled)
    removed: list[str] = []
    if prune is not None or prune_megabytes is not None:
        keep = None if prune is None else prune + len(spare)
        largest = None if prune_megabytes is None else prune_megabytes * 1_000_000
        removed = engines.prune(keep, largest, spare)
    entries = [_to_json(engine) for engine in compiled]
    write_json(
        json_file,
        {
            "model": model.model_id,
            "cache": str(engines.folder),
            "engines": entries,
            "pruned": removed,
        },
    )
    for entry in entries:
        print(_line(entry))
    built = sum(entry["built_now"] for entry in entries)
    print(f"{built} built, {len(entries) - built} found, {len(removed)} pruned in {engines.folder}")


def _shown_in(progress: Progress) -> Any:
    task = progress.add_task("compile", total=None)

    def show(label: str, phase: str, done: int, steps: int) -> None:
        progress.update(task, description=f"{label}: {phase}", completed=done, total=steps)

    return show


def _to_json(engine: CompiledEngine) -> dict[str, Any]:
    return {
        "graph": engine.graph,
        "target": engine.request.target,
        "precision": engine.request.precision,
        "key": engine.request.key,
        "path": str(engine.entry.path),
        "built_now": engine.entry.built,
        "side_file": engine.entry.side,
    }


def _line(entry: dict[str, Any]) -> str:
    side = entry["side_file"]
    how = f"built in {side['build_seconds']:.1f} s" if entry["built_now"] else "found"
    deviation = ", ".join(
        f"{name} {value:.4g}" for name, value in side["deviation"].items() if name != "on"
    )
    in_int8, convolutions = side.get("int8_convolutions", (0, 0))
    share = f" ({in_int8} of {convolutions} convolutions)" if in_int8 else ""
    return (
        f"{entry['graph']} {entry['target']} {entry['precision']}{share}: {how}, "
        f"{side['engine_bytes'] / 1e6:.1f} MB; against the bundle's graph on "
        f"{side['deviation']['on']}, ONNX Runtime: {deviation}"
    )
