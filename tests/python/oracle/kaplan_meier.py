"""The Kaplan-Meier estimate, from its definition."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

Z_95 = 1.959963984540054


class Step(NamedTuple):
    """One distinct duration. `survival` is S after it; the interval is on its scale, None where S is 0 or 1."""

    duration: int
    at_risk: int
    events: int
    censored: int
    survival: float
    ci_low: float | None
    ci_high: float | None


def kaplan_meier(observed: Iterable[tuple[int, bool]]) -> list[Step]:
    """Steps by ascending duration from (duration, whether the event came); at a tie, events come before censorings.

    The interval is Greenwood's on the scale log(-log S), 95%.
    """
    counts = Counter(observed)
    at_risk = counts.total()
    survival = 1.0
    greenwood = 0.0
    steps = []
    for duration in sorted({duration for duration, _ in counts}):
        events, censored = counts[duration, True], counts[duration, False]
        survival *= (at_risk - events) / at_risk
        if events < at_risk:
            greenwood += events / (at_risk * (at_risk - events))
        steps.append(Step(duration, at_risk, events, censored, survival, *_interval(survival, greenwood)))
        at_risk -= events + censored
    return steps


def _interval(survival: float, greenwood: float) -> tuple[float | None, float | None]:
    if survival in (0.0, 1.0):
        return None, None
    centre = math.log(-math.log(survival))
    half_width = Z_95 * math.sqrt(greenwood) / abs(math.log(survival))
    return math.exp(-math.exp(centre + half_width)), math.exp(-math.exp(centre - half_width))
