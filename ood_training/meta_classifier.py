"""The meta classifier: a logistic regression on component metrics, as an ONNX graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import GroupKFold

from ood_perception.errors import OodError

_STD_FLOOR = 1e-10


@dataclass(frozen=True)
class LogisticMetaClassifier:
    """P(false positive) of a component from its M metrics.

    mean, scale: (M,) float64 of the standardisation x' = (x - mean) / scale.
    coefficients: (M,) float64. intercept: log-odds of false positive at the mean.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    intercept: float

    def contributions(self, metrics: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, M): each metric's part in the log-odds of false positive."""
        return (metrics - self.mean) / self.scale * self.coefficients

    def false_positive_probability(self, metrics: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) in [0, 1]."""
        log_odds = self.contributions(metrics).sum(axis=1) + self.intercept
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * log_odds)))


def fit_meta_classifier(
    metrics: NDArray[np.float64], false_positive: NDArray[np.bool_]
) -> LogisticMetaClassifier:
    """Logistic regression with L2 and C = 1 by liblinear on standardised metrics.

    Args:
        metrics: (n, M) float64.
        false_positive: (n,) bool, the positive class.

    Raises OodError when there are not components of both kinds.
    Reference: section 8 of the method's specification. A constant metric becomes 0.
    """
    if false_positive.all() or not false_positive.any():
        kind = "false positives" if false_positive.size and false_positive[0] else "hits"
        raise OodError(
            f"the meta classifier needs components of both kinds, but all {false_positive.size} "
            f"are {kind}; change the threshold or give more images"
        )
    mean, deviation = metrics.mean(axis=0), metrics.std(axis=0)
    # a column that is constant but for rounding would be blown up by its own noise
    constant = deviation <= 1e-12 * np.maximum(1.0, np.abs(mean))
    scale = np.where(constant, 1.0, deviation + _STD_FLOOR)
    standardised = np.where(constant, 0.0, (metrics - mean) / scale)
    model = LogisticRegression(solver="liblinear", C=1.0, max_iter=1000)
    model.fit(standardised, false_positive)
    coefficients = np.where(constant, 0.0, model.coef_[0])
    return LogisticMetaClassifier(mean, scale, coefficients, float(model.intercept_[0]))


def cross_validate(
    metrics: NDArray[np.float64],
    false_positive: NDArray[np.bool_],
    groups: NDArray[Any],
    folds: int = 10,
) -> NDArray[np.float64]:
    """(n,) P(false positive) of every component by a model that saw nothing of its group.

    groups: (n,) what must stay together, the frame or its sequence.
    """
    folds = min(folds, len(np.unique(groups)))
    if folds < 2:
        raise OodError("cross-validation needs components from at least two images")
    probability = np.empty(len(metrics))
    for chosen, held_out in GroupKFold(folds).split(metrics, false_positive, groups):
        model = fit_meta_classifier(metrics[chosen], false_positive[chosen])
        probability[held_out] = model.false_positive_probability(metrics[held_out])
    return probability


def score_meta_classifier(
    probability: NDArray[np.float64], false_positive: NDArray[np.bool_], decision: float = 0.5
) -> dict[str, float | int]:
    """AUROC, average precision and the four counts of kept and removed components."""
    removed = probability > decision
    return {
        "auroc": round(float(roc_auc_score(false_positive, probability)), 4),
        "average_precision": round(float(average_precision_score(false_positive, probability)), 4),
        "accuracy": round(float(np.mean(removed == false_positive)), 4),
        "false_positives_kept": int(np.sum(false_positive & ~removed)),
        "false_positives_removed": int(np.sum(false_positive & removed)),
        "hits_kept": int(np.sum(~false_positive & ~removed)),
        "hits_removed": int(np.sum(~false_positive & removed)),
    }


def meta_classifier_to_onnx(model: LogisticMetaClassifier) -> bytes:
    """The graph: ``metrics`` (n, M) float64 in, ``false_positive_probability`` (n,) and
    ``contributions`` (n, M) out, both float64, the latter in log-odds of false positive."""
    count = len(model.mean)
    constants = {
        "mean": model.mean,
        "weight": model.coefficients / model.scale,
        "intercept": np.array(model.intercept),
        "metric_axis": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Sub", ["metrics", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "weight"], ["contributions"]),
        helper.make_node("ReduceSum", ["contributions", "metric_axis"], ["sum"], keepdims=0),
        helper.make_node("Add", ["sum", "intercept"], ["log_odds"]),
        helper.make_node("Sigmoid", ["log_odds"], ["false_positive_probability"]),
    ]
    double = TensorProto.DOUBLE
    graph = helper.make_graph(
        nodes,
        "meta_classifier",
        [helper.make_tensor_value_info("metrics", double, ["n", count])],
        [
            helper.make_tensor_value_info("false_positive_probability", double, ["n"]),
            helper.make_tensor_value_info("contributions", double, ["n", count]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(proto, full_check=True)
    return bytes(proto.SerializeToString())
