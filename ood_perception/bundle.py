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
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ood_perception.errors import BundleError

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"

Pixels = Annotated[int, Field(gt=0, le=16384)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileSpec(_Strict):
    """A file of the bundle: its plain name (no folders) and its SHA-256 in hexadecimal.

    `write_bundle` fills in the hash.
    """

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = "0" * 64


class ClassSpec(_Strict):
    """A known class; its id is its place in the list. ``color``: RGB, 0..255."""

    name: str
    color: tuple[
        Annotated[int, Field(ge=0, le=255)],
        Annotated[int, Field(ge=0, le=255)],
        Annotated[int, Field(ge=0, le=255)],
    ]


class NetworkSpec(FileSpec):
    """The graph: image (1,H,W,3) uint8 BGR -> labels, score on the grid; logits at the stride.

    The camera image is scaled into (input_height, input_width) with its aspect kept, at the top
    left; what remains is padded. Metrics are computed on (grid_height, grid_width), onto which
    the logits are brought bilinearly with aligned corners.
    """

    input_height: Pixels
    input_width: Pixels
    grid_height: Pixels
    grid_width: Pixels


class ScoreSpec(_Strict):
    """The anomaly score in the graph, in [0, 1], and the threshold: anomalous is >= threshold."""

    name: Literal["entropy"] = "entropy"
    threshold: Share


class MetaClassifierSpec(FileSpec):
    """The false-positive filter; it drops a component when P(false positive) > decision."""

    kind: str
    metric_names: tuple[str, ...]
    decision: Share = 0.5


class ContactSpec(_Strict):
    """How a component's lower edge lies to the obstacle's true foot, in cells of the grid.

    offset_cells: how far components reach below it (a halo), taken off before ranging.
    stddev_cells: standard deviation of what remains where the edge is sharp.
    sharp_cells: an edge whose score falls over at most so many cells is sharp (``edge_softness``).
    softness_gain: what each cell of softness beyond that adds to the deviation, as an independent
        error.
    """

    offset_cells: Annotated[float, Field(ge=-10, le=10)] = 0.0
    stddev_cells: Annotated[float, Field(gt=0, le=10)] = 0.3
    sharp_cells: Annotated[float, Field(ge=0, le=100)] = 0.0
    softness_gain: Annotated[float, Field(ge=0, le=10)] = 0.0


class Provenance(_Strict):
    """What a user has to know before trusting the model."""

    trained_on: str
    terms: str
    created: str = ""
    commit: str = ""
    recipe: str = ""


class Manifest(_Strict):
    """The bundle's table of contents.

    road_classes: ids of the classes that a vehicle drives on.
    """

    schema_version: int
    name: str
    classes: Annotated[tuple[ClassSpec, ...], Field(min_length=2, max_length=250)]
    road_classes: tuple[int, ...]
    network: NetworkSpec
    score: ScoreSpec
    meta_classifier: MetaClassifierSpec | None = None
    provenance: Provenance
    contact: ContactSpec = ContactSpec()

    @model_validator(mode="after")
    def _check_references(self) -> Manifest:
        unknown = [c for c in self.road_classes if not 0 <= c < len(self.classes)]
        if unknown:
            raise ValueError(f"road_classes {unknown} are not among {len(self.classes)} classes")
        return self


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
    def class_colors(self) -> list[tuple[int, int, int]]:
        """RGB colour of every class, by id."""
        return [entry.color for entry in self.manifest.classes]


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
