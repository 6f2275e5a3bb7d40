"""The arrays that the fits compute with."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
