"""RFM scores and segments, worked by hand."""

from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest
from oracle.example_spellings import BANDS, SEEDS, day, facts_of, order, purchases, rows
from oracle.rfm import customer_rfm, rfm_segment_transitions, scores
from oracle.seeds import read_seeds


@pytest.mark.parametrize(
    ("values", "fewer_is_better", "expected"),
    [
        # strictly worse: 0, 0, 2, 3, 3 of 5
        ([1, 1, 2, 3, 3], False, [1, 1, 3, 4, 4]),
        # fewer days are better: strictly worse are 3, 3, 2, 0, 0 of 5
        ([0, 0, 10, 20, 20], True, [4, 4, 3, 1, 1]),
        # 5 x 0..5 / 6 is 0, 0.8, 1.7, 2.5, 3.3, 4.2
        ([10, 20, 30, 40, 50, 60], False, [1, 1, 2, 3, 4, 5]),
        ([7, 7, 7], False, [1, 1, 1]),
        ([7], True, [1]),
        ([], False, []),
    ],
)
def test_a_score_counts_the_fifths_of_buyers_that_are_strictly_worse(
    values: list[int], fewer_is_better: bool, expected: list[int]
) -> None:
    assert scores(values, fewer_is_better=fewer_is_better) == expected


def test_rfm_reads_the_365_days_that_end_on_the_as_of_date() -> None:
    # 365 days before 31 December 2024, a leap year, is 1 January
    history = [
        order("ann", "2024-01-01", "500.00"),
        order("ann", "2024-01-02T08:00:00", "10.00"),
        order("ann", "2024-01-02T20:00:00", "20.00", refund_amount="5.00"),
        order("bob", "2024-01-01"),
    ]
    frame = customer_rfm(facts_of(history, "2024-12-31"), SEEDS)
    assert rows(frame, "customer_id", "recency_days", "frequency", "monetary", "rfm_segment") == [
        ("ann", 364, 1, Decimal("25.00"), "111")
    ]


def test_a_high_value_customer_reaches_the_amount() -> None:
    history = [order("ann", "2024-05-01", "4999.99"), order("bob", "2024-05-01", "5000.00")]
    frame = customer_rfm(facts_of(history, "2024-05-31"), SEEDS)
    assert rows(frame, "customer_id", "m_score", "is_high_value") == [("ann", 1, False), ("bob", 3, True)]


def test_customers_of_the_same_amount_are_of_top_value_together() -> None:
    # the first fifth of five is one: ann and bob brought the most alike, and fewer than 1 brought more than either
    amounts = {"ann": "30.00", "bob": "30.00", "cat": "20.00", "dan": "10.00", "eve": "10.00"}
    history = [order(name, "2024-05-01", amount) for name, amount in amounts.items()]
    frame = customer_rfm(facts_of(history, "2024-05-31"), SEEDS)
    assert [row[0] for row in rows(frame, "customer_id", "is_top_value") if row[1]] == ["ann", "bob"]


def test_a_customer_enters_the_segments_with_a_purchase_and_leaves_them_a_year_later() -> None:
    frame = rfm_segment_transitions(facts_of(purchases(ann="2023-01-10"), "2024-02-20"), SEEDS)
    assert rows(frame)[0] == (day("2023-01-01"), "none", "111", 1)
    assert rows(frame)[1:-1] == [(day(f"2023-{month:02d}-01"), "111", "111", 1) for month in range(2, 13)]
    assert rows(frame)[-1] == (day("2024-01-01"), "111", "none", 1)


def test_the_last_month_of_the_segments_ends_on_the_as_of_date() -> None:
    # on 31 January ann is alone; on 10 February bob has bought later than ann, and as often and as much
    frame = rfm_segment_transitions(facts_of(purchases(ann="2024-01-10", bob="2024-02-05"), "2024-02-10"), SEEDS)
    assert rows(frame, month=day("2024-02-01")) == [
        (day("2024-02-01"), "111", "111", 1),
        (day("2024-02-01"), "none", "311", 1),
    ]


def _write_seeds(folder: Path, cells: list[tuple[int, int, int]], first_band: float = 0) -> None:
    lines = [f"{r},{f},{m},some" for r, f, m in cells]
    (folder / "rfm_segments.csv").write_text("\n".join(["r_score,f_score,m_score,rfm_segment", *lines]))
    (folder / "repurchase_windows.csv").write_text("window_days\n30\n90\n")
    (folder / "repurchase_horizons.csv").write_text("horizon_days\n60\n")
    (folder / "dimensions.csv").write_text(
        "dimension,label_en,label_zh,applies_to_customers,applies_to_surveys,applies_to_tickets\n"
        "all,All,总体,true,true,true\nregion,Region,地区,true,false,TRUE\nchannel,Channel,渠道,false,true,false\n",
        encoding="utf-8",
    )
    (folder / "age_bands.csv").write_text("age_band,from_age\nadult,18\nchild,0\n")
    (folder / "cadence_bands.csv").write_text(
        f"cadence_status,from_probability\nlapsed,0.95\nearly,{first_band}\ndue,0.5\noverdue,0.8\n"
    )


ALL_CELLS = list(product(range(1, 6), repeat=3))


def test_seeds_are_read_with_the_bands_in_ascending_order(tmp_path: Path) -> None:
    _write_seeds(tmp_path, ALL_CELLS)
    seeds = read_seeds(tmp_path)
    assert seeds.cadence_bands == BANDS
    assert seeds.age_bands == ((0, "child"), (18, "adult"))
    assert (seeds.repurchase_windows, seeds.repurchase_horizons) == ((30, 90), (60,))
    assert [seeds.dimensions_of(name) for name in ("customers", "surveys", "tickets")] == [
        ["region"],
        ["channel"],
        ["region"],
    ]
    assert (len(seeds.rfm_segments), seeds.rfm_segments[5, 1, 3]) == (125, "some")


@pytest.mark.parametrize(
    ("cells", "first_band", "message"),
    [
        (ALL_CELLS[1:], 0, r"124 cells, missing \[\(1, 1, 1\)\]"),
        ([*ALL_CELLS, (5, 5, 5)], 0, r"\(5, 5, 5\) is named twice"),
        ([*ALL_CELLS, (5, 5, 6)], 0, "126 cells"),
        (ALL_CELLS, 0.1, "first band starts at"),
    ],
)
def test_seeds_that_leave_a_customer_without_a_name_are_refused(
    tmp_path: Path, cells: list[tuple[int, int, int]], first_band: float, message: str
) -> None:
    _write_seeds(tmp_path, cells, first_band)
    with pytest.raises(ValueError, match=message):
        read_seeds(tmp_path)
