"""The generated companies of the benchmark, and what is projected from its measurements."""

from pathlib import Path

import duckdb
import pytest

from benchmarks import growth
from benchmarks.growth import Company, Line, crossing, fit, generate, projected_lines


def test_a_company_of_a_size_is_the_same_each_time_and_grows_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth, "CUSTOMERS", 500)
    one, again, four = (generate(tmp_path / name, size) for name, size in (("one", 1), ("again", 1), ("four", 4)))
    assert (one.customers, four.customers) == (500, 2000)
    assert 3.5 < four.orders / one.orders < 4.5
    for file in sorted(one.raw.iterdir()):
        query = "SELECT * FROM read_parquet(?) ORDER BY ALL"
        with duckdb.connect() as connection:
            rows = [connection.execute(query, [str(raw / file.name)]).fetchall() for raw in (one.raw, again.raw)]
        assert rows[0] == rows[1]


def test_a_straight_line_is_found_and_where_two_cross() -> None:
    assert fit([1e6, 2e6, 4e6], [12, 14, 18]) == Line(pytest.approx(10), pytest.approx(2))
    assert crossing(Line(10, 5), Line(100, 2)) == 30
    # slower for each order, or faster from the start
    assert crossing(Line(10, 5), Line(100, 5)) is None
    assert crossing(Line(100, 5), Line(10, 2)) == 0


def test_what_is_projected_divides_the_growing_part_among_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth.os, "cpu_count", lambda: 2)
    companies = {size: Company(Path(), 0, size * 1_000_000, 0) for size in (1, 2)}
    medians = {("duckdb", 1): 20, ("duckdb", 2): 30, ("spark", 1): 120, ("spark", 2): 140}
    lines = projected_lines(companies, medians)
    assert "* duckdb: 10 s, and 10.0 s for each million orders" in lines
    assert "* spark: 100 s, and 20.0 s for each million orders" in lines
    assert lines[-3:] == [
        "* a cluster of 2 such cores would win never",
        "* a cluster of 8 such cores would win from 18 million orders",
        "* a cluster of 32 such cores would win from 10 million orders",
    ]
