"""The Kaplan-Meier estimate against a textbook and against SciPy."""

import warnings

import numpy as np
import pytest
from oracle.kaplan_meier import kaplan_meier
from scipy import stats

# weeks in remission under 6-MP: Freireich et al. 1963, as in Gehan 1965 and most textbooks since
RELAPSED = (6, 6, 6, 7, 10, 13, 16, 22, 23)
IN_REMISSION = (6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)


def test_the_leukaemia_trial_gives_the_curve_of_the_textbooks() -> None:
    observed = [(weeks, True) for weeks in RELAPSED] + [(weeks, False) for weeks in IN_REMISSION]
    steps = {step.duration: step for step in kaplan_meier(observed)}
    survival = {weeks: round(steps[weeks].survival, 4) for weeks in sorted(set(RELAPSED))}
    assert survival == {6: 0.8571, 7: 0.8067, 10: 0.7529, 13: 0.6902, 16: 0.6275, 22: 0.5378, 23: 0.4482}
    at_risk = [steps[weeks].at_risk for weeks in sorted(set(RELAPSED))]
    assert at_risk == [21, 17, 15, 12, 11, 7, 6]
    # log(-log) intervals as Stata's `sts list` prints them
    assert (steps[6].ci_low, steps[6].ci_high) == pytest.approx((0.6197, 0.9516), abs=5e-5)
    assert (steps[23].ci_low, steps[23].ci_high) == pytest.approx((0.1881, 0.6801), abs=5e-5)


@pytest.mark.parametrize("number", range(20))
def test_curve_and_interval_are_those_of_scipy(number: int) -> None:
    generator = np.random.default_rng(number)
    size = int(generator.integers(1, 60))
    durations = generator.integers(0, 40, size)
    came = generator.random(size) < generator.random()
    steps = kaplan_meier(zip(durations.tolist(), came.tolist(), strict=True))

    survival = stats.ecdf(stats.CensoredData.right_censored(durations, ~came)).sf
    with warnings.catch_warnings():
        # SciPy warns where the interval is undefined, and gives nan there
        warnings.simplefilter("ignore", RuntimeWarning)
        interval = survival.confidence_interval(method="log-log")
    days = [step.duration for step in steps]
    low = [np.nan if step.ci_low is None else step.ci_low for step in steps]
    high = [np.nan if step.ci_high is None else step.ci_high for step in steps]
    np.testing.assert_array_equal(days, survival.quantiles)
    np.testing.assert_allclose([step.survival for step in steps], survival.probabilities, atol=1e-12)
    np.testing.assert_allclose(low, interval.low.probabilities, atol=1e-12)
    np.testing.assert_allclose(high, interval.high.probabilities, atol=1e-12)
