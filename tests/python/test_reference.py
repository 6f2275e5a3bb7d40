"""The reference of the published tables: every column, both languages, the promised keys, and hostile names."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from conftest import PublishedBoards

from orchestration import cli
from orchestration.boards.er_picture import PictureTable, draw
from orchestration.boards.keys import ForeignKey, foreign_keys
from orchestration.boards.pages import Site
from orchestration.boards.reference import Facts, TableFacts
from orchestration.boards.site import Boards, render_site
from orchestration.boards.strings import GROUPS
from orchestration.dbt_docs import write_dbt_docs
from orchestration.dbt_project import read_json
from orchestration.descriptions import DICTIONARY_COLUMNS
from orchestration.errors import BuildError
from orchestration.settings import ROOT, WAREHOUSE_DIR
from tools.browser import Page, find_chromium, open_browser, serious_faults

HOSTILE = "\"><img src=x onerror='alert(1)'></script>"
SITE = Site("Shop", "CNY", "2026-02-28", "2026-03-01 02:00", "20260301T020000Z-0000", "abc")
BOTH = {"en": "A title", "zh": "标题"}
MEGABYTES = 2_000_000
FACTS = Facts(
    {
        "customers": TableFacts("customers", "One row per customer: who they are.", {"en": "Customers", "zh": "客户"}),
        "orders": TableFacts("customers", "One row per order: `cancelled` ones too.", {"en": "Orders", "zh": "订单"}),
        "statuses": TableFacts("labels", "What codes are called."),
    },
    (
        ForeignKey("orders", "customer_id", "customers", "customer_id", "every_order_has_its_customer"),
        ForeignKey("orders", "status", "statuses", "status"),
        ForeignKey("orders", "absent", "customers", "customer_id", "of_a_column_that_is_not_published"),
    ),
)
# mart, column, type, label_en, label_zh, definition, grain, unit, key_position
WRITTEN = [
    ("customers", "customer_id", "string", "Customer", "客户号", "Who.", "One row per customer", None, 1),
    ("customers", "days_since", "integer", "Days since", "距今天数", "Since the last.", None, "days", None),
    ("orders", "order_id", "string", "Order", "订单号", "Which.", "One row per order", None, 1),
    ("orders", "customer_id", "string", "Customer of it", "下单客户", "Whose.", "One row per order", None, None),
    ("orders", "status", "string", "Status", "状态", "A code of `statuses`.", "One row per order", None, None),
    ("orders", "amount", "decimal(38,4)", "Amount", "金额", "What was paid.", "One row per order", "CNY", None),
    ("statuses", "status", "string", None, None, "Code.", None, None, 1),
]


def make_database(path: Path, *statements: str) -> None:
    kinds = ", ".join(f"{name} {kind}" for name, kind in DICTIONARY_COLUMNS.items())
    with duckdb.connect(str(path)) as connection:
        for statement in (
            "create schema marts",
            "create schema labels",
            "create schema quality",
            "create table marts.customers as select 'c1' as customer_id, 3 as days_since",
            "create table marts.orders as select 'o' as order_id, 'c' as customer_id, 'paid' as status, 9.5 as amount",
            "create table labels.statuses as select 'paid' as status",
            f"create table quality.dictionary ({kinds})",
            *statements,
        ):
            connection.execute(statement)
        connection.executemany("insert into quality.dictionary values (?, ?, ?, ?, ?, ?, ?, ?, ?, null)", WRITTEN)


def write_board(folder: Path, name: str = "shop", query: str = "select 1 as rows") -> None:
    tile = {"id": "first", "title": BOTH, "text": BOTH, "marts": ["orders", "unknown"], "query": query}
    board = {"title": BOTH, "text": BOTH, "tiles": [{**tile, "chart": {"kind": "table"}, "labels": {"rows": BOTH}}]}
    (folder / f"{name}.yml").write_text(yaml.safe_dump(board), encoding="utf-8")


@pytest.fixture
def render(tmp_path: Path) -> Callable[..., tuple[Path, list[str]]]:
    def made(*statements: str, facts: Facts = FACTS) -> tuple[Path, list[str]]:
        make_database(tmp_path / "published.duckdb", *statements)
        boards = tmp_path / "boards"
        boards.mkdir(exist_ok=True)
        write_board(boards)
        site = tmp_path / "site"
        return site, render_site(tmp_path / "published.duckdb", site, Boards((boards,), {}, facts), SITE)

    return made


class Tables(HTMLParser):
    """What a page says of each table: the cells of its rows by language, its own words, and every tag and link."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: dict[str, list[list[dict[str, str]]]] = {}
        self.told: dict[str, str] = {}
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self._table, self._cell = "", None
        self._languages: list[str | None] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        self.ids += [str(found["id"])] if "id" in found else []
        self.links += [str(found["href"])] if "href" in found else []
        if tag == "section" and found.get("class") == "mart":
            self._table = str(found["id"])
            self.rows[self._table], self.told[self._table] = [], ""
        elif tag == "tr" and self._table:
            self.rows[self._table].append([])
        elif tag in ("td", "th") and self._table:
            self._cell = {"en": "", "zh-Hans": ""}
            self.rows[self._table][-1].append(self._cell)
        if tag == "span":
            self._languages.append(found.get("lang"))

    def handle_endtag(self, tag: str) -> None:
        if tag == "span":
            self._languages.pop()
        elif tag in ("td", "th"):
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            language = next((found for found in self._languages if found), None)
            for shown in self._cell:
                self._cell[shown] += data if language in (None, shown) else ""
        elif self._table:
            self.told[self._table] += data


