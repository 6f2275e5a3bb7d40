"""What Python reads of the seeds, and how a mistake in one is told."""

from pathlib import Path

import pytest

from orchestration.errors import SeedError
from orchestration.predictive.fit_limits import Horizons, Limits
from orchestration.seeds import model_limits, prediction_horizons
from orchestration.settings import ROOT

LIMITS = "minimum_customers,minimum_history_days,minimum_season_days,backtests_per_horizon"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "seeds").mkdir()
    return tmp_path


def write(root: Path, seed: str, *lines: str) -> None:
    (root / "seeds" / f"{seed}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_horizons_come_in_ascending_order_with_those_for_churn_apart(root: Path) -> None:
    write(root, "prediction_horizons", "horizon_days,is_for_churn", "365,false", "90,TRUE", "30,true")
    assert prediction_horizons(root) == Horizons(days=(30, 90, 365), churn=(30, 90))


def test_limits_are_the_columns_of_the_one_row(root: Path) -> None:
    write(root, "model_limits", LIMITS, "40,7,30,2")
    assert model_limits(root) == Limits(40, 7, 30, 2)


def test_the_seeds_of_the_project_can_be_read() -> None:
    assert set(prediction_horizons(ROOT).churn) <= set(prediction_horizons(ROOT).days)
    assert model_limits(ROOT).minimum_customers > 0


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["horizon_days,is_for_churn", "30,true", "ninety,true"],
            "line 3: horizon_days is 'ninety'; expected a whole",
        ),
        (["horizon_days,is_for_churn", "-30,true"], "line 2: horizon_days is '-30'; expected a whole number above 0"),
        (["horizon_days,is_for_churn", "30,maybe"], "line 2: is_for_churn is 'maybe'; expected true or false"),
        (["horizon_days,is_for_churn", "30,"], "line 2: is_for_churn is missing"),
        (["days,is_for_churn", "30,true"], "line 2: horizon_days is missing"),
        (["horizon_days,is_for_churn", "30,true", "30,false"], "line 3: the horizon of 30 days is listed twice"),
        (["horizon_days,is_for_churn"], "prediction_horizons.csv: no rows; expected one for each horizon"),
    ],
)
def test_a_mistake_in_the_horizons_is_told_with_its_row(root: Path, lines: list[str], message: str) -> None:
    write(root, "prediction_horizons", *lines)
    with pytest.raises(SeedError, match=message):
        prediction_horizons(root)


@pytest.mark.parametrize("rows", [[], ["40,7,30,2", "50,7,30,2"]])
def test_limits_that_are_not_one_row_are_refused(root: Path, rows: list[str]) -> None:
    write(root, "model_limits", LIMITS, *rows)
    with pytest.raises(SeedError, match=f"model_limits.csv: {len(rows)} rows; expected one"):
        model_limits(root)


def test_a_seed_that_is_missing_is_named(root: Path) -> None:
    with pytest.raises(SeedError, match="model_limits.csv cannot be read: No such file"):
        model_limits(root)
