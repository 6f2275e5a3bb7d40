"""The arrays that the fits compute with."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def alike(*columns: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The place of one row of each combination of values that there is, and which of them each row is like."""
    key = np.zeros(columns[0].size, dtype=np.int64)
    for column in columns:
        values, codes = np.unique(column, return_inverse=True)
        key = key * max(values.size, 1) + codes
    _, first, codes = np.unique(key, return_index=True, return_inverse=True)
    return first, codes