def read_page(site: Path) -> Tables:
    return Tables((site / "reference.html").read_text(encoding="utf-8"))


def cells(tables: Tables, table: str, language: str) -> list[list[str]]:
    """The cells of the columns of a table, without the head."""
    return [[" ".join(cell[language].split()) for cell in row] for row in tables.rows[table][1:]]


# ---- the page -------------------------------------------------------------------------------------------------------


def test_every_published_column_has_a_row_in_both_languages(render: Callable[..., Any]) -> None:
    site, warnings = render()
    assert warnings == []
    page = read_page(site)
    assert cells(page, "orders", "en") == [
        ["order_id key", "Order", "string", "", "Which."],
        ["customer_id", "Customer of it", "string", "", "Whose. refers to customers.customer_id"],
        ["status", "Status", "string", "", "A code of statuses. refers to statuses.status"],
        ["amount", "Amount", "decimal(38,4)", "CNY", "What was paid."],
    ]
    assert cells(page, "customers", "zh-Hans") == [
        ["customer_id 主键", "客户号", "string", "", "Who."],
        ["days_since", "距今天数", "integer", "天", "Since the last."],
    ]
    assert cells(page, "statuses", "en") == [["status key", "–", "string", "", "Code."]]
    assert "One row per order: cancelled ones too." in page.told["orders"]
    # nobody describes it: the file itself knows its columns
    assert [row[0] for row in cells(page, "dictionary", "en")] == list(DICTIONARY_COLUMNS)


def test_tables_stand_in_the_order_of_their_groups_and_own_ones_last(render: Callable[..., Any]) -> None:
    own = TableFacts("our_group", "Own.")
    site, _ = render("create table marts.a_mart as select 1 as n", facts=Facts({**FACTS.tables, "a_mart": own}))
    assert list(read_page(site).rows) == ["customers", "orders", "dictionary", "statuses", "a_mart"]


def test_the_chinese_page_says_that_definitions_are_in_english(render: Callable[..., Any]) -> None:
    html = (render()[0] / "reference.html").read_text(encoding="utf-8")
    assert "定义目前只有英文" in html


