"""Tables of components: what the labels make of them, and what they are on disk."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from meta_examples import example_table

from ood_perception.errors import OodError
from ood_training.datasets.sequences import frame_sequence
from ood_training.meta import table_files
from ood_training.meta.table import ComponentTable, join_tables
from ood_training.meta.table_files import objects_path, read_table, read_tables, write_table


@pytest.fixture
def table() -> ComponentTable:
    return example_table(np.random.default_rng(3), components=60, sequences=4)


@pytest.fixture
def written(tmp_path: Path, table: ComponentTable) -> Path:
    write_table(tmp_path / "a.parquet", table)
    return tmp_path / "a.parquet"


def assert_same(one: ComponentTable, other: ComponentTable) -> None:
    assert vars(one.origin) == vars(other.origin)
    for field in fields(ComponentTable):
        if field.name not in ("origin", "pair_component", "pair_object"):
            first, second = getattr(one, field.name), getattr(other, field.name)
            assert first.dtype.kind == second.dtype.kind, field.name
            np.testing.assert_array_equal(first, second, err_msg=field.name)
    assert pairs(one) == pairs(other)


def pairs(table: ComponentTable) -> list[tuple[int, int]]:
    return sorted(zip(table.pair_component.tolist(), table.pair_object.tolist(), strict=True))


def test_a_table_comes_back_as_it_was_written(written: Path, table: ComponentTable) -> None:
    assert_same(read_table(written), table)


def test_a_table_without_objects_comes_back(tmp_path: Path, table: ComponentTable) -> None:
    bare = table._rows(table.false_positive, np.zeros(table.objects, np.bool_))
    write_table(tmp_path / "bare.parquet", bare)
    back = read_table(tmp_path / "bare.parquet")
    assert_same(back, bare)
    assert back.objects == 0
    assert back.hit().shape == (0,)


def test_any_parquet_reader_finds_the_columns(written: Path, table: ComponentTable) -> None:
    columns = pq.read_table(written)
    names = table.origin.metric_names
    assert columns.column_names[: len(names)] == list(names)
    assert columns.column_names[len(names) :] == [
        "false_positive", "iou", "ignored", "frame", "sequence", "area_cells", "objects",
    ]  # fmt: skip
    np.testing.assert_array_equal(columns.column("E"), table.metrics[:, names.index("E")])
    listed = columns.column("objects").to_pylist()
    assert sorted((k, o) for k, row in enumerate(listed) for o in row) == pairs(table)
    objects = pq.read_table(objects_path(written))
    assert objects.column_names == ["number", "frame", "sequence", "area_cells", "hit"]
    np.testing.assert_array_equal(objects.column("hit"), table.hit())
    assert 0 < table.hit().sum() < table.objects


def test_the_same_table_is_the_same_file(written: Path, table: ComponentTable) -> None:
    other = written.with_name("b.parquet")
    write_table(other, table)
    assert written.read_bytes() == other.read_bytes()


def test_tables_are_joined_and_objects_files_of_a_glob_are_left_out(
    written: Path, table: ComponentTable
) -> None:
    other = example_table(np.random.default_rng(4), components=20, sequences=2, source="more")
    write_table(written.with_name("b.parquet"), other)
    joined = read_tables(sorted(written.parent.glob("*.parquet")))
    assert_same(joined, join_tables([table, other]))
    assert joined.origin.source == "example, more"


def test_joining_keeps_the_network(table: ComponentTable) -> None:
    known = replace(table, origin=replace(table.origin, network_sha256="ab"))
    assert join_tables([known, known]).origin.network == "ab"


def test_choosing_components_keeps_all_objects_and_their_pairs(table: ComponentTable) -> None:
    keep = table.area_cells > 20
    chosen = table.of_components(keep)
    assert chosen.objects == table.objects
    np.testing.assert_array_equal(chosen.hit(), table.hit(keep))
    np.testing.assert_array_equal(chosen.area_cells, table.area_cells[keep])


def refused(path: Path, network: str | None = None) -> str:
    with pytest.raises(OodError) as caught:
        read_table(path, network)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path.parent) in message
    return message


def rewrite(path: Path, change) -> None:
    """Put a changed copy of a file's columns in its place, metadata kept."""
    columns = pq.read_table(path)
    pq.write_table(change(columns).replace_schema_metadata(columns.schema.metadata), path)


