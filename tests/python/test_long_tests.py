"""The page on the long tests says of each what became of it."""

from datetime import date

from tools.long_tests import outcomes, report

JUNIT = """<testsuites><testsuite>
<testcase classname="tests.python.test_b" name="test_two"><failure message="assert 1 == 2">more</failure></testcase>
<testcase classname="tests.python.test_a" name="test_one"/>
<testcase classname="tests.python.test_c" name="test_three"><skipped message="no Java | here"/></testcase>
</testsuite></testsuites>"""


def test_the_page_has_the_day_the_commit_and_every_test() -> None:
    page = report(outcomes(JUNIT), date(2026, 11, 30), "abc")
    assert "Last run: 2026-11-30, commit abc: 1 passed, 1 failed, 1 skipped." in page
    assert page.splitlines()[9:] == [
        "| `test_a.py`, `test_one` | passed |",
        "| `test_b.py`, `test_two` | failed |",
        "| `test_c.py`, `test_three` | skipped: no Java / here |",
    ]


def test_a_run_without_tests_is_told() -> None:
    assert "commit abc: no tests." in report([], date(2026, 11, 30), "abc")
