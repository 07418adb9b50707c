"""Which components are false positives, and why (the method's specification, section 8)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ood_perception.backends import create_backend
from ood_perception.bundle import Bundle, MetaClassifierSpec
from ood_perception.components import metric_names
from ood_perception.detection import Reason
from ood_perception.errors import BundleError


class MetaDecision(NamedTuple):
    """What the meta classifier says of n components.

    false_positive_probability: (n,) float64 in [0, 1].
    kept: (n,) bool.
    contributions: (n, M) float64, each metric's part in log-odds of "real obstacle".
    """

    false_positive_probability: NDArray[np.float64]
    kept: NDArray[np.bool_]
    contributions: NDArray[np.float64]


class MetaClassifier:
    """The bundle's false-positive filter; without one, every component is kept."""

    def __init__(self, bundle: Bundle, backend: str = "onnxruntime") -> None:
        """Load the filter.

        Raises:
            BundleError: it was fitted on other metrics than this program computes, or on
                components of another score or threshold than the bundle's.
            BackendError: the backend refuses its graph.
        """
        self.names = metric_names(bundle.num_classes)
        spec = bundle.manifest.meta_classifier
        self._decision = 1.0 if spec is None else spec.decision
        self._graph = None
        if spec is None or bundle.meta_classifier_onnx is None:
            return
        if spec.metric_names != self.names:
            raise BundleError(
                f"the meta classifier of {bundle.folder} was fitted on other metrics than the "
                f"{len(self.names)} of {bundle.num_classes} classes: fit it again with "
                "`ood meta train`"
            )
        _check_score(bundle, spec)
        path = str(bundle.folder / spec.file)
        graph = bundle.meta_classifier_onnx
        self._graph = create_backend(backend, graph, path, full_precision=True)

    @property
    def devices(self) -> tuple[str, ...]:
        """What its graph really runs on, in words; nothing where there is no graph."""
        return () if self._graph is None else (self._graph.device,)

    def decide(self, values: NDArray[np.float64]) -> MetaDecision:
        """Decide on n components by their (n, M) metrics in the order of `names`."""
        count = len(values)
        if self._graph is None or count == 0:
            nothing = np.zeros(count)
            return MetaDecision(nothing, np.ones(count, bool), np.zeros(values.shape))
        metrics = values.astype(self._graph.inputs[0].dtype)
        outputs = self._graph.run({"metrics": metrics})
        probability = outputs["false_positive_probability"].astype(np.float64).reshape(count)
        # A tie keeps the component, and so does a number that is none: missing an obstacle is
        # worse than a false alarm.
        kept = ~(probability > self._decision)
        contributions = -outputs["contributions"].astype(np.float64)
        return MetaDecision(probability, kept, contributions)

    def reasons(
        self, values: NDArray[np.float64], contributions: NDArray[np.float64], top: int = 3
    ) -> list[tuple[Reason, ...]]:
        """For each of n components the `top` metrics by falling |contribution|, both (n, M)."""
        order = np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :top]
        columns = (
            order.tolist(),
            np.take_along_axis(values, order, axis=1).tolist(),
            np.take_along_axis(contributions, order, axis=1).tolist(),
        )
        return [
            tuple(
                Reason(self.names[metric], value, part)
                for metric, value, part in zip(*row, strict=True)
                if part != 0
            )
            for row in zip(*columns, strict=True)
        ]


def _check_score(bundle: Bundle, spec: MetaClassifierSpec) -> None:
    """A classifier that does not tell its score and threshold is taken as it is."""
    score = bundle.manifest.score
    name = score.name if spec.score is None else spec.score
    threshold = score.threshold if spec.threshold is None else spec.threshold
    if (name, threshold) != (score.name, score.threshold):
        raise BundleError(
            f"the meta classifier of {bundle.folder} was fitted on {name} >= {threshold:g}, "
            f"but the bundle's score is {score.name} >= {score.threshold:g}: fit it again with "
            "`ood meta train`"
        )
