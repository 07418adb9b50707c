"""Which state of the project a result was computed with."""

from __future__ import annotations

import subprocess
from pathlib import Path


def project_commit() -> str | None:
    """The git commit of the project, ``-dirty`` when its code differs; None if unknown."""
    here = Path(__file__).resolve()
    try:
        # An installed copy may lie in somebody else's repository: its commit says nothing.
        _git(here.parent, "ls-files", "--error-unmatch", "__init__.py")
        commit = _git(here.parent, "rev-parse", "HEAD")
        code = [str(here.parent), str(here.parents[1] / "ood_perception")]
        changed = _git(here.parent, "status", "--porcelain", "--", *code)
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}-dirty" if changed else commit


def _git(folder: Path, *arguments: str) -> str:
    result = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return result.stdout.strip()
