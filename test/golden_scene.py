"""The worked example of the method's specification, section 7.3: 8 x 10 pixels, three classes."""

from __future__ import annotations

import numpy as np

THRESHOLD = 0.7
OUTSIDE = (0.9, 0.06, 0.04)
INSIDE_EVEN_ROW, INSIDE_ODD_ROW = (0.4, 0.35, 0.25), (0.5, 0.3, 0.2)

UNSURE = np.zeros((8, 10), bool)
UNSURE[1:5, 1:5] = True
UNSURE[5, 5] = True
UNSURE[0:3, 8:10] = True
UNSURE[7, 7] = True
UNSURE[7, 0:2] = True

UNKNOWN = np.zeros((8, 10), bool)
UNKNOWN[3:7, 3:6] = True
UNKNOWN[0, 5:7] = True

VOID = np.zeros((8, 10), bool)
VOID[6:8, 0:2] = True

PROBABILITIES = np.empty((3, 8, 10))
for _row, _column in np.ndindex(8, 10):
    _base = OUTSIDE
    if UNSURE[_row, _column]:
        _base = INSIDE_ODD_ROW if _row % 2 else INSIDE_EVEN_ROW
    PROBABILITIES[:, _row, _column] = np.roll(_base, (_row + _column) % 3)

GOLDEN = {
    "mean_x": (1, 2.64706, 7),
    "mean_y": (8.5, 2.64706, 7),
    "E": (0.968102, 0.959022, 0.93723),
    "E_in": (0.960384, 0.960384, 0),
    "E_bd": (0.971961, 0.958603, 0.93723),
    "E_rel": (1.45215, 1.25411, 0.93723),
    "E_rel_in": (0.480192, 0.295503, 0),
    "E_var": (0.000476542, 0.000534254, 0),
    "E_var_in": (0.000536109, 0.000536109, 0),
    "E_var_bd": (0.000402082, 0.000532937, 0),
    "E_var_rel": (0.000714812, 0.00069864, 0),
    "E_var_rel_in": (0.000268055, 0.000164957, 0),
    "D": (0.9, 0.870588, 0.8),
    "D_in": (0.875, 0.875, 0),
    "D_bd": (0.9125, 0.869231, 0.8),
    "D_rel": (1.35, 1.13846, 0.8),
    "D_rel_in": (0.4375, 0.269231, 0),
    "D_var": (0.005, 0.00560554, 0),
    "D_var_in": (0.005625, 0.005625, 0),
    "D_var_bd": (0.00421875, 0.00559172, 0),
    "D_var_rel": (0.0075, 0.00733032, 0),
    "D_var_rel_in": (0.0028125, 0.00173077, 0),
    "V": (0.566667, 0.547059, 0.5),
    "V_in": (0.55, 0.55, 0),
    "V_bd": (0.575, 0.546154, 0.5),
    "V_rel": (0.85, 0.715385, 0.5),
    "V_rel_in": (0.275, 0.169231, 0),
    "V_var": (0.00222222, 0.00249135, 0),
    "V_var_in": (0.0025, 0.0025, 0),
    "V_var_bd": (0.001875, 0.00248521, 0),
    "V_var_rel": (0.00333333, 0.00325792, 0),
    "V_var_rel_in": (0.00125, 0.000769231, 0),
    "S": (6, 17, 1),
    "S_in": (2, 4, 0),
    "S_bd": (4, 13, 1),
    "S_rel": (1.5, 1.30769, 1),
    "S_rel_in": (0.5, 0.307692, 0),
    "cprob0": (0.341667, 0.320588, 0.3),
    "cprob1": (0.341667, 0.341176, 0.2),
    "cprob2": (0.316667, 0.338235, 0.5),
    "ndist0": (0.333333, 0.36, 0.4),
    "ndist1": (0.25, 0.32, 0.4),
    "ndist2": (0.416667, 0.32, 0.2),
}
"""Every metric of the three components, to six significant digits."""
