"""Held-out proxy images as an evaluation set: the right fold, true labels, nothing overwritten."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from coco_examples import write_proxies

from ood_perception.errors import OodError
from ood_training.datasets.coco import coco_proxies
from ood_training.datasets.registry import open_dataset
from ood_training.label_values import OOD_LABEL
from ood_training.proxy_evaluation_set import write_evaluation_set
from ood_training.proxy_index import ProxySelection


def test_it_holds_the_other_fold_with_every_annotated_pixel_unknown(tmp_path: Path) -> None:
    write_proxies(tmp_path / "coco", 5)
    assert write_evaluation_set(tmp_path / "coco", tmp_path / "set") == 2
    dataset = open_dataset("smiyc", tmp_path / "set")
    trained = {f"{proxy.image_id:012d}" for proxy in coco_proxies(tmp_path / "coco", fold=0)}
    assert len(dataset) == 2
    assert not trained & set(dataset.frame_ids)
    for index, frame_id in enumerate(dataset.frame_ids):
        image, labels = dataset.load(index)
        assert (image == 100 + int(frame_id)).all()
        wanted = np.zeros((60, 80), bool)
        wanted[10:50, 10:50] = True
        np.testing.assert_array_equal(labels == OOD_LABEL, wanted)
        assert (labels[~wanted] == 0).all()


def test_a_folder_in_use_and_an_empty_selection_are_one_line(tmp_path: Path) -> None:
    write_proxies(tmp_path / "coco", 4)
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "mine.txt").write_text("mine")
    with pytest.raises(OodError, match="not an empty folder"):
        write_evaluation_set(tmp_path / "coco", taken)
    with pytest.raises(OodError, match="widen"):
        write_evaluation_set(
            tmp_path / "coco", tmp_path / "set", selection=ProxySelection(min_share=0.9)
        )
    assert not (tmp_path / "set").exists()
    assert (taken / "mine.txt").read_text() == "mine"
