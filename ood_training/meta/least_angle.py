"""Least-angle regression (Efron, Hastie, Johnstone, Tibshirani 2004, section 2).

Written out because scikit-learn's ``lars_path(method="lar")`` (1.9) turns the direction of a metric
around where its coefficient crosses zero, which belongs to the lasso alone: on tables of components
its residual then grows from step to step instead of falling.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Of a column's length: below it, what other columns leave of it is rounding. Probabilities are
# float32, so that the last one is 1 less the others to about 1e-7.
_OWN_PART = 1e-3
_NO_CORRELATION = 1e-12


def least_angle_path(
    columns: NDArray[np.float64], response: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Columns in the order in which they enter, and the coefficients on the way.

    columns: (n, p) float64 of mean 0 and length 1 each. response: (n,) float64 of mean 0.
    Returns (k,) intp and (p, k + 1) float64, from no coefficient to least squares on the k columns.
    A column that those before it contain (a sum of others) never enters.

    At every step the columns within have one and the same absolute correlation with what is left
    of the response, and no other column has more.
    """
    rest, left = columns.copy(), response.astype(np.float64)
    outside = np.ones(columns.shape[1], np.bool_)
    entered: list[int] = []
    basis = np.zeros((len(columns), 0))
    path = [np.zeros(columns.shape[1])]
    weakest = _NO_CORRELATION * float(np.linalg.norm(response))
    while True:
        outside &= np.linalg.norm(rest, axis=0) >= _OWN_PART
        correlation = columns.T @ left
        if not outside.any() or np.abs(correlation[outside]).max() <= weakest:
            break
        newest = int(np.argmax(np.where(outside, np.abs(correlation), -1.0)))
        outside[newest] = False
        entered.append(newest)
        direction = rest[:, newest] / np.linalg.norm(rest[:, newest])
        basis = np.column_stack([basis, direction])
        rest -= np.outer(direction, direction @ rest)
        outside &= np.linalg.norm(rest, axis=0) >= _OWN_PART
        towards = basis @ (basis.T @ left)
        share = _share_of_way(
            correlation[outside], columns[:, outside].T @ towards, abs(correlation[newest])
        )
        coefficients = path[-1].copy()
        triangle = basis.T @ columns[:, entered]
        coefficients[entered] += share * np.linalg.solve(np.triu(triangle), basis.T @ left)
        path.append(coefficients)
        left = left - share * towards
    return np.array(entered, np.intp), np.column_stack(path)


def _share_of_way(
    correlation: NDArray[np.float64], change: NDArray[np.float64], greatest: float
) -> float:
    """How far to go towards least squares, in [0, 1], until a column outside catches up.

    correlation: (q,) of the columns outside with what is left; it falls by ``change`` (q,) on the
    whole way, that of the columns within from ``greatest`` to 0.
    """
    shares = [1.0]
    for sign in (1.0, -1.0):
        lead, closing = greatest - sign * correlation, greatest - sign * change
        meets = closing > 0
        shares += list(np.maximum(lead[meets], 0.0) / closing[meets])
    return float(min(shares))
