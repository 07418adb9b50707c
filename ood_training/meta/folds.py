"""Which components a classifier is fitted on, and which it is tested on."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from ood_perception.errors import OodError
from ood_training.meta.contract import Fold
from ood_training.meta.table import ComponentTable

FoldKind = Literal["sequence", "image", "loo"]


def widest_unit(table: ComponentTable) -> FoldKind:
    """What folds should keep together: sequences, or images where there is one sequence only."""
    return "sequence" if len(np.unique(table.sequence)) > 1 else "image"


def make_folds(table: ComponentTable, by: FoldKind, count: int = 10) -> list[Fold]:
    """Folds whose tested rows together are every row once; the same folds at every call.

    by: ``sequence`` and ``image`` keep a sequence's, an image's components together, in at most
        ``count`` folds (and at most one a group); ``loo`` leaves out one component at a time, with
        its neighbours from the same image still in training, as published.

    Raises OodError for another ``by``, fewer than 2 folds asked for and fewer than 2 groups.
    Source: section 8.3 of the method's specification.
    """
    if by == "loo":
        return _leave_one_out(len(table))
    return group_folds(fold_groups(table, by), count, by)


def fold_groups(table: ComponentTable, by: str) -> NDArray[np.str_]:
    """(n,) str: what a fold keeps together. Raises OodError for anything but sequence, image."""
    if by == "sequence":
        return table.sequence
    if by == "image":
        return table.frame
    kinds = ", ".join(get_args(FoldKind))
    raise OodError(f"there are no folds by {by!r}; give one of {kinds}")


def group_folds(groups: NDArray[np.str_], count: int, unit: str) -> list[Fold]:
    """At most ``count`` folds that keep equal ``groups`` (n,) together; ``unit`` names them.

    Raises OodError as `make_folds`.
    """
    if count < 2:
        raise OodError(f"cross-validation needs at least 2 folds, not {count}")
    found = len(np.unique(groups))
    if found < 2:
        raise OodError(
            f"folds by {unit} need components from at least 2 {unit}s, but the table has {found}; "
            "give more images or other folds"
        )
    splitter = GroupKFold(min(count, found))
    return [(train, test) for train, test in splitter.split(groups, groups=groups)]


def _leave_one_out(components: int) -> list[Fold]:
    if components < 2:
        raise OodError(f"leave-one-out needs at least 2 components, but the table has {components}")
    rows = np.arange(components)
    return [(np.delete(rows, row), rows[row : row + 1]) for row in rows]


def folds_in_words(table: ComponentTable, by: FoldKind, folds: int) -> str:
    """What the folds were, for people."""
    if by == "loo":
        return (
            f"leave-one-out over {folds} components: each is predicted by a classifier that saw "
            "its own image's other components (optimistic)"
        )
    groups = len(np.unique(fold_groups(table, by)))
    return (
        f"{folds} folds by {by} over {groups} {by}s: each component is predicted by a classifier "
        f"that saw nothing of its {by}, scaling included"
    )
