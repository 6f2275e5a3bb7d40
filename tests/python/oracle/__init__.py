"""The marts computed a second time, from the definitions alone.

Plain Python, one customer after the other, written without a look at the SQL. `read_facts` turns raw rows into what
counts as of a date; `compute_marts` turns those facts and the seeds into one frame per mart, with the columns of the
mart. Where a mart and this package differ, one of the two misreads the definition.
"""

from oracle.comparison import assert_frames_equal
from oracle.marts import compute_marts
from oracle.order_history import Facts, read_facts
from oracle.seeds import Seeds, read_seeds
from oracle.variables import Variables

__all__ = ["Facts", "Seeds", "Variables", "assert_frames_equal", "compute_marts", "read_facts", "read_seeds"]
