"""The index of proxy images: what each one holds, as CSV, and selection from it."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.datasets.pictures import read_color, read_labels
from ood_training.losses import OOD_LABEL
from ood_training.whole_files import written_whole

_AREA_COLUMN = "area_"
_COLUMNS = ("image_id", "number", "file_name", "height", "width", "share", "license_id")


class Selectable(Protocol):
    """What a selection looks at."""

    @property
    def share(self) -> float: ...
    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def areas(self) -> Mapping[str, int]: ...


S = TypeVar("S", bound=Selectable)


@dataclass(frozen=True)
class IndexRow:
    """One proxy image.

    image_id, license_id: COCO's; the licence is None where the annotations name none.
    number: folds are made of it (``datasets.coco_annotations.CandidateImages``).
    share: unknown pixels on the full-size mask, in (0, 1].
    areas: pixels of each supercategory that occurs, at full size.
    """

    image_id: int
    number: int
    file_name: str
    height: int
    width: int
    share: float
    areas: Mapping[str, int]
    license_id: int | None = None


@dataclass(frozen=True)
class ProxySelection:
    """Which proxies to take (spec section 2.2).

    A proxy is taken when its share is above 0 and within [min_share, max_share], its shorter side
    has at least ``min_side`` pixels and, where supercategories are named, it shows one of them.
    L-20% of the thesis is (0, 0.2], M-80% is [0.8, 1].
    """

    min_share: float = 0.0
    max_share: float = 1.0
    min_side: int = 0
    supercategories: tuple[str, ...] = ()

    def takes(self, one: Selectable) -> bool:
        """Whether a proxy belongs to the selection."""
        if not (one.share > 0 and self.min_share <= one.share <= self.max_share):
            return False
        shown = not self.supercategories or any(one.areas.get(n, 0) for n in self.supercategories)
        return shown and min(one.height, one.width) >= self.min_side


ALL_PROXIES = ProxySelection()
LITTLE_UNKNOWN = ProxySelection(max_share=0.2)
MUCH_UNKNOWN = ProxySelection(min_share=0.8)
SUBSETS = {"all": ALL_PROXIES, "L-20%": LITTLE_UNKNOWN, "M-80%": MUCH_UNKNOWN}


def select_proxies(proxies: Sequence[S], selection: ProxySelection) -> list[S]:
    """The proxies that a selection takes, in their order.

    Raises OodError when none is left, or a supercategory occurs nowhere; it says what to widen.
    """
    known = sorted({name for one in proxies for name, area in one.areas.items() if area})
    for name in selection.supercategories:
        if name not in known:
            raise OodError(f"no proxy shows the supercategory {name!r}: known are {_list(known)}")
    chosen = [one for one in proxies if selection.takes(one)]
    if chosen:
        return chosen
    shares = [one.share for one in proxies]
    found = f"their shares lie in [{min(shares):.3f}, {max(shares):.3f}]" if shares else "none"
    wishes = [f"a share in [{selection.min_share}, {selection.max_share}]"]
    wishes += [f"sides of at least {selection.min_side} pixels"] if selection.min_side else []
    wishes += [f"any of {_list(selection.supercategories)}"] if selection.supercategories else []
    raise OodError(
        f"none of {len(proxies)} proxy images ({found}) has {' and '.join(wishes)}; widen "
        "min_share, max_share, min_side or supercategories"
    )


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def write_index(path: Path, rows: Sequence[IndexRow]) -> None:
    """Write an index whole or not at all: one line an image, one column an area.

    Raises OodError when it cannot be written.
    """
    names = sorted({name for row in rows for name in row.areas})
    with written_whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*_COLUMNS, *(_AREA_COLUMN + name for name in names)])
        for row in rows:
            fixed = [getattr(row, column) for column in _COLUMNS]
            # repr keeps every bit of a share, so that 0.2 is still 0.2 when it is read
            fixed[5] = repr(row.share)
            writer.writerow([*fixed, *(row.areas.get(name, 0) for name in names)])


def read_index(path: Path) -> list[IndexRow]:
    """Read an index; OodError names the file and line when it is none."""
    if not path.is_file():
        raise OodError(f"{path}: no such index of proxies; write it with `ood proxies`")
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream, restval="")
            missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise OodError(f"{path}: not an index of proxies: no column {missing[0]!r}")
            rows = []
            for fields in reader:
                try:
                    rows.append(_row(fields))
                except (ValueError, TypeError, AttributeError) as error:
                    raise OodError(f"{path}: line {reader.line_num}: {error}") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OodError(f"{path}: cannot be read as CSV: {error}") from error
    return sorted(rows, key=lambda row: row.image_id)


def _row(fields: Mapping[str, str]) -> IndexRow:
    start = len(_AREA_COLUMN)
    areas = {
        name[start:]: int(value) for name, value in fields.items() if name.startswith(_AREA_COLUMN)
    }
    return IndexRow(
        image_id=int(fields["image_id"]),
        number=int(fields["number"]),
        file_name=fields["file_name"],
        height=int(fields["height"]),
        width=int(fields["width"]),
        share=float(fields["share"]),
        areas={name: area for name, area in areas.items() if area > 0},
        license_id=int(fields["license_id"]) if fields["license_id"] else None,
    )


def mask_path(folder: Path, image_id: int) -> Path:
    """Where the mask of an image lies in its folder: 12 digits, as COCO names its pictures."""
    return folder / f"{image_id:012d}.png"


@dataclass(frozen=True)
class StoredProxy:
    """A proxy image of an index: its picture and the mask that `ood proxies` wrote."""

    row: IndexRow
    path: Path
    mask_file: Path

    @property
    def image_id(self) -> int:
        return self.row.image_id

    @property
    def share(self) -> float:
        return self.row.share

    @property
    def height(self) -> int:
        return self.row.height

    @property
    def width(self) -> int:
        return self.row.width

    @property
    def areas(self) -> Mapping[str, int]:
        return self.row.areas

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(H, W) bool, read at each call; OodError for a mask that is not of this image."""
        mask = read_labels(self.mask_file) == OOD_LABEL
        if mask.shape != (self.height, self.width) or not mask.any():
            raise OodError(f"{self.mask_file}: does not fit its index; run `ood proxies` again")
        return np.asarray(mask)

    def load(self) -> NDArray[np.uint8]:
        """The picture, (H, W, 3) uint8 BGR; OodError when it has another size than its mask."""
        image = read_color(self.path)
        if image.shape[:2] != (self.height, self.width):
            raise OodError(f"{self.path}: its size differs from the size in the index")
        return image
