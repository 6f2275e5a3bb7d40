"""What stops a publication: the figures of a build beside its limits and beside the last publication of the company."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest

from orchestration.contract import Contract
from orchestration.errors import PublicationError, SettingsError
from orchestration.publication_guard import (
    Limits,
    build_findings,
    earlier_as_of,
    judge,
    missing_tables,
    refuse,
    replaced_company,
    warning_lines,
    wrong_figures,
)
from orchestration.publishing import Event, Publication, TableFigures, last_of_company
from orchestration.settings import FINDINGS, ROOT, Settings, defaults_of, parse_allow, read_company_settings

LIMITS = Limits(rows_fall=0.1, revenue_fall=0.1, rejected_share=0.05, rejected_rows=100, rejected_share_warned=0.01)


def publication(publication_id: str = "20260331T000000Z-aaaa", company: str | None = "Shop", **by: dict) -> Publication:
    """A publication of 1000 orders worth 50,000 and of 200 tickets, unless it is said otherwise."""
    return Publication(
        publication_id=publication_id,
        published_at=datetime(2026, 3, 31),
        as_of_date=date(2026, 3, 31),
        code_version="abc",
        tables=50,
        rows=9999,
        tests_passed=1,
        tests_warned=0,
        duration_seconds=1.0,
        company_id=company,
        files_by_table={"orders": 1, "tickets": 1},
        rows_by_table=by.get("rows", {"orders": 1000, "tickets": 200}),
        revenue_by_table=by.get("revenue", {"orders": 50000.0}),
    )


def table(read: int, accepted: int | None = None, rejected: int = 0, revenue: int | None = None) -> TableFigures:
    """A table of one file, whose rows were accepted but for those said."""
    accepted = read - rejected if accepted is None else accepted
    money = None if revenue is None else Decimal(revenue)
    return TableFigures(1, read, accepted, rejected, read - accepted - rejected, money)


ABSENT = TableFigures()
SAME = {"orders": table(1000, revenue=50000), "tickets": table(200)}
MISNAMED = "order.csv is not a table of the raw contract and was not read; did you mean orders?"


def names(findings: list) -> list[str]:
    return [finding.name for finding in findings]


# Files


@pytest.mark.parametrize(
    ("tables", "had", "unread", "found"),
    [
        # the same tables again, with or without a file that nobody reads
        (SAME, True, (), []),
        (SAME, True, ("notes.txt is no table.",), []),
        # orders went, or stand under another name, or have a header alone
        ({**SAME, "orders": ABSENT}, True, (), ["orders_absent"]),
        ({**SAME, "orders": table(0)}, True, (), ["orders_absent"]),
        ({**SAME, "orders": ABSENT}, True, (MISNAMED,), ["orders_absent"]),
        # of a first publication only a file that belongs to no table tells that orders may be meant
        ({**SAME, "orders": ABSENT}, False, (MISNAMED,), ["orders_absent"]),
        ({**SAME, "orders": ABSENT}, False, (), []),
        # another table went
        ({**SAME, "tickets": ABSENT}, True, (), ["table_gone"]),
        ({**SAME, "tickets": ABSENT}, False, (), []),
        ({"orders": ABSENT, "tickets": ABSENT}, True, (), ["orders_absent", "table_gone"]),
        # a file without rows is there; that its rows are gone is told by counting them
        ({**SAME, "tickets": table(0)}, True, (), []),
    ],
)
def test_what_the_files_alone_show(tables: dict, had: bool, unread: tuple, found: list[str]) -> None:
    assert names(missing_tables(tables, publication() if had else None, unread)) == found


def test_the_finding_of_a_misnamed_file_has_the_figures_and_the_name_that_was_meant() -> None:
    [finding] = missing_tables({"orders": ABSENT}, publication(rows={"orders": 1000}), [MISNAMED])
    assert finding.text == f"No file holds rows of orders, of which the last publication has 1,000 rows. {MISNAMED}"


def test_a_company_that_never_had_orders_may_go_on_without() -> None:
    assert missing_tables({"tickets": table(5), "orders": ABSENT}, publication(rows={"tickets": 5})) == []


# Figures


@pytest.mark.parametrize(
    ("orders", "found"),
    [
        # a tenth less is at the limit, and is let pass
        (table(900, revenue=45000), []),
        (table(899, revenue=45000), ["fewer_rows"]),
        (table(900, revenue=44999), ["less_revenue"]),
        (table(500, revenue=20000), ["fewer_rows", "less_revenue"]),
        (table(5000, revenue=500000), []),
        # accepted rows count: 300 versions more of the same orders hide nothing, 300 fewer take nothing away
        (table(1300, accepted=890, revenue=50000), ["fewer_rows"]),
        (table(1000, accepted=1000, revenue=50000), []),
        # no revenue left at all
        (table(1000, revenue=0), ["less_revenue"]),
        # 5% of 2100 are 105: above both limits from 106 on
        (table(2100, rejected=105, revenue=50000), []),
        (table(2100, rejected=106, revenue=50000), ["rejected_rows"]),
        # the fifth
        (table(1200, rejected=240, revenue=50000), ["rejected_rows"]),
        # 100 rows, or fewer, are a matter for whoever reads the warning, whatever their share
        (table(1000, accepted=900, rejected=100, revenue=50000), []),
    ],
)
def test_what_the_figures_of_a_table_show(orders: TableFigures, found: list[str]) -> None:
    assert names(wrong_figures({"orders": orders, "tickets": table(200)}, publication(), LIMITS)) == found


def test_a_table_of_which_a_header_is_left_has_fewer_rows() -> None:
    figures = {"orders": table(1000, revenue=50000), "tickets": table(0)}
    assert names(wrong_figures(figures, publication(), LIMITS)) == ["fewer_rows"]
    assert wrong_figures(figures, None, LIMITS) == []
    # orders without a row are told by the files alone
    assert wrong_figures({"orders": table(0, revenue=0)}, publication(), LIMITS) == []


def test_the_first_publication_is_compared_with_none_but_judged_by_its_own_rejected_rows() -> None:
    tables = {"orders": table(1000, rejected=300, revenue=1)}
    assert names(wrong_figures(tables, None, LIMITS)) == ["rejected_rows"]


def test_a_publication_of_an_earlier_release_tells_nothing_to_compare_with() -> None:
    earlier = publication(company=None, rows={}, revenue={})
    assert wrong_figures({"orders": table(1, revenue=1)}, earlier, LIMITS) == []
    assert missing_tables({"orders": ABSENT}, earlier) == []


def test_the_findings_of_figures_say_by_how_much_and_up_to_what_is_let_pass() -> None:
    tables = {"orders": table(1000, rejected=250, revenue=20000)}
    assert [finding.text for finding in wrong_figures(tables, publication(), LIMITS)] == [
        "orders has 750 accepted rows, the last publication 1,000: 25.0% fewer, more than 10.0% (rows_fall_limit).",
        "The revenue of orders is 20,000.00, that of the last publication 50,000.00: 60.0% less, more than 10.0% "
        "(revenue_fall_limit).",
        "250 of 1,000 rows of orders were rejected (25.0%), more than 5.0% (rejected_share_limit) and 100 rows "
        "(rejected_rows_limit).",
    ]


@pytest.mark.parametrize(
    ("tickets", "warned"),
    [
        (table(1000, rejected=9), False),
        (table(1000, rejected=10), True),
        # small, but a third of it
        (table(3, rejected=1), True),
        (table(1000, rejected=100), True),
        # that is refused
        (table(1000, rejected=101), False),
        (ABSENT, False),
    ],
)
def test_rejected_rows_are_warned_of_from_one_in_a_hundred_on(tickets: TableFigures, warned: bool) -> None:
    lines = warning_lines({"tickets": tickets}, LIMITS)
    assert [line.split(" were")[0] for line in lines] == (
        [f"warning: {tickets.rows_rejected} of {tickets.rows_read:,} rows of tickets"] if warned else []
    )


# The as-of date


@pytest.mark.parametrize(
    ("as_of", "is_asked_for", "found"),
    [
        (date(2026, 3, 31), False, []),
        (date(2026, 4, 1), False, []),
        (date(2026, 3, 30), False, ["earlier_as_of"]),
        (date(2020, 1, 1), True, []),
    ],
)
def test_the_as_of_date_goes_back_only_where_it_is_asked_for(as_of: date, is_asked_for: bool, found: list[str]) -> None:
    assert names(earlier_as_of(as_of, is_asked_for, publication())) == found
    assert earlier_as_of(as_of, is_asked_for, None) == []


# All of it, and what is allowed


def findings(contract: Contract, tables: dict, allow: tuple[str, ...] = (), as_of: date | None = None) -> list[str]:
    last = publication(rows={"orders": 1000, "order_items": 3000, "tickets": 200})
    return names(build_findings(tables, last, LIMITS, contract, allow, as_of or date(2026, 3, 31)))


def test_what_follows_from_an_absence_that_is_allowed_is_not_found_again(contract: Contract) -> None:
    # without orders every line is rejected, and the newest day is that of a ticket
    tables = {"orders": ABSENT, "order_items": table(3000, rejected=3000), "tickets": table(200)}
    january = date(2026, 1, 31)
    assert findings(contract, tables, (), january) == ["fewer_rows", "rejected_rows", "earlier_as_of"]
    assert findings(contract, tables, ("orders_absent",), january) == []
    # what does not follow from it is
    tables["tickets"] = table(100)
    assert findings(contract, tables, ("orders_absent",), january) == ["fewer_rows"]


def test_tables_that_need_others_are_followed_by_way_of_those(contract: Contract) -> None:
    # coupon_redemptions need coupons, points_transactions need memberships: raw.yml
    tables = {
        "orders": table(1000, revenue=50000),
        "coupons": ABSENT,
        "coupon_redemptions": table(500, rejected=500),
        "memberships": ABSENT,
        "points_transactions": table(500, rejected=500),
    }
    assert findings(contract, tables) == ["rejected_rows", "rejected_rows"]
    assert findings(contract, tables, ("table_gone",)) == []


def test_one_message_names_all_that_is_wrong_and_the_one_flag_that_lets_it_pass() -> None:
    tables = {"orders": table(1000, rejected=250, revenue=20000)}
    judgement = judge(wrong_figures(tables, publication(), LIMITS), ["less_revenue", "table_gone"])
    assert [finding.name for finding in judgement.allowed] == ["less_revenue"]
    with pytest.raises(PublicationError) as refusal:
        refuse(judgement, "This build looks wrong.", publication(), ["orders: 250 missing_key"])
    lines = str(refusal.value).splitlines()
    assert lines[0] == ("This build looks wrong. It was compared with 20260331T000000Z-aaaa, the last of this company.")
    assert [line.split(":")[0] for line in lines[1:4]] == ["  fewer_rows", "  rejected_rows", "orders"]
    # what is allowed already, for a finding of these figures or of the files, is named again: the flag can be copied
    assert "ALLOW=fewer_rows,less_revenue,rejected_rows,table_gone after make run" in lines[4]
    refuse(judge(wrong_figures(tables, publication(), LIMITS), FINDINGS), "Nothing.", publication())


def test_every_finding_has_a_name_that_can_be_allowed() -> None:
    source = (ROOT / "orchestration" / "publication_guard.py").read_text(encoding="utf-8")
    assert [name for name in FINDINGS if name.upper() not in source] == []
    assert parse_allow("fewer_rows, table_gone", "ALLOW") == {"fewer_rows", "table_gone"}
    assert parse_allow("", "ALLOW") == frozenset()
    with pytest.raises(SettingsError, match='ALLOW names "1"; expected some of orders_absent, table_gone'):
        parse_allow("1", "ALLOW")


def test_the_limits_are_settings_of_the_company() -> None:
    defaults = defaults_of(read_company_settings(ROOT))
    own = {"rows_fall_limit": 0.5, "rejected_rows_limit": 7}
    settings = Settings(root=ROOT, raw_dir=ROOT, warehouse=ROOT, variables=own, defaults=defaults)
    assert Limits.of(settings) == Limits(0.5, 0.1, 0.05, 7, 0.01)


# Whose publication it is compared with


def published(publication_id: str, company: str | None) -> Event:
    told = publication(publication_id, company)
    return Event("published", told.published_at, publication_id, None, told)


def test_a_build_is_compared_with_the_last_of_the_same_company_whatever_came_between() -> None:
    events = [published("1", "Shop"), published("2", "Shop"), published("3", "Tea"), published("4", None)]
    assert last_of_company(events, "Shop").publication_id == "2"
    assert last_of_company(events, "Tea").publication_id == "3"
    assert last_of_company(events, "Nobody") is None
    assert last_of_company([], "Shop") is None


def test_a_build_is_compared_with_what_was_rolled_back_to() -> None:
    back = Event("rolled_back", datetime(2026, 4, 1), "1", "2")
    events = [published("1", "Shop"), published("2", "Shop"), back, published("3", "Tea")]
    assert last_of_company(events, "Shop").publication_id == "1"


@pytest.mark.parametrize(
    ("current", "replaced"),
    [(None, None), (publication(company="Shop"), None), (publication(company="Tea"), "Tea")]
    # an earlier release did not say whose it was
    + [(publication(company=None), None)],
)
def test_the_company_that_gives_way_is_named(current: Publication | None, replaced: str | None) -> None:
    assert replaced_company(current, "Shop") == replaced
