"""A comparison knows its data by their bytes, not by their path."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

pytest.importorskip("torch", reason="needs the training extra")

from comparison_examples import write_checkpoint, write_comparison

from ood_training.comparison.configuration import load_comparison
from ood_training.comparison.run_comparison import run_comparison
from ood_training.grid_network import GridNetwork


def test_other_labels_in_the_same_place_are_measured_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    look = GridNetwork.look
    monkeypatch.setattr(
        GridNetwork, "look", lambda self, image: (looks.append(1), look(self, image))[1]
    )
    checkpoint = write_checkpoint(tmp_path / "known.safetensors")
    path = write_comparison(tmp_path, {"known": {"checkpoint": str(checkpoint)}})

    def precision() -> float:
        row = run_comparison(load_comparison(path))["sets"]["scenes"]["rows"][0]
        return float(row["figures"]["AP"]["mean"])

    before, frames = precision(), len(looks)
    assert precision() == before
    assert len(looks) == frames > 0, "measured twice"
    file = next((tmp_path / "scenes/labels").iterdir())
    labels = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    assert labels is not None
    labels[:20] = 254
    assert cv2.imwrite(str(file), labels)
    assert precision() != before
    assert len(looks) == 2 * frames
