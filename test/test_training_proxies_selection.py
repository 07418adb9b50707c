"""Selection of proxies: both ends of a share belong to it, and an empty one says what to widen."""

from __future__ import annotations

from pathlib import Path

import pytest

from ood_perception.errors import OodError
from ood_training import whole_files
from ood_training.proxy_index import (
    LITTLE_UNKNOWN,
    MUCH_UNKNOWN,
    IndexRow,
    ProxySelection,
    read_index,
    select_proxies,
    write_index,
)


def row(image_id: int, share: float, side: int = 100, **areas: int) -> IndexRow:
    areas = areas or {"animal": 1}
    return IndexRow(image_id, image_id - 1, f"{image_id:012d}.jpg", side, 500, share, areas, 2)


ROWS = [
    row(1, 0.0),
    row(2, 61440 / 307200),  # 0.2 of 640x480
    row(3, 61441 / 307200),
    row(4, 245759 / 307200),
    row(5, 245760 / 307200, side=479),  # 0.8
    row(6, 1.0, side=480, food=9),
    row(7, 1e-6, kitchen=0, food=1),
]


def ids(selection: ProxySelection) -> list[int]:
    return [one.image_id for one in select_proxies(ROWS, selection)]


def test_the_thesis_subsets_include_their_limits_and_never_an_empty_image() -> None:
    assert ids(LITTLE_UNKNOWN) == [2, 7]
    assert ids(MUCH_UNKNOWN) == [5, 6]
    assert ids(ProxySelection()) == [2, 3, 4, 5, 6, 7]
    assert ids(ProxySelection(min_share=0.2, max_share=0.8)) == [2, 3, 4, 5]


def test_size_and_supercategory_narrow_a_selection() -> None:
    assert ids(ProxySelection(min_side=480)) == [6]
    assert ids(ProxySelection(min_side=479)) == [5, 6]
    assert ids(ProxySelection(supercategories=("food",))) == [6, 7]
    assert ids(ProxySelection(supercategories=("food", "animal"), max_share=0.2)) == [2, 7]


def test_an_empty_selection_says_what_to_widen() -> None:
    with pytest.raises(OodError, match=r"none of 7 .*\[0.9, 0.95\].*widen min_share, max_share"):
        ids(ProxySelection(0.9, 0.95))
    with pytest.raises(OodError, match="sides of at least 481 pixels and any of food; widen"):
        ids(ProxySelection(min_side=481, supercategories=("food",)))
    # an area of nothing is not shown
    with pytest.raises(OodError, match="supercategory 'kitchen': known are animal, food"):
        ids(ProxySelection(supercategories=("kitchen",)))
    with pytest.raises(OodError, match="none of 0 proxy images"):
        select_proxies([], ProxySelection())


def test_an_index_comes_back_as_it_was_written(tmp_path: Path) -> None:
    third = IndexRow(9, 8, "a, b.jpg", 3, 7, 1 / 3, {"indoor": 7}, None)
    rows = [*ROWS[:-1], third]
    write_index(tmp_path / "index.csv", list(reversed(rows)))
    assert read_index(tmp_path / "index.csv") == rows


def test_a_full_disk_leaves_the_old_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "index.csv"
    write_index(path, ROWS[:1])

    def full_disk(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(whole_files.os, "replace", full_disk)
    with pytest.raises(OodError, match=r"cannot write .*index.csv: No space left on device"):
        write_index(path, ROWS)
    assert read_index(path) == ROWS[:1]
    assert [one.name for one in tmp_path.iterdir()] == ["index.csv"]


def test_a_file_that_is_no_index_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "index.csv"
    with pytest.raises(OodError, match="no such index of proxies; write it with `ood proxies`"):
        read_index(path)
    path.write_text("image_id,share\n1,0.5\n")
    with pytest.raises(OodError, match="not an index of proxies: no column 'number'"):
        read_index(path)
    write_index(path, ROWS)
    whole = path.read_text()
    path.write_text(whole[:-30])
    with pytest.raises(OodError, match=r"index.csv: line 8: "):
        read_index(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OodError, match="cannot be read as CSV"):
        read_index(path)
