"""Probabilities and masks of small images, and parts of a table of metrics."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ood_perception.components import ComponentMetrics


def random_probabilities(seed: int, num_classes: int, height: int, width: int) -> np.ndarray:
    """(C, H, W) float32, some pixels sharp, some flat, some exactly one-hot or tied."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(num_classes, height, width)) * generator.choice(
        [0, 1, 5, 100], size=(height, width)
    )
    exponentials = np.exp(logits - logits.max(axis=0))
    return (exponentials / exponentials.sum(axis=0)).astype(np.float32)


def column(metrics: ComponentMetrics, name: str) -> np.ndarray:
    return metrics.values[:, metrics.names.index(name)]


def block(metrics: ComponentMetrics, prefix: str) -> np.ndarray:
    chosen = [name.startswith(prefix) for name in metrics.names]
    return metrics.values[:, chosen]


@st.composite
def scenes(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, mask and ignore of a small image, of 2 to 19 classes."""
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    num_classes = draw(st.integers(2, 19))
    mask = draw(arrays(bool, (height, width)))
    ignore = draw(arrays(bool, (height, width), fill=st.just(False)))
    seed = draw(st.integers(0, 2**32 - 1))
    return random_probabilities(seed, num_classes, height, width), mask, ignore
