"""Decoded pictures kept in memory up to a limit."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


class PictureCache:
    """Keeps what was loaded, by key, the least recently used going first.

    What it hands out is shared: never write into it.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.held_bytes = 0
        self._items: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def get(self, key: Hashable, load: Callable[[], T]) -> T:
        """The item of a key, loaded when it is not held."""
        if key in self._items:
            self._items.move_to_end(key)
            item: T = self._items[key][0]
            return item
        item = load()
        size = picture_bytes(item)
        if size > self.limit_bytes:
            return item
        self._items[key] = (item, size)
        self.held_bytes += size
        while self.held_bytes > self.limit_bytes:
            _, (_, freed) = self._items.popitem(last=False)
            self.held_bytes -= freed
        return item


def picture_bytes(item: object) -> int:
    """Bytes of the arrays in an array, a tuple or a dataclass of arrays."""
    if isinstance(item, np.ndarray):
        return item.nbytes
    if isinstance(item, tuple):
        return sum(picture_bytes(part) for part in item)
    if is_dataclass(item):
        return sum(picture_bytes(getattr(item, field.name)) for field in fields(item))
    return 0
