"""The benchmark of the fits: its customers are what it says, and every fit of it finds them again."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from benchmarks import fits


def test_its_customers_have_histories() -> None:
    base = fits.simulate(5_000, np.random.default_rng(1))
    assert base.x.size == 5_000
    # days are whole, and no day has two purchases
    for column in (base.x, base.t_x, base.T):
        np.testing.assert_array_equal(column, np.floor(column))
    assert ((base.x <= base.t_x) & (base.t_x <= base.T) & (base.T < fits.DAYS)).all()
    np.testing.assert_array_equal(np.isnan(base.spend), base.x == 0)


def test_every_fit_finds_the_customers_that_were_simulated(capsys: pytest.CaptureFixture[str]) -> None:
    times = fits.fit_times(20_000, runs=1)
    assert 1_000 < times.groups < 20_000
    found = times.found["BG/NBD"]
    # whole days make the rate a little lower than it was
    assert [found["r"], found["alpha"], found["a"], found["b"]] == pytest.approx([0.6, 45.0, 0.8, 2.4], rel=0.25)
    spend = times.found["Gamma-Gamma"]
    assert [spend["p"], spend["q"], spend["gamma"]] == pytest.approx([6.25, 3.74, 15.44], rel=0.15)
    if importlib.util.find_spec("lifetimes"):
        assert list(times.found["lifetimes BG/NBD"].values()) == pytest.approx(list(found.values()), rel=0.01)
    fits.report(times, 1)
    printed = capsys.readouterr().out
    assert printed.startswith("20,000 customers") and "| MBG/NBD |" in printed