def test_a_hostile_name_stays_a_text(render: Callable[..., Any]) -> None:
    label = {"en": HOSTILE, "zh": HOSTILE}
    facts = Facts(
        {HOSTILE: TableFacts(HOSTILE, HOSTILE, label)}, (ForeignKey(HOSTILE, "n", "orders", HOSTILE, HOSTILE),)
    )
    name = HOSTILE.replace('"', '""')
    told = "'{}'".format(HOSTILE.replace("'", "''"))
    site, warnings = render(
        f'create table marts."{name}" as select 1 as n, 2 as "{name}"',
        f'alter table marts.orders add column "{name}" integer',
        f"insert into quality.dictionary values ({told}, 'n', {', '.join([told] * 6)}, 1, null)",
        facts=facts,
    )
    assert warnings == []
    page = read_page(site)
    assert "img" not in page.tags
    assert HOSTILE in page.rows
    assert page.tags.count("script") == 4
    assert HOSTILE not in (site / "reference.html").read_text(encoding="utf-8")


def test_tiles_and_every_page_lead_to_the_reference(render: Callable[..., Any]) -> None:
    site, _ = render()
    links = Tables((site / "index.html").read_text(encoding="utf-8")).links
    assert "reference.html" in links
    # of a mart that nobody knows nothing is told
    assert [link for link in links if "#" in link] == ["#main", "reference.html#orders"]
    reference = read_page(site)
    assert "index.html" in reference.links
    assert {"orders", "customers", "statuses"} <= set(reference.ids)
    assert {link[1:] for link in reference.links if link.startswith("#")} <= set(reference.ids)


def test_a_reference_that_cannot_be_made_is_a_page_with_its_error_and_the_boards_stay(
    render: Callable[..., Any],
) -> None:
    site, warnings = render("alter table quality.dictionary rename column grain to gone")
    assert len(warnings) == 1
    assert warnings[0].startswith("reference: ")
    assert "grain" in warnings[0]
    assert "grain" in (site / "reference.html").read_text(encoding="utf-8")
    assert 'id="data"' in (site / "index.html").read_text(encoding="utf-8")


def test_a_board_does_not_take_the_place_of_the_reference(render: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "boards").mkdir()
    write_board(tmp_path / "boards", "reference")
    site, warnings = render()
    assert warnings == ["board reference: reference.yml has the name of the page of tables; rename the file"]
    assert "orders" in read_page(site).rows


def test_every_group_of_the_project_that_is_published_has_its_title() -> None:
    groups = yaml.safe_load((ROOT / "models" / "groups.yml").read_text(encoding="utf-8"))["groups"]
    assert {group["name"] for group in groups} - {"staging", "intermediate"} == set(GROUPS) - {"labels"}


# ---- keys -----------------------------------------------------------------------------------------------------------


def model(name: str, *columns: str, schema: str = "marts") -> tuple[str, dict[str, Any]]:
    config = {"schema": schema, "materialized": "table", "meta": {}}
    node = {"resource_type": "model", "alias": name, "config": config, "columns": {column: {} for column in columns}}
    return f"model.shop.{name}", node


def known_values(name: str, of: str, to: str, column: str, test: str = "known_values", **config: Any) -> tuple:
    arguments = {"column_name": column, "to": f"ref('{to}')", "field": column, "model": f"ref('{of}')"}
    node = {
        "resource_type": "test",
        "name": name,
        "attached_node": f"model.shop.{of}",
        "depends_on": {"nodes": [f"model.shop.{found}" for found in dict.fromkeys((to, of))]},
        "config": {"severity": "ERROR", "where": None, **config},
        "test_metadata": {"name": test, "kwargs": arguments},
    }
    return f"test.shop.{name}", node


def manifest(*nodes: tuple[str, dict[str, Any]], references: Mapping[str, str] = {}) -> dict[str, Any]:
    source = {"name": "order_items", "config": {"meta": {"references": references}}}
    unread = {"name": "payments", "config": {"meta": {"references": {"order_id": "orders.order_id"}}}}
    return {"nodes": dict(nodes), "sources": {"a": source, "b": unread}}


