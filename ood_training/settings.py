"""Settings in YAML files: unknown keys are refused, everything is checked before it is used."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from ood_perception.errors import OodError, first_line


class Section(BaseModel):
    """A part of a settings file: unknown keys are refused, values stay as they were read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


SectionType = TypeVar("SectionType", bound=Section)


def load_settings(path: Path, section: type[SectionType], what: str) -> SectionType:
    """Read and check a YAML file.

    what: the file's purpose in words, for messages. Raises OodError that names the file and the
    first setting that is wrong.
    """
    if not path.is_file():
        raise OodError(f"{path}: no such {what}")
    try:
        return section.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise OodError(f"{path}: not YAML: {first_line(error)}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise OodError(f"{path}: setting {where or '(top)'}: {first['msg']}") from error
