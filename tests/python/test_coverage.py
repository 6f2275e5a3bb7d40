"""How often intervals hold the truth: the counting, and a few simulated companies. `make coverage` runs forty."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tools.coverage import Coverage, Outcome, gather, is_within, measure, report

SEEDS = (1, 2, 3)


def outcome(name: str, truth: float, naive: float | None = None) -> Outcome:
    return Outcome("programme", name, estimate=10.0, low=8.0, high=12.0, truth=truth, naive=naive)


def test_an_interval_holds_what_lies_between_its_bounds() -> None:
    assert [outcome("x", truth).holds for truth in (7.99, 8.0, 12.0, 12.01)] == [False, True, True, False]


def test_a_naive_figure_is_judged_by_an_interval_of_the_same_width() -> None:
    # the half width is 2
    assert outcome("x", truth=9.0, naive=11.0).naive_holds
    assert not outcome("x", truth=9.0, naive=11.1).naive_holds


def test_outcomes_are_counted_by_estimate() -> None:
    companies = [
        [outcome("a", 9.0, 20.0), outcome("b", 9.0)],
        [outcome("a", 20.0, 20.0)],
        [outcome("a", 9.0, 20.0), outcome("b", 9.0)],
    ]
    first, second = gather(companies)
    assert (first.name, len(first.outcomes), first.share, first.naive_share) == (
        "a",
        3,
        pytest.approx(2 / 3),
        pytest.approx(1 / 3),
    )
    assert (second.name, len(second.outcomes), second.share, second.naive_share) == ("b", 2, 1.0, None)


@pytest.mark.parametrize(("held", "within"), [(16, False), (17, True), (20, True)])
def test_an_estimate_may_miss_in_three_of_twenty_companies(held: int, within: bool) -> None:
    outcomes = [outcome("a", 9.0)] * held + [outcome("a", 20.0)] * (20 - held)
    assert is_within(Coverage("a", outcomes)) is within


def test_the_report_names_what_lies_outside() -> None:
    coverages = gather([[outcome("fine", 9.0), outcome("wrong", 30.0, 31.0)]])
    text = report(coverages, seeds=1, size="small")
    assert "Not between 85% and 100%: wrong, 1 of 2 estimates." in text
    assert "| fine | 1 | 100.0% | 9.0000 | 10.00 | 2.0000 |  |  |" in text
    assert "| wrong | 1 | 0.0% | 30.00 | 10.00 | 2.0000 | 31.00 | 100% |" in text


@pytest.fixture(scope="module")
def measured() -> Sequence[Coverage]:
    return gather(measure(seed, "small") for seed in SEEDS)


@pytest.mark.long
@pytest.mark.worlds
@pytest.mark.xdist_group("coverage")
class TestSimulatedCompanies:
    def test_nearly_every_interval_holds_the_truth(self, measured: Sequence[Coverage]) -> None:
        outcomes = [each for coverage in measured for each in coverage.outcomes]
        missed = [each for each in outcomes if not each.holds]
        # about sixty intervals, of which three should miss; as those of one company go together, some more may
        assert len(outcomes) > 50
        assert len(missed) <= 0.15 * len(outcomes), missed

    @pytest.mark.parametrize("kind", ["NPS", "second purchase", "programme"])
    def test_each_kind_of_estimate_is_there_for_every_company(self, measured: Sequence[Coverage], kind: str) -> None:
        assert any(coverage.name.startswith(kind) and len(coverage.outcomes) == len(SEEDS) for coverage in measured)

    def test_the_naive_effect_of_the_programme_misses(self, measured: Sequence[Coverage]) -> None:
        for metric in ("purchase_days", "net_revenue", "churn"):
            naive_errors, errors = [], []
            for coverage in measured:
                if coverage.name.startswith(f"programme, {metric}"):
                    truth = coverage.mean(lambda each: each.truth)
                    naive_errors.append(abs(coverage.mean(lambda each: each.naive) - truth) / abs(truth))
                    errors.append(abs(coverage.mean(lambda each: each.estimate) - truth) / abs(truth))
            # members seem to gain far more than they do, most of all in the metrics that say who is still there
            assert len(naive_errors) == 3
            assert min(naive_errors) > 0.2, (metric, naive_errors, errors)
        churn = [coverage for coverage in measured if coverage.name.startswith("programme, churn in 365")]
        assert [coverage.naive_share for coverage in churn] == [0]