def test_the_keys_are_those_that_tests_and_the_raw_contract_promise() -> None:
    found = foreign_keys(
        manifest(
            model("customers", "customer_id", "referrer_id"),
            model("orders", "order_id", "customer_id", "channel"),
            model("order_items", "order_id", "line", "product_id"),
            model("int_products", "product_id", schema="intermediate"),
            known_values("every_order_has_its_customer", "orders", "customers", "customer_id"),
            known_values("every_referrer_is_known", "customers", "customers", "referrer_id", test="relationships"),
            known_values("only_warns", "orders", "customers", "channel", severity="WARN"),
            known_values("looks_at_some_rows", "orders", "customers", "channel", where="channel = 'web'"),
            known_values("of_a_table_that_is_not_published", "order_items", "int_products", "product_id"),
            known_values("of_another_kind", "orders", "customers", "channel", test="every_row"),
            references={"order_id": "orders.order_id", "gone": "orders.gone"},
        )
    )
    assert found == (
        ForeignKey("customers", "referrer_id", "customers", "referrer_id", "every_referrer_is_known"),
        ForeignKey("order_items", "order_id", "orders", "order_id"),
        ForeignKey("orders", "customer_id", "customers", "customer_id", "every_order_has_its_customer"),
    )


def test_a_key_that_contract_and_test_promise_is_shown_once_by_its_test() -> None:
    found = foreign_keys(
        manifest(
            model("orders", "order_id"),
            model("order_items", "order_id"),
            known_values("every_line_has_its_order", "order_items", "orders", "order_id"),
            references={"order_id": "orders.order_id"},
        )
    )
    assert [key.test for key in found] == ["every_line_has_its_order"]


def test_the_table_of_keys_names_what_promises_each(render: Callable[..., Any]) -> None:
    html = (render()[0] / "reference.html").read_text(encoding="utf-8")
    rows = re.findall(r"<tr>(.*?)</tr>", html.partition('id="keys-between-tables"')[2].partition("</section>")[0])
    texts = [re.sub(r"<[^>]+>", "", row) for row in rows[1:]]
    assert texts == [
        "orders.customer_idcustomers.customer_idevery_order_has_its_customer",
        "orders.statusstatuses.statusthe raw contract原始数据契约",
    ]


# ---- the picture ----------------------------------------------------------------------------------------------------

DRAWN = {
    "order_items": PictureTable("customers", ["order_id", "line"]),
    "orders": PictureTable("customers", ["order_id"]),
    "brands": PictureTable("customers", ["product_id"]),
    "customers": PictureTable("customers", ["customer_id"]),
    "memberships": PictureTable("loyalty", ["member_id"]),
    "rfm": PictureTable("value", ["customer_id"]),
    "segments": PictureTable("labels", ["segment"], is_codes=True),
    "nps": PictureTable("satisfaction", ["month", "segment"]),
    "alone": PictureTable("value", ["n"]),
}
LINES = (
    ForeignKey("order_items", "order_id", "orders", "order_id"),
    ForeignKey("order_items", "product_id", "brands", "product_id"),
    ForeignKey("orders", "customer_id", "customers", "customer_id"),
    ForeignKey("memberships", "customer_id", "customers", "customer_id"),
    ForeignKey("rfm", "customer_id", "customers", "customer_id"),
    ForeignKey("rfm", "segment", "segments", "segment"),
    ForeignKey("nps", "segment", "segments", "segment"),
)


def test_the_picture_has_customers_and_orders_in_the_middle_and_codes_right_of_them() -> None:
    picture = draw(LINES, DRAWN, ["customers", "value", "loyalty", "labels"])
    columns: dict[int, list[str]] = {}
    for box in sorted(picture.boxes, key=lambda box: (box.x, box.y)):
        columns.setdefault(box.x, []).append(box.name)
    # the referred between those that refer: a table without a key is left out
    assert list(columns.values()) == [
        ["order_items", "memberships"],
        ["customers", "orders", "brands"],
        ["rfm"],
        ["segments"],
        ["nps"],
    ]
    assert [row.name for box in picture.boxes if box.name == "order_items" for row in box.rows] == [
        *("order_id", "line", "product_id"),
    ]


