"""The comparison of frames must be able to fail, and say where."""

from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from oracle.comparison import assert_frames_equal


def compare(actual: list, expected: list, **rules: list[str]) -> None:
    columns = ["id", "value"]
    assert_frames_equal(
        pd.DataFrame(actual, columns=columns), pd.DataFrame(expected, columns=columns, dtype=object), ["id"], **rules
    )


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (pd.Timestamp("2024-02-29"), date(2024, 2, 29)),
        (np.datetime64("2024-02-29"), date(2024, 2, 29)),
        (3.0, 3),
        (np.int32(3), 3),
        (Decimal("3.0000"), 3),
        (np.bool_(True), True),
        (np.nan, None),
        (pd.NaT, None),
        (pd.NA, None),
        ("north", "north"),
    ],
)
def test_values_that_mean_the_same_are_equal(actual: object, expected: object) -> None:
    compare([("a", actual)], [("a", expected)])


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (date(2024, 2, 28), date(2024, 2, 29)),
        (pd.Timestamp("2024-02-29 00:00:01"), date(2024, 2, 29)),
        (3.0000001, 3),
        (1, True),
        (0, None),
        (None, 0),
        (False, None),
        ("", None),
    ],
)
def test_values_that_differ_are_named_with_their_key(actual: object, expected: object) -> None:
    with pytest.raises(AssertionError, match=r"(?s)1 of 1 rows differ.*id=a: value is .*, expected "):
        compare([("a", actual)], [("a", expected)])


def test_the_order_of_rows_and_further_columns_do_not_matter() -> None:
    actual = pd.DataFrame({"note": ["x", "y"], "id": ["b", "a"], "value": [2, 1]})
    assert_frames_equal(actual, pd.DataFrame({"id": ["a", "b"], "value": [1, 2]}), ["id"])


@pytest.mark.parametrize("actual", [Decimal("10.0001"), 9.9999, None])
def test_money_that_is_off_by_a_hundredth_of_a_cent_differs(actual: object) -> None:
    with pytest.raises(AssertionError, match="value is"):
        compare([("a", actual)], [("a", Decimal("10.00"))], money=["value"])


@pytest.mark.parametrize("actual", [Decimal("10.0000"), 10.0, 10, 10.00000000001])
def test_money_agrees_at_four_decimals(actual: object) -> None:
    compare([("a", actual)], [("a", Decimal("10.00"))], money=["value"])


def test_a_mean_of_money_may_be_rounded_to_four_decimals_and_not_to_cents() -> None:
    third = Decimal(100) / 3
    compare([("a", Decimal("33.3333")), ("b", 100 / 3)], [("a", third), ("b", third)], means=["value"])
    with pytest.raises(AssertionError, match="value is"):
        compare([("a", Decimal("33.33"))], [("a", third)], means=["value"])


def test_ratios_agree_to_a_billionth() -> None:
    compare([("a", 0.1 + 0.2)], [("a", 0.3)], ratios=["value"])
    with pytest.raises(AssertionError, match="value is"):
        compare([("a", 0.300000002)], [("a", 0.3)], ratios=["value"])


def test_missing_and_surplus_rows_are_shown() -> None:
    with pytest.raises(AssertionError) as failure:
        compare([("a", 1), ("c", 3)], [("a", 1), ("b", 2)])
    assert str(failure.value).splitlines() == [
        "frame: 1 of 2 expected rows are missing, 1 are surplus",
        "  missing  id=b: value=2",
        "  surplus  id=c: value=3",
    ]


def test_a_key_that_occurs_twice_is_refused() -> None:
    with pytest.raises(AssertionError, match="actual: two rows with id=a"):
        compare([("a", 1), ("a", 1)], [("a", 1)])


def test_a_missing_column_is_named() -> None:
    with pytest.raises(AssertionError, match=r"columns \['value'\] are missing; found \['id'\]"):
        assert_frames_equal(pd.DataFrame({"id": ["a"]}), pd.DataFrame({"id": ["a"], "value": [1]}), ["id"])


def test_two_empty_frames_are_equal() -> None:
    compare([], [])
