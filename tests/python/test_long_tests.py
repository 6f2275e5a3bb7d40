"""The page on the long tests says of each what became of it the last time."""

from datetime import date

from tools.long_tests import merged, outcomes, read_report, report

JUNIT = """<testsuites><testsuite>
<testcase classname="tests.python.test_b" name="test_two"><failure message="assert 1 == 2">more</failure></testcase>
<testcase classname="tests.python.test_a" name="test_one"/>
<testcase classname="tests.python.test_c" name="test_three[a b]"><skipped message="no Java | here"/></testcase>
</testsuite></testsuites>"""
AGAIN = """<testsuite><testcase classname="tests.python.test_b" name="test_two"/></testsuite>"""
ROWS = [
    "| `test_a.py`, `test_one` | passed | 2026-11-30 | abc |",
    "| `test_b.py`, `test_two` | failed | 2026-11-30 | abc |",
    "| `test_c.py`, `test_three[a b]` | skipped: no Java / here | 2026-11-30 | abc |",
]


def test_the_page_has_every_test_with_its_day_and_commit() -> None:
    page = report(outcomes(JUNIT, date(2026, 11, 30), "abc"))
    assert "1 passed, 1 failed, 1 skipped." in page
    assert page.splitlines()[9:] == ROWS


def test_a_run_of_some_replaces_their_rows_alone() -> None:
    earlier = read_report(report(outcomes(JUNIT, date(2026, 11, 30), "abc")))
    page = report(merged(earlier, outcomes(AGAIN, date(2026, 12, 1), "def with changes that are not committed")))
    assert "2 passed, 1 skipped." in page
    assert page.splitlines()[9:] == [
        ROWS[0],
        "| `test_b.py`, `test_two` | passed | 2026-12-01 | def with changes that are not committed |",
        ROWS[2],
    ]


def test_a_run_without_tests_is_told() -> None:
    assert "no tests." in report([])