def test_the_lines_of_the_picture_join_the_columns_and_boxes_do_not_overlap() -> None:
    picture = draw(LINES, DRAWN, ["customers", "value", "loyalty", "labels"])
    boxes = {box.name: box for box in picture.boxes}
    for line in picture.lines:
        begin, *_, end = re.findall(r"(\d+) (\d+)", line.path)
        for (x, y), name, column in (
            (begin, line.key.table, line.key.column),
            (end, line.key.to, line.key.to_column),
        ):
            box = boxes[name]
            assert int(x) in (box.x, box.x + picture.box_width)
            assert [row.name for row in box.rows if row.y == int(y)] == [column]
    for box in picture.boxes:
        below = [other.y for other in picture.boxes if other.x == box.x and other.y > box.y]
        assert box.y + box.height <= min(below, default=picture.height)
        assert box.x + picture.box_width <= picture.width


def test_without_keys_the_page_says_so(render: Callable[..., Any]) -> None:
    site, warnings = render(facts=Facts(FACTS.tables))
    assert warnings == []
    assert "svg" not in read_page(site).tags
    assert "No key between published tables" in (site / "reference.html").read_text(encoding="utf-8")


# ---- in a browser ---------------------------------------------------------------------------------------------------


@pytest.fixture
def page() -> Iterator[Page]:
    program = find_chromium()
    if program is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with open_browser(program) as found:
        yield found


def visible(page: Page, selector: str) -> list[str]:
    """The texts that a reader sees of elements."""
    shown = f"[...document.querySelectorAll('{selector}')].filter((found) => found.checkVisibility())"
    return [
        " ".join(text.split()) for text in page.run(f"{shown}.map((found) => found.innerText ?? found.textContent)")
    ]


def test_the_reference_is_searched_linked_and_read_in_both_languages(page: Page, render: Callable[..., Any]) -> None:
    address = (render()[0] / "reference.html").as_uri()
    page.open(f"{address}?lang=en#orders")
    assert visible(page, "h3") == ["Customers", "Orders", "dictionary", "statuses"]
    # the table that the address names is open
    assert visible(page, ".mart tbody th") == ["order_id key", "customer_id", "status", "amount"]
    assert visible(page, ".er-group tspan") == ["Customers and orders"] * 2 + ["Codes and their labels"]
    assert serious_faults(page) == []

    def search(words: str) -> list[str]:
        page.run(f"document.getElementById('search').value = {json.dumps(words)}")
        page.run("document.getElementById('search').dispatchEvent(new Event('input'))")
        return visible(page, ".mart tbody th")

    # words of the table and of the column, in either language
    assert search("orders PAID") == ["amount"]
    assert search("距今天数") == ["days_since"]
    assert visible(page, ".index a") == ["Customers"]
    assert search("no such thing") == []
    assert visible(page, "#nothing-found") == ["No table or column fits."]
    # a link to what the search has hidden ends the search
    page.run("location.hash = '#customers'")
    page.wait("document.getElementById('search').value === ''")
    page.open(f"{address}?lang=zh&theme=dark", width=360)
    assert visible(page, "h1, h3") == ["数据表参考", "客户", "订单", "dictionary", "statuses"]
    assert page.run("document.documentElement.scrollWidth") <= 360
    assert serious_faults(page) == []
    assert page.errors == []
    assert [asked for asked in page.requests if not asked.startswith(("file:", "data:"))] == []


# ---- the sample company ---------------------------------------------------------------------------------------------