def test_missing_and_foreign_files_are_refused(tmp_path: Path, written: Path) -> None:
    assert "no such file" in refused(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("E,D\n0.5,0.1\n")
    assert "not a Parquet file" in refused(tmp_path / "text.parquet")
    pq.write_table(pa.table({"E": [0.5]}), tmp_path / "foreign.parquet")
    assert "no table of components" in refused(tmp_path / "foreign.parquet")
    assert "NAME.parquet" in refused(tmp_path / "a.csv")
    assert f"give the components' file, {written}" in refused(objects_path(written))
    objects_path(written).unlink()
    assert "a.objects.parquet: no such file" in refused(written)


def test_files_of_two_tables_are_refused(written: Path, table: ComponentTable) -> None:
    other = written.with_name("b.parquet")
    write_table(other, table.of_components(table.area_cells > 5))
    objects_path(other).replace(objects_path(written))
    assert "belongs to another table" in refused(written)


def test_columns_that_do_not_fit_are_refused(written: Path) -> None:
    whole = written.read_bytes()
    rewrite(written, lambda columns: columns.drop_columns(["E_bd"]))
    assert "lacks the column 'E_bd'" in refused(written)
    written.write_bytes(whole)
    rewrite(written, lambda columns: columns.select(columns.column_names[::-1]))
    assert "in another order, 'objects' where 'D' belongs" in refused(written)
    written.write_bytes(whole)
    rewrite(written, lambda c: c.append_column("more", c.column("E")))
    assert "'more' too many" in refused(written)
    written.write_bytes(whole)
    as_text = pa.array(["x"] * 60)
    rewrite(written, lambda columns: columns.set_column(0, "D", as_text))
    assert "column 'D' holds string" in refused(written)
    written.write_bytes(whole)
    rewrite(
        written, lambda columns: columns.set_column(0, "D", pa.array([None] * 60, pa.float64()))
    )
    assert "column 'D' has empty cells" in refused(written)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_metrics_that_are_no_numbers_are_refused_by_name(
    tmp_path: Path, table: ComponentTable, value: float
) -> None:
    metrics = table.metrics.copy()
    metrics[7, table.origin.metric_names.index("V_rel")] = value
    write_table(tmp_path / "a.parquet", replace(table, metrics=metrics))
    message = refused(tmp_path / "a.parquet")
    assert "V_rel" in message
    assert f"frame {table.frame[7]} " in message


def test_another_network_is_refused(tmp_path: Path, table: ComponentTable) -> None:
    origin = replace(table.origin, network_sha256="ab" * 32)
    path = tmp_path / "a.parquet"
    write_table(path, replace(table, origin=origin))
    assert "another network, that of example-model" in refused(path, "cd" * 32)
    assert read_table(path, "ab" * 32).origin.network_sha256 == "ab" * 32


def test_an_empty_table_is_refused(tmp_path: Path, table: ComponentTable) -> None:
    write_table(tmp_path / "a.parquet", table.of_components(np.zeros(len(table), np.bool_)))
    assert "holds no component" in refused(tmp_path / "a.parquet")


def test_an_object_that_is_not_there_is_refused(written: Path) -> None:
    wrong = pa.array([[999]] * 60, pa.list_(pa.int64()))
    rewrite(written, lambda columns: columns.set_column(columns.num_columns - 1, "objects", wrong))
    assert "names an object that its table of objects lacks" in refused(written)


def test_a_format_of_the_future_is_refused(written: Path) -> None:
    columns = pq.read_table(written)
    ((key, content),) = columns.schema.metadata.items()
    newer = json.dumps(json.loads(content) | {"format": 2}).encode()
    pq.write_table(columns.replace_schema_metadata({key: newer}), written)
    assert "format 2" in refused(written)


def test_a_failed_write_leaves_both_files_as_they_were(
    written: Path, table: ComponentTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.read_bytes() for path in sorted(written.parent.iterdir())}
    write = pq.write_table

    def full_disk(columns: pa.Table, path: Path) -> None:
        if columns.column_names[0] == "number":
            raise OSError(28, "No space left on device")
        write(columns, path)

    monkeypatch.setattr(table_files.pq, "write_table", full_disk)
    with pytest.raises(OodError, match="No space left"):
        write_table(written, table.of_components(table.false_positive))
    assert {path: path.read_bytes() for path in sorted(written.parent.iterdir())} == before


@pytest.mark.parametrize("name", ["a.parquet", "a.objects.parquet"])
def test_where_one_file_cannot_be_put_the_other_is_not_written(
    tmp_path: Path, table: ComponentTable, name: str
) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(OodError, match="it is a folder"):
        write_table(tmp_path / "a.parquet", table)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("kind", "frame_id", "sequence"),
    [
        ("lost_and_found", "04_Maurener_Weg_8_000003_000070", "04_Maurener_Weg_8_000003"),
        ("smiyc", "02_Hanns_Klemm_Str_44_000007_000240", "02_Hanns_Klemm_Str_44_000007"),
        ("fishyscapes", "0012_frankfurt_000001_046504", "frankfurt_000001"),
        ("cityscapes", "aachen_000001_000019", "aachen_000001"),
        ("camvid", "0001TP_006690", "0001TP"),
        ("camvid", "0016E5_04350", "0016E5"),
        ("camvid", "0006R0_f01080", "0006R0"),
        ("camvid", "Seq05VD_f00000", "Seq05VD"),
        ("camvid", "unnamed", "unnamed"),
        ("smiyc", "obstacles_10", "obstacles_10"),
        ("generated", "000017", "000017"),
    ],
)
def test_frames_of_a_recording_share_its_name(kind: str, frame_id: str, sequence: str) -> None:
    assert frame_sequence(kind, frame_id) == sequence
