"""What macros/shown_rows.sql masks, beside what orchestration/masking.py finds personal."""

from __future__ import annotations

from types import SimpleNamespace

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment

from orchestration.masking import looks_personal
from orchestration.settings import ROOT

PARTS = (
    "13812345678",
    "+86",
    "86",
    "010",
    "0571-",
    "8765",
    "4321",
    "555",
    "(",
    ")",
    "-",
    ".",
    " ",
    "@",
    "a",
    "cn",
    "x",
)
CARD = "11010519491231002X"


class Adapter:
    """Of dbt's adapter, what the macros ask."""

    @staticmethod
    def dispatch(name: str):
        return getattr(MACROS, f"default__{name}")


ENVIRONMENT = Environment(extensions=["jinja2.ext.do"])
ENVIRONMENT.globals |= {
    "dbt": SimpleNamespace(type_string=lambda: "varchar"),
    "adapter": Adapter,
    "return": lambda value: value,
}
SOURCES = [(ROOT / "macros" / f"{name}.sql").read_text(encoding="utf-8") for name in ("identities", "shown_rows")]
MACROS = ENVIRONMENT.from_string("\n".join(SOURCES)).module
QUERY = f"select {MACROS.shown_value('t')} from (select $1 as t)"
CONNECTION = duckdb.connect()


CODE = f"select {MACROS.shown_value('t', is_code=True)} from (select $1 as t)"


def shown(text: str | None, query: str = QUERY) -> str | None:
    return CONNECTION.execute(query, [text]).fetchall()[0][0]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.one_of(st.sampled_from((*PARTS, CARD)), st.from_regex("[0-9]{1,8}", fullmatch=True)), max_size=6))
def test_what_looks_personal_is_masked(parts: list[str]) -> None:
    text = "".join(parts)
    assert shown(text) == "***" or not looks_personal(text)


def test_ids_amounts_and_days_are_shown() -> None:
    for text in (
        "o1",
        "2024-000123",
        "SO-2024-10-0001",
        "202410011234",
        "E20240101123456",
        "19.90",
        "2026-03-31 10:00:00",
    ):
        assert shown(text) == text
    assert shown(None) is None


def test_addresses_and_numbers_of_phones_are_masked() -> None:
    for text in ("ada@x.cn", "ada%40x.cn", "13812345678", "+44 20 7946 0958", "0571-87654321", "(555) 010-1234", CARD):
        assert shown(text) == "***"


def test_ids_of_machines_are_shown_and_of_a_code_seven_digits_are_not() -> None:
    assert shown("67fbb189-3794-4244-94b2-0123456789ab") == "67fbb189-3794-4244-94b2-0123456789ab"
    assert (shown("62345678"), shown("62345678", CODE), shown("gold", CODE)) == ("62345678", "***", "gold")


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("1500000.0000", "1500000.0000"),
        ("13812345678.0000", "***"),
        ("8613812345678.0000", "***"),
        ("-5.0000", "-5.0000"),
    ],
)
def test_an_amount_is_shown_unless_it_is_a_mobile_number(amount: str, expected: str) -> None:
    column = SimpleNamespace(name="amount", data_type="number", config=SimpleNamespace(meta={}))
    query = f"select {MACROS.shown_cell(column)} from (select cast($1 as decimal(18, 4)) as amount)"
    assert shown(amount, query) == expected
