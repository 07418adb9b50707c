"""Files are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ood_perception.errors import OodError


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary path of the same suffix beside ``path`` that takes its place at the end.

    Raises OodError when the file cannot be written, a full disk included; ``path`` is as it was.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent
        )
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o644)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OodError(f"cannot write {path}: {error.strerror or error}") from error