@pytest.mark.worlds
@pytest.mark.xdist_group("sample")
def test_the_reference_of_the_sample_company_tells_of_every_column(sample_boards: PublishedBoards) -> None:
    path = sample_boards.site / "reference.html"
    assert path.stat().st_size < MEGABYTES
    page = read_page(sample_boards.site)
    with duckdb.connect(str(sample_boards.folder / "stickiness.duckdb"), read_only=True) as connection:
        columns = connection.execute(
            "select table_name, column_name, schema_name from duckdb_columns() where not internal order by column_index"
        ).fetchall()
    told = {(table, row[0].split()[0]) for table in page.rows for row in cells(page, table, "en")}
    assert told == {(table, column) for table, column, _ in columns}
    schemas = {table: schema for table, _, schema in columns}
    for table in page.rows:
        # tables of codes are labels themselves
        if schemas[table] != "labels":
            for language, is_of in (("en", str.isascii), ("zh-Hans", bool)):
                labels = [row[1] for row in cells(page, table, language)]
                assert all(label not in ("", "–") and is_of(label.replace("×", "x")) for label in labels), table
            assert all(row[4] for row in cells(page, table, "en")), table
    for board in sample_boards.site.glob("*.html"):
        links = Tables(board.read_text(encoding="utf-8")).links
        anchors = {link.partition("#")[2] for link in links if link.startswith(("reference.html#", "#"))}
        assert anchors - {"main"} <= set(page.ids), board.name


# ---- make docs ------------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What dbt is asked to do, in place of dbt."""
    asked: list[tuple[Any, ...]] = []

    def run(root: Path, folder: Path, arguments: list[str], environ: Mapping[str, str]) -> Any:
        asked.append((root, folder, arguments, environ, read_json(folder / "manifest.json")))
        return subprocess.CompletedProcess(arguments, 0, "", "")

    monkeypatch.setattr("orchestration.dbt_docs.run_dbt", run)
    return asked


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "dw"
    (folder / "build" / "target").mkdir(parents=True)
    (folder / "build" / "target" / "manifest.json").write_text(
        '{"metadata": {"send_anonymous_usage_stats": true}, "nodes": {"model.a": {"compiled_code": "select 1"}}}'
    )
    monkeypatch.setenv(WAREHOUSE_DIR, str(folder))
    return folder


def test_make_docs_has_dbt_document_the_build_in_one_page_without_a_tracker(
    asked: list[tuple[Any, ...]], warehouse: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    boards = warehouse / "published" / "dashboards"
    boards.mkdir(parents=True)
    (boards / "reference.html").write_text("")
    assert cli.main(["docs"]) == 0
    docs = warehouse / "build" / "docs"
    ((root, folder, arguments, environ, given),) = asked
    assert (root, folder) == (ROOT, docs)
    assert arguments == ["docs", "generate", "--no-compile", "--static", "--target", "duckdb"]
    assert environ == {WAREHOUSE_DIR: str(warehouse)}
    # the build's own, SQL and all, but for the tracker
    assert given["nodes"] == {"model.a": {"compiled_code": "select 1"}}
    assert given["metadata"]["send_anonymous_usage_stats"] is False
    assert capsys.readouterr().out.splitlines() == [
        f"Reference: {boards / 'reference.html'}",
        f"dbt docs:  {docs / 'static_index.html'}",
    ]


def test_make_docs_says_where_nothing_was_built_or_dbt_fails(
    asked: list[tuple[Any, ...]], warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BuildError, match=r"Nothing has been built in .*none; expected .*Run make run first"):
        write_dbt_docs(ROOT, warehouse / "none", "duckdb")
    assert asked == []
    failed = subprocess.CompletedProcess([], 2, "Database Error", "")
    monkeypatch.setattr("orchestration.dbt_docs.run_dbt", lambda *_: failed)
    with pytest.raises(BuildError, match="dbt could not document the build:\nDatabase Error"):
        write_dbt_docs(ROOT, warehouse, "duckdb")
