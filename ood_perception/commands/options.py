"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

DEFAULT_BUNDLE = Path(__file__).resolve().parents[2] / "models" / "street"

BundleOption = Annotated[
    Path, typer.Option("--bundle", "-b", help="Folder of the trained model.", show_default=False)
]
BackendOption = Annotated[
    str,
    typer.Option(
        help="What runs the network: onnxruntime, tensorrt, tensorrt:fp16, or, for comparison on "
        "the training side, pytorch."
    ),
]
JsonOption = Annotated[
    Optional[Path],  # noqa: UP045 - typer reads this at run time, also on Python 3.10
    typer.Option("--json", help="Write the result as JSON to this file."),
]
ReasonsOption = Annotated[
    bool, typer.Option(help="Write into the pictures, in words, what decided.")
]
OverwriteOption = Annotated[bool, typer.Option(help="Replace an output that exists already.")]
