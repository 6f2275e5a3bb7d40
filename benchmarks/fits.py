"""`python -m benchmarks.fits`: how long the fits take on a million customers, beside `lifetimes` on the same data.

Prints Markdown. Both are timed in turn in one process; medians are compared, never single figures. `lifetimes` is an
extra of its own (`bench`), and left out where it is not installed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import scipy

from orchestration.predictive.arrays import Floats
from orchestration.predictive.btyd import BtydFit, Histories, fit_btyd
from orchestration.predictive.spend import fit_spend

SEED = 20
DAYS = 730
# the CDNOW sample in days, with buyers who come back more often
RATE_SHAPE, RATE_DAYS, LEAVING = 0.6, 45.0, (0.8, 2.4)
SPEND_SHAPE, SPREAD_SHAPE, SPEND_SCALE = 6.25, 3.74, 15.44


@dataclass(frozen=True, eq=False)
class Base:
    """Simulated customers: x, t_x and T in whole days, and mean spend of the repeat purchases."""

    x: Floats
    t_x: Floats
    T: Floats
    spend: Floats


@dataclass(frozen=True, eq=False)
class FitTimes:
    """Seconds of each fit in each run, and what was found."""

    customers: int
    groups: int
    seconds: dict[str, list[float]]
    found: dict[str, dict[str, float]]


def main() -> int:
    """Measure and print; exit status 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fits", description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    report(fit_times(options.customers, options.runs), options.runs)
    return 0


def fit_times(customers: int, runs: int = 3) -> FitTimes:
    """Time the fits of the product, from arrays of customers to standard errors, and that of `lifetimes`."""
    base = simulate(customers, np.random.default_rng(SEED))
    fits: dict[str, Callable[[], dict[str, float]]] = {
        "grouping": lambda: {"groups": float(Histories.grouped(base.x, base.t_x, base.T).x.size)},
        "BG/NBD": lambda: fitted("bg_nbd", base),
        "MBG/NBD": lambda: fitted("mbg_nbd", base),
        "Gamma-Gamma": lambda: fit_spend(base.x, base.spend).parameters,
    }
    if importlib.util.find_spec("lifetimes"):
        with quiet():
            importlib.import_module("lifetimes")
        fits["lifetimes BG/NBD"] = lambda: fitted_by_lifetimes(base)
    seconds: dict[str, list[float]] = {name: [] for name in fits}
    found: dict[str, dict[str, float]] = {}
    for _ in range(runs):
        for name, fit in fits.items():
            begin = time.perf_counter()
            found[name] = fit()
            seconds[name].append(time.perf_counter() - begin)
    return FitTimes(customers, int(found.pop("grouping")["groups"]), seconds, found)


def simulate(customers: int, generator: np.random.Generator) -> Base:
    """Draw customers from BG/NBD who came on any day of two years, and spend from Gamma-Gamma."""
    T = generator.integers(0, DAYS, customers).astype(np.float64)
    rate = generator.gamma(RATE_SHAPE, 1 / RATE_DAYS, customers)
    leaves = generator.beta(*LEAVING, customers)
    x, t_x, now = np.zeros(customers), np.zeros(customers), np.zeros(customers)
    active = np.arange(customers)
    while active.size:
        # at most one purchase a day counts, and days are whole
        now[active] += np.maximum(1.0, np.ceil(generator.exponential(1.0, active.size) / rate[active]))
        active = active[now[active] <= T[active]]
        x[active] += 1
        t_x[active] = now[active]
        active = active[generator.random(active.size) > leaves[active]]
    scale = generator.gamma(SPREAD_SHAPE, 1 / SPEND_SCALE, customers)
    repeats = np.maximum(x, 1.0)
    spend = generator.gamma(SPEND_SHAPE * repeats) / scale / repeats
    return Base(x, t_x, T, np.where(x > 0, np.round(spend, 2), np.nan))


def fitted(model: str, base: Base) -> dict[str, float]:
    """Group and fit, as a refit does."""
    fit: BtydFit = fit_btyd(model, Histories.grouped(base.x, base.t_x, base.T))
    return fit.parameters


def fitted_by_lifetimes(base: Base) -> dict[str, float]:
    """Let `lifetimes` fit the same customers; it groups nothing by itself."""
    from lifetimes import BetaGeoFitter

    with quiet():
        fitter = BetaGeoFitter().fit(base.x, base.t_x, base.T)
    return {name: float(value) for name, value in fitter.params_.items()}


@contextmanager
def quiet() -> Iterator[None]:
    """Keep to itself what an archived package warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def report(times: FitTimes, runs: int) -> None:
    """Print what was measured as Markdown."""
    print(
        f"{times.customers:,} customers, {times.groups:,} different histories, {runs} runs, {os.cpu_count()} cores, ",
        end="",
    )
    print(
        f"{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}\n"
    )
    print("| fit | seconds, median (least to most) | found |\n| --- | --- | --- |")
    for name, values in times.seconds.items():
        found = ", ".join(f"{parameter} {value:.4g}" for parameter, value in times.found.get(name, {}).items())
        print(f"| {name} | {statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f}) | {found} |")
    other = times.seconds.get("lifetimes BG/NBD")
    if other:
        ratio = statistics.median(other) / statistics.median(times.seconds["BG/NBD"])
        print(f"\nlifetimes takes {ratio:.1f} times as long for BG/NBD.")
    else:
        print("\nlifetimes is not installed, so nothing is compared.")


if __name__ == "__main__":
    sys.exit(main())
