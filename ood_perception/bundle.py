"""A trained model as a folder: manifest.json, network.onnx, meta_classifier.onnx.

A bundle is all that a vehicle needs of a model. It is written whole and checked whole: schema,
presence and SHA-256 of every file come before anything runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from ood_perception.errors import BundleError
from ood_perception.manifest import (
    SCHEMA_VERSION,
    ClassSpec,
    ContactSpec,
    FileSpec,
    LogitStatisticsSpec,
    Manifest,
    MetaClassifierSpec,
    NetworkSpec,
    PromiseSpec,
    Provenance,
    ScoreSpec,
    UnitRangeSpec,
)

__all__ = [
    "SCHEMA_VERSION",
    "Bundle",
    "ClassSpec",
    "ContactSpec",
    "FileSpec",
    "LogitStatisticsSpec",
    "Manifest",
    "MetaClassifierSpec",
    "NetworkSpec",
    "PromiseSpec",
    "Provenance",
    "ScoreSpec",
    "UnitRangeSpec",
    "load_bundle",
    "sha256",
    "write_bundle",
]

MANIFEST_NAME = "manifest.json"


@dataclass(frozen=True)
class Bundle:
    """A checked bundle. ``model_id``: name and the first 12 digits of the manifest's SHA-256."""

    folder: Path
    manifest: Manifest
    model_id: str
    network_onnx: bytes
    meta_classifier_onnx: bytes | None

    @property
    def num_classes(self) -> int:
        """Number of known classes C."""
        return len(self.manifest.classes)

    @property
    def class_names(self) -> list[str]:
        """Name of every class, by id."""
        return [entry.name for entry in self.manifest.classes]

    @property
    def class_colors(self) -> list[tuple[int, int, int]]:
        """RGB colour of every class, by id."""
        return [entry.color for entry in self.manifest.classes]

    def without_meta_classifier(self) -> Bundle:
        """The network and its score alone, every component kept: what a new filter is fitted on."""
        manifest = self.manifest.model_copy(update={"meta_classifier": None})
        return replace(self, manifest=manifest, meta_classifier_onnx=None)


def sha256(data: bytes) -> str:
    """SHA-256 of the bytes, 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def load_bundle(folder: str | Path) -> Bundle:
    """Load a bundle and check it whole: schema, files and hashes.

    Raises:
        BundleError: one line that says which file is missing, changed or unknown.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BundleError(f"no bundle at {folder}: the folder does not exist")
    manifest_bytes = _read(folder, MANIFEST_NAME)
    manifest = _parse_manifest(folder / MANIFEST_NAME, manifest_bytes)
    meta = manifest.meta_classifier
    return Bundle(
        folder=folder,
        manifest=manifest,
        model_id=f"{manifest.name}-{sha256(manifest_bytes)[:12]}",
        network_onnx=_read_checked(folder, manifest.network),
        meta_classifier_onnx=None if meta is None else _read_checked(folder, meta),
    )


def write_bundle(
    folder: str | Path,
    manifest: Manifest,
    network_onnx: bytes,
    meta_classifier_onnx: bytes | None = None,
    *,
    documents: dict[str, str] | None = None,
) -> Bundle:
    """Write a bundle whole or not at all, replacing one that stands there; returns it, checked.

    The hashes in the manifest are filled in here. ``documents``: further text files by name,
    such as a model card; those of the replaced bundle that are not named are kept.

    Raises:
        BundleError: the place is taken by something that is not a bundle, or cannot be written.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / MANIFEST_NAME).is_file():
        raise BundleError(f"{folder} is not empty and not a bundle: choose another folder")
    manifest = _with_hashes(manifest, network_onnx, meta_classifier_onnx)
    contents: dict[str, bytes] = {}
    if folder.is_dir():
        contents |= {path.name: path.read_bytes() for path in folder.glob("*.md")}
    contents |= {name: text.encode() for name, text in (documents or {}).items()}
    contents[manifest.network.file] = network_onnx
    if manifest.meta_classifier is not None and meta_classifier_onnx is not None:
        contents[manifest.meta_classifier.file] = meta_classifier_onnx
    contents[MANIFEST_NAME] = (manifest.model_dump_json(indent=2) + "\n").encode()
    try:
        _replace_folder(folder, contents)
    except OSError as error:
        raise BundleError(f"cannot write the bundle {folder}: {error.strerror}") from error
    return load_bundle(folder)


def _parse_manifest(path: Path, data: bytes) -> Manifest:
    try:
        raw = json.loads(data)
    except ValueError as error:
        raise BundleError(f"{path} is not valid JSON ({error}): export the bundle again") from error
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if not isinstance(version, int):
        raise BundleError(f"{path} has no schema_version: it is not a bundle's manifest")
    if version > SCHEMA_VERSION:
        raise BundleError(
            f"{path} has schema {version}, newer than the {SCHEMA_VERSION} known here: "
            "update ood-detection"
        )
    try:
        return Manifest.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "manifest"
        raise BundleError(f"{path}: {where}: {first['msg']}") from error


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError as error:
        raise BundleError(f"bundle {folder} lacks {name}: copy or export it again") from error
    except OSError as error:
        raise BundleError(f"cannot read {folder / name}: {error.strerror}") from error


def _read_checked(folder: Path, spec: FileSpec) -> bytes:
    data = _read(folder, spec.file)
    if sha256(data) != spec.sha256:
        raise BundleError(
            f"{folder / spec.file} was changed: its SHA-256 is not the manifest's; "
            "copy or export the bundle again"
        )
    return data


def _with_hashes(manifest: Manifest, network: bytes, meta: bytes | None) -> Manifest:
    if (manifest.meta_classifier is None) != (meta is None):
        raise BundleError(
            "the manifest and the files disagree on whether there is a meta classifier"
        )
    update: dict[str, object] = {
        "network": manifest.network.model_copy(update={"sha256": sha256(network)})
    }
    if manifest.meta_classifier is not None and meta is not None:
        update["meta_classifier"] = manifest.meta_classifier.model_copy(
            update={"sha256": sha256(meta)}
        )
    return manifest.model_copy(update=update)


def _replace_folder(folder: Path, contents: dict[str, bytes]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, data in contents.items():
            (temporary / name).write_bytes(data)
        temporary.chmod(0o755)
        if folder.exists():
            retired = temporary.with_name(temporary.name + "-old")
            os.replace(folder, retired)
            os.replace(temporary, folder)
            shutil.rmtree(retired)
        else:
            os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
