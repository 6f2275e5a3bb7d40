"""Whether intervals hold the truth as often as they say, and are as wide as the errors ask for.

Figures of one company go together, so companies are the clusters: what is averaged over figures has the standard error
of a ratio of sums over companies (Cochran 1977, section 2.11), with the t quantile of so many companies less one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from orchestration.predictive.arrays import Floats

_Z = float(norm.ppf(0.975))
# an estimate keeps its promise where the interval of its coverage includes a value between these, and its width and
# bias lie within these
COVERAGE_LIMITS, WIDTH_LIMITS, BIAS_LIMIT = (0.92, 0.98), (0.85, 1.30), 0.3
# what few companies can show
LEAST_COVERAGE_OF_FEW, WIDTH_LIMITS_OF_FEW = 0.80, (0.6, 1.8)


@dataclass(frozen=True)
class Outcome:
    """One figure of one simulated company: its estimate, the 95% interval, and the truth.

    Where the mart states no interval, estimate, low and high are NaN.

    Attributes:
        estimate_name: what is estimated.
        company: the company, which is the cluster.
        as_of: the day as of which the marts were built.
        group: a coarse part of the estimate, such as the horizon.
        part: a part of it that is one figure of a company on one day.
    """

    estimate_name: str
    company: int
    as_of: date
    group: str
    part: str
    estimate: float
    low: float
    high: float
    truth: float

    @property
    def cell(self) -> tuple[str, str, str]:
        """Figures of one cell, each of another company, are of one scale."""
        return self.estimate_name, str(self.as_of), self.part

    @property
    def is_stated(self) -> bool:
        return not np.isnan(self.half_width)

    @property
    def holds(self) -> bool:
        return self.low <= self.truth <= self.high

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Judgement:
    """One estimate over companies, pooled over groups and days.

    Attributes:
        companies, figures: how many that state an interval.
        unstated: figures without one, which nothing else is taken from.
        coverage, coverage_low, coverage_high: share of the intervals that hold, with its 95% interval.
        width, width_low, width_high: mean half width over 1.96 root mean square errors, with its 95% interval.
        bias: mean error over root mean square error.
        bias_differs: whether the mean error differs from 0 at the 5% level.
    """

    name: str
    companies: int
    figures: int
    coverage: float
    coverage_low: float
    coverage_high: float
    width: float
    width_low: float
    width_high: float
    bias: float
    bias_differs: bool
    unstated: int = 0


def failures(judgement: Judgement) -> list[str]:
    """What an estimate does not keep over many companies, in words."""
    found = []
    if judgement.coverage_high < COVERAGE_LIMITS[0]:
        found.append("misses too often")
    if judgement.coverage_low > COVERAGE_LIMITS[1]:
        found.append("misses too rarely")
    if judgement.width < WIDTH_LIMITS[0]:
        found.append("too narrow")
    if judgement.width > WIDTH_LIMITS[1]:
        found.append("too wide")
    if judgement.bias_differs and abs(judgement.bias) >= BIAS_LIMIT:
        found.append("too high" if judgement.bias > 0 else "too low")
    return found


def gross_failures(judgement: Judgement) -> list[str]:
    """The same over few companies, of which chance alone says little more."""
    found = []
    if judgement.coverage < LEAST_COVERAGE_OF_FEW:
        found.append("misses too often")
    if judgement.width < WIDTH_LIMITS_OF_FEW[0]:
        found.append("too narrow")
    if judgement.width > WIDTH_LIMITS_OF_FEW[1]:
        found.append("too wide")
    return found


def judge(outcomes: Sequence[Outcome]) -> Judgement:
    """Judge the outcomes of one estimate, of which one at least states an interval and is not exactly right.

    Errors and half widths of a cell are divided by the mean half width of the cell before they are pooled: days and
    horizons have different scales, and a mean over them would be that of the largest.
    """
    unstated = sum(not outcome.is_stated for outcome in outcomes)
    outcomes = [outcome for outcome in outcomes if outcome.is_stated]
    company = np.unique([outcome.company for outcome in outcomes], return_inverse=True)[1]
    error = np.array([outcome.estimate - outcome.truth for outcome in outcomes])
    width = np.array([outcome.half_width for outcome in outcomes])
    holds = np.array([outcome.holds for outcome in outcomes], dtype=np.float64)
    cell = np.unique([" ".join(outcome.cell) for outcome in outcomes], return_inverse=True)[1]
    scale = (np.bincount(cell, weights=width) / np.bincount(cell))[cell]
    scale = np.where(scale > 0, scale, 1.0)
    coverage, coverage_error, quantile = clustered_mean(holds, company)
    bias, bias_error, _ = clustered_mean(error / scale, company)
    squared, squared_error, _ = clustered_mean((error / scale) ** 2, company)
    spread = float(np.sqrt(squared))
    ratio = float(np.mean(width / scale)) / (_Z * spread)
    # delta method, on the logarithm
    factor = float(np.exp(min(quantile * squared_error / (2 * squared), 700.0)))
    low, high = share_interval(coverage, coverage_error, quantile, int(company.max()) + 1)
    return Judgement(
        name=outcomes[0].estimate_name,
        companies=int(company.max()) + 1,
        figures=len(outcomes),
        coverage=coverage,
        coverage_low=low,
        coverage_high=high,
        width=ratio,
        width_low=ratio / factor,
        width_high=ratio * factor,
        bias=bias / spread,
        bias_differs=abs(bias) > quantile * bias_error,
        unstated=unstated,
    )


def clustered_mean(values: Floats, cluster: NDArray[np.int64]) -> tuple[float, float, float]:
    """Mean of all values, its standard error with clusters, and the t quantile that goes with it.

    `cluster` numbers the clusters from 0. The error of one cluster alone is not known: infinite.
    """
    clusters = int(cluster.max()) + 1
    mean = float(values.mean())
    if clusters < 2:
        return mean, float("inf"), float("inf")
    residuals = np.bincount(cluster, weights=values - mean, minlength=clusters)
    error = float(np.sqrt(clusters / (clusters - 1) * np.sum(residuals**2))) / values.size
    return mean, error, float(t.ppf(0.975, clusters - 1))


def share_interval(share: float, error: float, quantile: float, clusters: int) -> tuple[float, float]:
    """95% interval of a share with a clustered standard error, by Wilson's formula on the effective number of figures.

    That number is what would have this error with independent figures (Korn and Graubard 1998). Where no figure
    differs, and there is no error, it is the number of clusters.
    """
    if not np.isfinite(error):
        return 0.0, 1.0
    variance = share * (1 - share)
    size = variance / error**2 if variance > 0 and error > 0 else float(clusters)
    squared = quantile**2 / size
    spread = squared / 2 + quantile * np.sqrt(variance / size + squared / size / 4)
    # the lesser root as the product of both over the greater: exactly 0 of nothing, and 1 of everything
    low, left = (float(part**2 / (part + spread)) for part in (share, 1 - share))
    return low, 1.0 - left


def against_population(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The same, each with the mean truth of its cell over all companies that state an interval."""
    cells: dict[tuple[str, str, str], list[Outcome]] = {}
    for outcome in outcomes:
        cells.setdefault(outcome.cell, []).append(outcome)
    result = []
    for of_cell in cells.values():
        stated = [outcome for outcome in of_cell if outcome.is_stated]
        truth = float(np.mean([outcome.truth for outcome in stated or of_cell]))
        result += [replace(outcome, truth=truth) for outcome in of_cell]
    return result
