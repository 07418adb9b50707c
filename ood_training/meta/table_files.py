"""Component tables as files: NAME.parquet, a row a component, and NAME.objects.parquet beside it.

Both carry their origin and a common id as JSON in their key-value metadata, so that every row can
be read by any Parquet reader and two files that do not belong together are noticed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ood_perception.errors import OodError, first_line
from ood_training.meta.table import ComponentTable, TableOrigin, join_tables
from ood_training.whole_files import written_whole

SUFFIX, OBJECTS_SUFFIX = ".parquet", ".objects.parquet"
_METADATA_KEY = b"ood_component_table"
_FORMAT = 1
_COMPONENT_FIELDS = (
    pa.field("false_positive", pa.bool_()),
    pa.field("iou", pa.float64()),
    pa.field("ignored", pa.bool_()),
    pa.field("frame", pa.string()),
    pa.field("sequence", pa.string()),
    pa.field("area_cells", pa.int64()),
    pa.field("objects", pa.list_(pa.int64())),
)
_OBJECT_FIELDS = (
    pa.field("number", pa.int64()),
    pa.field("frame", pa.string()),
    pa.field("sequence", pa.string()),
    pa.field("area_cells", pa.int64()),
    pa.field("hit", pa.bool_()),
)


def objects_path(path: Path) -> Path:
    """NAME.objects.parquet beside NAME.parquet. Raises OodError for any other suffix."""
    if path.name.endswith(OBJECTS_SUFFIX):
        table = path.with_name(path.name.removesuffix(OBJECTS_SUFFIX) + SUFFIX)
        raise OodError(f"{path} holds the objects of a table; give the components' file, {table}")
    if path.suffix != SUFFIX:
        raise OodError(f"{path}: a table of components is a file NAME{SUFFIX}")
    return path.with_name(path.stem + OBJECTS_SUFFIX)


def write_table(path: Path, table: ComponentTable) -> Path:
    """Write NAME.parquet and NAME.objects.parquet, both or neither; returns the path of the latter.

    The first has the M metrics in their order and then false_positive, iou, ignored, frame,
    sequence, area_cells and the numbers of the objects that the component shares a cell with; the
    second number, frame, sequence, area_cells and hit. Raises OodError when they cannot be written.
    """
    second = objects_path(path)
    for one in (path, second):
        if one.is_dir():
            raise OodError(f"cannot write {one}: it is a folder")
    components, objects = _components(table), _objects(table)
    metadata = _metadata(table.origin, components, objects)
    with written_whole(path) as components_file, written_whole(second) as objects_file:
        pq.write_table(components.replace_schema_metadata(metadata), components_file)
        pq.write_table(objects.replace_schema_metadata(metadata), objects_file)
    return second


def read_table(path: Path, network: str | None = None) -> ComponentTable:
    """A table that ``write_table`` wrote.

    network: SHA-256 of the network file that it has to come from, or None for any. Raises OodError
    with one line for a missing file, one that is no such table, columns that are missing, of
    another type or order, values that are no numbers, two files that do not belong together, no
    component at all, and another network.
    """
    second = objects_path(path)
    components, content = _read(path)
    objects, object_content = _read(second)
    if content["id"] != object_content["id"]:
        raise OodError(f"{second} belongs to another table than {path}; build the table again")
    origin = _origin(path, content)
    _check_columns(path, components, _component_schema(origin.metric_names))
    _check_columns(second, objects, pa.schema(_OBJECT_FIELDS))
    if network is not None and origin.network_sha256 != network:
        raise OodError(
            f"{path} was built with another network, that of {origin.model_id}; build it again "
            "with this bundle"
        )
    if components.num_rows == 0:
        raise OodError(f"{path} holds no component; build it with a lower threshold")
    table = _table(path, origin, components, objects)
    _check_numbers(path, table)
    return table


def read_tables(paths: Sequence[Path], network: str | None = None) -> ComponentTable:
    """All tables as one. Files of objects are left out where their table is given too (a glob).

    Raises OodError as ``read_table``, for no path, and for tables of two networks or thresholds.
    """
    seconds = {objects_path(one) for one in paths if not one.name.endswith(OBJECTS_SUFFIX)}
    return join_tables([read_table(one, network) for one in paths if one not in seconds])


def _component_schema(metric_names: tuple[str, ...]) -> pa.Schema:
    return pa.schema([*(pa.field(name, pa.float64()) for name in metric_names), *_COMPONENT_FIELDS])


def _components(table: ComponentTable) -> pa.Table:
    order = np.argsort(table.pair_component, kind="stable")
    numbers = table.pair_object[order].astype(np.int64)
    starts = np.searchsorted(table.pair_component[order], np.arange(len(table) + 1))
    columns = [
        *(pa.array(np.ascontiguousarray(column)) for column in table.metrics.T),
        pa.array(table.false_positive),
        pa.array(table.iou),
        pa.array(table.ignored),
        pa.array(table.frame.tolist(), pa.string()),
        pa.array(table.sequence.tolist(), pa.string()),
        pa.array(table.area_cells),
        pa.ListArray.from_arrays(pa.array(starts.astype(np.int32)), pa.array(numbers)),
    ]
    return pa.Table.from_arrays(columns, schema=_component_schema(table.origin.metric_names))


def _objects(table: ComponentTable) -> pa.Table:
    columns = [
        pa.array(np.arange(table.objects, dtype=np.int64)),
        pa.array(table.object_frame.tolist(), pa.string()),
        pa.array(table.object_sequence.tolist(), pa.string()),
        pa.array(table.object_area_cells),
        pa.array(table.hit()),
    ]
    return pa.Table.from_arrays(columns, schema=pa.schema(_OBJECT_FIELDS))


def _metadata(origin: TableOrigin, *tables: pa.Table) -> dict[bytes, bytes]:
    content = json.dumps({"format": _FORMAT, **asdict(origin)}, sort_keys=True)
    digest = hashlib.sha256(content.encode())
    for table in tables:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        digest.update(sink.getvalue())
    return {_METADATA_KEY: json.dumps({"id": digest.hexdigest(), **json.loads(content)}).encode()}


def _read(path: Path) -> tuple[pa.Table, dict[str, Any]]:
    """Columns of a file, and what it says of its origin."""
    try:
        table = pq.ParquetFile(path).read()
    except FileNotFoundError as error:
        raise OodError(f"{path}: no such file; 'ood meta build' writes it") from error
    except (OSError, pa.ArrowException) as error:
        raise OodError(f"{path}: not a Parquet file: {first_line(error)}") from error
    try:
        content = json.loads((table.schema.metadata or {})[_METADATA_KEY])
        known = content["format"] == _FORMAT and isinstance(content["id"], str)
    except (KeyError, TypeError, ValueError) as error:
        raise OodError(f"{path} is no table of components that 'ood meta build' wrote") from error
    if not known:
        raise OodError(f"{path} has the format {content['format']}; build it again")
    return table, content


def _origin(path: Path, content: dict[str, Any]) -> TableOrigin:
    try:
        return TableOrigin(
            model_id=str(content["model_id"]),
            score=str(content["score"]),
            threshold=float(content["threshold"]),
            source=str(content["source"]),
            metric_names=tuple(str(name) for name in content["metric_names"]),
            network_sha256=str(content["network_sha256"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise OodError(f"{path} does not say what it was made of; build it again") from error


def _check_columns(path: Path, table: pa.Table, expected: pa.Schema) -> None:
    missing = [name for name in expected.names if name not in table.column_names]
    if missing:
        raise OodError(f"{path} lacks the column {missing[0]!r}; build it again")
    if table.column_names != expected.names:
        pairs = zip(table.column_names, expected.names, strict=False)
        other = next((pair for pair in pairs if pair[0] != pair[1]), (table.column_names[-1], None))
        place = f"where {other[1]!r} belongs" if other[1] else "too many"
        raise OodError(f"{path}: columns in another order, {other[0]!r} {place}; build it again")
    for name in expected.names:
        column = table.column(name)
        # What the items of a list are called differs between writers and means nothing.
        if not column.type.equals(expected.field(name).type) and not pa.types.is_list(column.type):
            raise OodError(f"{path}: column {name!r} holds {column.type}; build it again")
        if column.null_count:
            raise OodError(f"{path}: column {name!r} has empty cells; build it again")


def _table(
    path: Path, origin: TableOrigin, components: pa.Table, objects: pa.Table
) -> ComponentTable:
    lists = components.column("objects").combine_chunks()
    numbers = np.asarray(lists.flatten().to_numpy(zero_copy_only=False), np.intp)
    lengths = np.asarray(lists.value_lengths().to_numpy(zero_copy_only=False), np.intp)
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < objects.num_rows:
        raise OodError(f"{path} names an object that its table of objects lacks; build it again")
    return ComponentTable(
        origin=origin,
        metrics=np.stack([_numpy(components, name) for name in origin.metric_names], axis=1),
        false_positive=_numpy(components, "false_positive"),
        iou=_numpy(components, "iou"),
        ignored=_numpy(components, "ignored"),
        frame=_strings(components, "frame"),
        sequence=_strings(components, "sequence"),
        area_cells=_numpy(components, "area_cells"),
        object_frame=_strings(objects, "frame"),
        object_sequence=_strings(objects, "sequence"),
        object_area_cells=_numpy(objects, "area_cells"),
        pair_component=np.repeat(np.arange(components.num_rows), lengths),
        pair_object=numbers,
    )


def _numpy(table: pa.Table, name: str) -> Any:
    return table.column(name).combine_chunks().to_numpy(zero_copy_only=False)


def _strings(table: pa.Table, name: str) -> Any:
    return np.array(table.column(name).to_pylist(), dtype=np.str_)


def _check_numbers(path: Path, table: ComponentTable) -> None:
    names = (*table.origin.metric_names, "iou")
    wrong = np.argwhere(~np.isfinite(np.column_stack([table.metrics, table.iou])))
    if wrong.size:
        row, column = wrong[0]
        raise OodError(
            f"{path}: {names[column]} of a component of frame {table.frame[row]} is no finite "
            f"number (row {row}); build it again"
        )
