"""Confusion matrix and mean intersection over union."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from ood_perception.errors import OodError
from ood_training.metrics.segmentation import class_ious, confusion_matrix, mean_iou


def test_confusion_matrix_and_ious() -> None:
    labels = np.array([[0, 0, 1], [1, 255, 254]], np.uint8)
    predicted = np.array([[0, 1, 1], [1, 0, 2]], np.uint8)
    confusion = confusion_matrix(predicted, labels, 4, ignored_labels=(254, 255))
    assert confusion.tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(class_ious(confusion), [1 / 2, 2 / 3, np.nan, np.nan])
    assert mean_iou(confusion) == pytest.approx(7 / 12)
    assert np.isnan(mean_iou(np.zeros((4, 4), np.int64)))


def test_mean_iou_is_the_mean_jaccard_score() -> None:
    generator = np.random.default_rng(3)
    labels, predicted = generator.integers(0, 5, (2, 40, 30))
    expected = jaccard_score(labels.ravel(), predicted.ravel(), average="macro")
    assert mean_iou(confusion_matrix(predicted, labels, 5)) == pytest.approx(expected)


def test_labels_that_are_no_class_are_refused_unless_ignored() -> None:
    labels = np.array([0, 1, 254], np.uint8)
    with pytest.raises(OodError, match="label 254 is none of the 2 classes"):
        confusion_matrix(np.zeros(3, np.uint8), labels, 2, ignored_labels=(255,))
    with pytest.raises(OodError, match="predicted class 2"):
        confusion_matrix(np.array([0, 2, 0]), labels, 2, ignored_labels=(254,))
    with pytest.raises(OodError, match="one grid"):
        confusion_matrix(np.zeros(2, np.uint8), labels, 2)
