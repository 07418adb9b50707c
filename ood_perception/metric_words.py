"""The names of metrics in plain words, for people (the method's specification, section 7)."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Short, for they stand in pictures. A class tie is 1 where the two best classes are equally
# probable; class doubt is what the best class lacks to certainty.
_HEATS = {
    "E": "entropy",
    "D": "class tie",
    "V": "class doubt",
}
_SIZES = {
    "S": "area",
    "S_in": "area without its rim",
    "S_bd": "length of its rim",
    "S_rel": "thickness",
    "S_rel_in": "thickness without its rim",
    "mean_x": "row in the picture",
    "mean_y": "column in the picture",
}
_PARTS = {
    "": "mean {heat}",
    "_in": "{heat} inside",
    "_bd": "{heat} at its rim",
    "_rel": "{heat} x thickness",
    "_rel_in": "{heat} inside x thickness",
    "_var": "spread of {heat}",
    "_var_in": "spread of {heat} inside",
    "_var_bd": "spread of {heat} at its rim",
    "_var_rel": "spread of {heat} x thickness",
    "_var_rel_in": "spread of {heat} inside x thickness",
}
_WORDS = _SIZES | {
    letter + suffix: part.format(heat=heat)
    for letter, heat in _HEATS.items()
    for suffix, part in _PARTS.items()
}
_CLASS_METRIC = re.compile(r"(cprob|ndist)(\d+)")
_COUNTED = {"S", "S_in", "S_bd", "mean_x", "mean_y"}


def metric_words(name: str, class_names: Sequence[str] = ()) -> str:
    """A metric in words: ``ndist4`` is "sky next to it" where class 4 is the sky.

    class_names: by class id; a class beyond them is called by its number. A name that is no
    metric of ours is returned as it is.
    """
    match = _CLASS_METRIC.fullmatch(name)
    if match is None:
        return _WORDS.get(name, name)
    index = int(match[2])
    known = class_names[index] if index < len(class_names) else f"class {index}"
    return f"probability of {known}" if match[1] == "cprob" else f"{known} next to it"


def metric_value_words(name: str, value: float) -> str:
    """A metric's value as people read it: a share in percent, a number of cells whole."""
    if _CLASS_METRIC.fullmatch(name):
        return f"{value:.0%}"
    return f"{value:.0f}" if name in _COUNTED else f"{value:.2g}"
