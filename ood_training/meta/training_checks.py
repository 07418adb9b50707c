"""What keeps a meta classifier from being fitted on a wrong table or written with a wrong graph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ood_perception.bundle import Bundle
from ood_perception.components import metric_names
from ood_perception.errors import OodError
from ood_perception.meta_classifier import MetaClassifier
from ood_training.meta.contract import MetaModel
from ood_training.meta.promise import PromiseRequest, check_object_count
from ood_training.meta.table import ComponentTable

_MOST_DIFFERENCE = 1e-5


def check_table(bundle: Bundle, table: ComponentTable) -> None:
    """Raises OodError for a table of another network, score or metrics than the bundle's.

    The network counts by its file: the bundle's id changes with every classifier written into it.
    """
    origin, manifest = table.origin, bundle.manifest
    if origin.network_sha256 != manifest.network.sha256:
        raise OodError(
            f"the table of {origin.source} was built with another network (bundle "
            f"{origin.model_id}) than that of {bundle.folder}: build it again with `ood meta build`"
        )
    if origin.score != manifest.score.name:
        raise OodError(
            f"the table of {origin.source} holds components of the score {origin.score}, but "
            f"{bundle.folder} computes {manifest.score.name}: build it again with `ood meta build`"
        )
    if origin.metric_names != metric_names(bundle.num_classes):
        raise OodError(
            f"the table of {origin.source} has other metrics than the classes of "
            f"{bundle.folder} give: build it again with `ood meta build`"
        )


def check_calibration(table: ComponentTable, promise: PromiseRequest) -> None:
    """Raises OodError for a calibration of other components than the training table's, for one
    that shares a sequence with it, and for too few objects hit."""
    here, there = table.origin, promise.calibration.origin
    if (here.network, here.score, here.threshold) != (there.network, there.score, there.threshold):
        raise OodError(
            f"the calibration of {there.source} ({there.model_id}, {there.score} >= "
            f"{there.threshold:g}) fits no training on {here.model_id}, {here.score} >= "
            f"{here.threshold:g}: build both with one bundle and threshold"
        )
    shared = np.intersect1d(_sequences(table), _sequences(promise.calibration))
    if shared.size:
        raise OodError(
            f"calibration and training share {shared.size} of their sequences, the first is "
            f"{shared[0]}: a promise needs sequences that the classifier was not fitted on"
        )
    check_object_count(int(promise.calibration.hit().sum()), promise.alpha)


def check_graph(model: MetaModel, bundle: Bundle, metrics: NDArray[np.float64]) -> float:
    """The largest difference in P(false positive) between a classifier and the bundle's graph, by
    the code that runs in the vehicle, on (n, M) metrics. Raises OodError above 1e-5."""
    served = MetaClassifier(bundle).decide(metrics).false_positive_probability
    difference = float(np.abs(served - model.false_positive_probability(metrics)).max())
    if not difference <= _MOST_DIFFERENCE:
        raise OodError(
            f"the graph of the {model.kind} differs from the classifier by {difference:.2g} in "
            f"P(false positive), more than {_MOST_DIFFERENCE:g}: nothing was written"
        )
    return difference


def _sequences(table: ComponentTable) -> NDArray[np.str_]:
    return np.concatenate([table.sequence, table.object_sequence])
