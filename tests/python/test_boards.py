"""Boards: what a board file may say, what its queries may give, and what becomes of hostile texts."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from conftest import STARTED_AT, Dbt, PublishedBoards, World

from orchestration.boards.beside import board_writer
from orchestration.boards.charts import Shown, specification
from orchestration.boards.grammar import KINDS, board_files, read_board
from orchestration.boards.labels import format_of, mart_labels
from orchestration.boards.pages import Site, script_json
from orchestration.boards.queries import MAX_ROWS, ask, open_published
from orchestration.boards.serve import board_server, serve
from orchestration.boards.site import Boards, render_site
from orchestration.dbt_project import read_json
from orchestration.dictionary import describe_published
from orchestration.engines.duckdb.build import build_database
from orchestration.engines.duckdb.publication import publish
from orchestration.errors import BoardError, SettingsError
from orchestration.publishing import PublicationFacts
from orchestration.settings import ROOT, WAREHOUSE_DIR, load_settings

HOSTILE = "</script><img src=x onerror=alert(1)>"
BOTH = {"en": "A title", "zh": "标题"}
LABELS = {
    "sales": {
        name: {"en": f"{name} in English", "zh": f"{name}中文"}
        for name in ("month", "product", "rate", "rate_low", "rate_high", "buyers", "is_mature", "customer_id")
    }
}


def tile(**changes: Any) -> dict[str, Any]:
    return {
        "id": "first",
        "title": BOTH,
        "text": BOTH,
        "marts": ["sales"],
        "query": "select month, product, rate, rate_low, rate_high, buyers, is_mature from marts.sales order by all",
        "chart": {
            **{"kind": "line", "x": "month", "y": "rate", "low": "rate_low", "high": "rate_high"},
            **{"series": "product", "n": "buyers", "mature": "is_mature"},
        },
        **changes,
    }


def board(*tiles: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"title": BOTH, "text": BOTH, "tiles": list(tiles or [tile()]), **changes}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "boards"
    made.mkdir()
    return made


def write(folder: Path, content: Any, name: str = "shop") -> Path:
    path = folder / f"{name}.yml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "published.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema marts")
        connection.execute(
            "create table marts.sales as select * from (values "
            "(date '2026-01-01', $name, 0.5::double, 0.4::double, 0.6::double, 100::bigint, true, 'c1'), "
            "(date '2026-02-01', $name, null, null, null, 12::bigint, false, 'c2')"
            ") as t(month, product, rate, rate_low, rate_high, buyers, is_mature, customer_id)",
            {"name": HOSTILE},
        )
    return path


@pytest.fixture
def render(tmp_path: Path, folder: Path, database: Path) -> Callable[..., tuple[Path, list[str]]]:
    def made(*contents: Any, company: str = "Shop") -> tuple[Path, list[str]]:
        for place, content in enumerate(contents):
            write(folder, content, f"board{place}")
        site = tmp_path / "site"
        shutil.rmtree(site, ignore_errors=True)
        told = Site(company, "CNY", "2026-02-28", "2026-03-01 02:00", "20260301T020000Z-0000", "abc")
        return site, render_site(database, site, Boards((folder, tmp_path / "absent"), LABELS), told)

    return made


# ---- the grammar ----------------------------------------------------------------------------------------------------


def test_the_scorecard_says_in_both_languages_that_its_targets_are_examples_and_where_they_are() -> None:
    overview = read_board(ROOT / "dashboards" / "overview.yml")
    text = next(tile.text for tile in overview.tiles if tile.id == "scorecard")
    assert "are examples" in text["en"]
    assert "只是示例" in text["zh"]
    for language in ("en", "zh"):
        (file,) = re.findall(r"seeds/[a-z_]+\.csv", text[language])
        assert (ROOT / file).read_text(encoding="utf-8").startswith("kpi,from_month,from_value")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("tiles: [", "shop.yml cannot be read as YAML"),
        ("- a list", "shop.yml: the file is ['a list']; expected a mapping"),
        ({"title": BOTH, "text": BOTH}, "shop.yml: the file lacks tiles; expected title, text, tiles"),
        (board(colour="red"), "shop.yml: the file has colour; expected only title, text, tiles"),
        (board(title={"en": "Only English"}), "shop.yml: title lacks zh"),
        (board(tile(chart={"kind": "pie"})), "shop.yml, tile first: chart kind is pie; expected one of kpi, line"),
        (board(tile(chart={"kind": "line", "x": "month"})), "tile first: chart lacks y; expected kind, x, y"),
        (board(tile(chart={"kind": "kpi", "value": "rate", "low": "rate"})), "an interval with one end"),
        (board(tile(chart={"kind": "kpi", "value": "rate", "series": "x"})), "tile first: chart has series"),
        (
            board(tile(query="delete from marts.sales")),
            "tile first: query is delete from marts.sales; expected one SELECT",
        ),
        (board(tile(filters=[{"select": "a", "range": "b"}])), "a filter with select and range; expected one of"),
        (board(tile(filters=[{}])), "a filter with neither select nor range"),
        (board(tile(formats={"rate": "roman"})), "the format of rate is roman; expected one of percent"),
        (board(tile(small=-1)), "small is -1; expected a whole number"),
        (board(tile(id=None)), "shop.yml, tile 1: id is empty; expected a name"),
        (board(tile(), tile()), "shop.yml: the tile id first stands 2 times"),
    ],
)
def test_an_error_says_where_and_what_was_expected(folder: Path, content: Any, told: str) -> None:
    with pytest.raises(BoardError, match=re.escape(told)):
        read_board(write(folder, content))


def test_a_board_is_read_as_it_is_written(folder: Path) -> None:
    found = read_board(write(folder, board(tile(small=5), order=3, filters=[{"select": "product", "default": 7}])))
    assert (found.name, found.order, found.tiles[0].small) == ("shop", 3, 5)
    assert found.filters[0].default == "7"
    assert found.tiles[0].roles["series"] == "product"


# ---- queries --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("select nothing from marts.sales", "tile first: the query fails"),
        ("select month from marts.sales", "the query gives no column rate; expected it among month"),
        ("select *, month as month_en from marts.sales", "gives month_en alone"),
        ("select *, 1 as extra from marts.sales", "the column extra has no label"),
        ("select * from read_csv('/etc/passwd')", "the query fails"),
        ("select * from marts.sales; select * from marts.sales", "more than one statement"),
    ],
)
def test_a_query_that_is_wrong_says_so(render: Callable[..., Any], query: str, told: str) -> None:
    _, warnings = render(board(tile(query=query)))
    assert len(warnings) == 1
    assert told in warnings[0]
    assert "board0.yml, tile first" in warnings[0]


@pytest.mark.parametrize(
    "query",
    [
        "select *, customer_id as who from marts.sales",
        'select *, "Customer_ID" as who from marts.sales',
        "with sold as (select s.customer_id as who from marts.sales as s) select * from marts.sales, sold",
        "select *, columns('customer.*') as who from marts.sales",
        "select *, count(distinct customer_id) over () as who from marts.sales",
        "select * from published.marts.sales",
        "select * from query_table('published.marts.sales')",
    ],
)
def test_a_query_cannot_reach_a_column_of_persons(render: Callable[..., Any], query: str) -> None:
    site, warnings = render(board(tile(query=query, labels={"who": BOTH})))
    assert len(warnings) == 1
    assert "the query fails" in warnings[0]
    assert ("Boards see no column with ids" in warnings[0]) == ("customer_id" in query.lower())
    assert "c1" not in (site / "index.html").read_text(encoding="utf-8")


def test_a_whole_row_holds_no_column_of_persons(database: Path) -> None:
    with open_published(database) as connection:
        assert connection.execute("select * from marts.sales").fetchall()
        rows = connection.execute("select sales::varchar, to_json(sales)::varchar from marts.sales").fetchall()
        rows += connection.execute("select database_name, sql from duckdb_views() where not internal").fetchall()
    assert "c1" not in str(rows)


def test_a_query_may_give_5000_rows_and_not_one_more(render: Callable[..., Any]) -> None:
    query = (
        "select month, product, rate, rate_low, rate_high, buyers, is_mature from marts.sales, range({rows}) "
        "where buyers = 100"
    )
    assert render(board(tile(query=query.format(rows=5000))))[1] == []
    assert "more than 5,000 rows" in render(board(tile(query=query.format(rows=5001))))[1][0]
    assert MAX_ROWS == 5000


def test_nothing_can_be_written_by_a_query(render: Callable[..., Any], database: Path) -> None:
    before = database.read_bytes()
    assert render(board(tile(query="with a as (select 1) insert into marts.sales select * from marts.sales")))[1]
    assert database.read_bytes() == before


# ---- pages ----------------------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    """The tags of a page, and the texts of its scripts of data."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.data = ""
        self._in_data = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self._in_data = dict(attrs).get("id") == "data"

    def handle_endtag(self, tag: str) -> None:
        self._in_data = False

    def handle_data(self, data: str) -> None:
        self.data += data if self._in_data else ""


def test_a_hostile_text_stays_a_text(render: Callable[..., Any]) -> None:
    hostile = {"en": HOSTILE, "zh": HOSTILE}
    site, warnings = render(board(tile(title=hostile, text=hostile), title=hostile), company=HOSTILE)
    assert warnings == []
    html = (site / "index.html").read_text(encoding="utf-8")
    tags = Tags(html)
    assert "img" not in tags.names
    data = json.loads(tags.data)
    assert data["sets"][0]["rows"][0][1] == HOSTILE
    assert HOSTILE not in html


def test_json_of_a_script_ends_no_script_and_no_line() -> None:
    text = "</script><!-- & \u2028\u2029 ' \" \\"
    made = script_json({"text": text})
    assert not set("<>&\u2028\u2029") & set(made)
    assert json.loads(made) == {"text": text}


def test_a_board_that_fails_is_a_page_with_its_error_and_the_others_stay(render: Callable[..., Any]) -> None:
    site, warnings = render(board(order=1), board(tile(query=f"select '{HOSTILE}' as x, y"), order=2), "no board")
    assert [warning.split(":")[0] for warning in warnings] == ["board board1", "board board2"]
    broken = (site / "board1.html").read_text(encoding="utf-8")
    assert "the query fails" in broken
    assert "<img" not in broken
    assert "img" not in Tags((site / "board2.html").read_text(encoding="utf-8")).names
    assert 'id="data"' in (site / "index.html").read_text(encoding="utf-8")


def test_a_board_takes_the_page_of_no_other(folder: Path, database: Path, tmp_path: Path) -> None:
    custom = tmp_path / "custom"
    custom.mkdir()
    for name, order in (("overview", 1), ("value", 2)):
        write(folder, board(order=order), name)
    for name in ("value", "Index", "Overview"):
        write(custom, board(title={"en": "Mine", "zh": "我的"}, order=0), name)
    told = Site("Shop", "CNY", "2026-02-28", "2026-03-01 02:00", "20260301T020000Z-0000", "abc")
    warnings = render_site(database, tmp_path / "site", Boards((folder, custom), LABELS), told)
    assert sorted(warning.split(":")[0] for warning in warnings) == ["board Index", "board Overview", "board value"]
    assert all("expected another name" in warning for warning in warnings)
    pages = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "site").glob("*.html")}
    assert len(pages) == 5
    assert len({name.lower() for name in pages}) == 5
    made = sorted(name for name, page in pages.items() if 'id="data"' in page)
    assert made == ["index.html", "value.html"]
    # every page of the site leads to every other
    links = re.findall(r'<a href="([^"#]+)"', pages["index.html"])
    assert sorted(links) == sorted(pages)


def test_labels_and_values_are_those_of_the_mart(render: Callable[..., Any]) -> None:
    site, _ = render(board(tile(labels={"rate": {"en": "My rate", "zh": "我的比率"}})))
    data = json.loads(Tags((site / "index.html").read_text(encoding="utf-8")).data)
    columns = data["tiles"][0]["columns"]
    assert columns["month"]["label"] == {"en": "month in English", "zh": "month中文"}
    assert columns["rate"]["label"] == {"en": "My rate", "zh": "我的比率"}
    assert (columns["month"]["format"], columns["rate"]["format"]) == ("month", "percent")
    assert data["sets"][0]["rows"][1] == ["2026-02-01", HOSTILE, None, None, None, 12, False]


def test_tiles_of_one_query_share_its_rows(render: Callable[..., Any]) -> None:
    site, _ = render(board(tile(), tile(id="second")))
    data = json.loads(Tags((site / "index.html").read_text(encoding="utf-8")).data)
    assert [found["set"] for found in data["tiles"]] == [0, 0]
    assert len(data["sets"]) == 1


def test_a_page_asks_nobody_for_anything(render: Callable[..., Any]) -> None:
    site, _ = render(board())
    html = (site / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="([^"#]+)"', html) == [
        *("data:,", "assets/boards.css", "assets/vega.js", "assets/boards.js", "index.html"),
    ]
    assert sorted(path.name for path in (site / "assets").iterdir()) == [
        "boards.css",
        "boards.js",
        "reference.js",
        "vega.js",
    ]


# ---- the boards of the project ---------------------------------------------------------------------------------------

SHIPPED = [read_board(path) for path in board_files(ROOT / "dashboards")]
MEGABYTES = 2_000_000


def test_every_kind_of_chart_is_used_by_a_board_of_the_project() -> None:
    assert {tile.kind for board in SHIPPED for tile in board.tiles} == set(KINDS)


def test_a_tile_names_the_marts_that_it_reads_and_no_column_of_a_person() -> None:
    personal = re.compile(r"\b(?:full_name|email|phone|birth_date|raw_row|\w*customer_id|member_id)\b")
    for shown in SHIPPED:
        for tile in shown.tiles:
            read = set(re.findall(r"\b(?:marts|quality)\.(\w+)", tile.query))
            assert set(tile.marts) <= read, f"{shown.name}, {tile.id}"
            assert not personal.search(tile.query), f"{shown.name}, {tile.id}"


@pytest.mark.worlds
@pytest.mark.xdist_group("sample")
def test_every_board_of_the_project_is_made_for_the_sample_company(sample_boards: PublishedBoards) -> None:
    assert sample_boards.warnings == []
    pages = sorted(sample_boards.site.glob("*.html"))
    # and the reference of tables
    assert len(pages) == len(SHIPPED) + 1
    for page in pages:
        assert page.stat().st_size < MEGABYTES
        sets = json.loads(Tags(page.read_text(encoding="utf-8")).data)["sets"]
        assert all(found["rows"] for found in sets), page.name


@pytest.mark.worlds
@pytest.mark.xdist_group("sample")
def test_the_board_of_the_documentation_is_made(sample_boards: PublishedBoards, folder: Path, tmp_path: Path) -> None:
    documented = re.search(r"^```yaml\n(.*?)^```$", (ROOT / "docs/boards.md").read_text(encoding="utf-8"), re.M | re.S)
    assert documented is not None
    write(folder, documented.group(1), "channels")
    told = Site("Shop", "CNY", "2025-12-31", "2026-01-01 02:00", "20260101T020000Z-0000", "abc")
    boards = Boards((folder,), mart_labels(sample_boards.manifest))
    assert render_site(sample_boards.folder / "stickiness.duckdb", tmp_path / "site", boards, told) == []


@pytest.mark.worlds
@pytest.mark.xdist_group("sample")
def test_every_chart_is_one_that_vega_lite_knows(sample_boards: PublishedBoards) -> None:
    with open_published(sample_boards.folder / "stickiness.duckdb") as connection:
        for shown in SHIPPED:
            for tile in shown.tiles:
                columns = ask(connection, shown.name, tile).columns
                formats = {column.name: format_of(tile, column) for column in columns}
                specification(tile, Shown({column.name: column.kind for column in columns}, formats), validate=True)


@pytest.mark.worlds
@pytest.mark.xdist_group("sample")
def test_boards_are_readable_by_all_and_go_back_with_their_version(
    sample_boards: PublishedBoards, tmp_path: Path
) -> None:
    for path in [sample_boards.site, *sample_boards.site.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o444)
    # the folder of a version holds its boards, so that the link `published` takes them along
    assert sample_boards.site.resolve().parent.parent.name == "versions"


@pytest.mark.worlds
def test_every_board_is_made_for_a_company_without_data(empty_world: World, dbt: Dbt, tmp_path: Path) -> None:
    _ = dbt.manifest
    warnings: list[str] = []
    manifest = read_json(dbt.target / "manifest.json")
    publish(
        build_database(empty_world.settings.warehouse),
        tmp_path,
        PublicationFacts(None, "test", 0, 0, STARTED_AT),
        descriptions=describe_published(manifest, "CNY"),
        beside=board_writer(empty_world.settings, manifest, warnings),
    )
    assert warnings == []


# ---- the publication -------------------------------------------------------------------------------------------------


def test_boards_that_cannot_be_made_stop_no_publication(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = tmp_path / "build.duckdb"
    with duckdb.connect(str(build)) as connection:
        connection.execute("create schema marts")
        connection.execute("create table marts.sales as select 1 as orders")

    def full(*_: object) -> list[str]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("orchestration.boards.site.render_site", full)
    settings = load_settings({"STICKINESS_RAW_DIR": str(tmp_path), WAREHOUSE_DIR: str(tmp_path / "warehouse")})
    warnings: list[str] = []
    facts = PublicationFacts(None, "test", 0, 0, STARTED_AT)
    publish(build, settings.warehouse, facts, beside=board_writer(settings, {"nodes": {}}, warnings))
    assert (settings.warehouse / "published" / "stickiness.duckdb").exists()
    assert not (settings.warehouse / "published" / "dashboards").exists()
    assert warnings == ["boards: none could be made (OSError: [Errno 28] No space left on device)"]


# ---- serving ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def served(folder: Path) -> Iterator[int]:
    (folder / "index.html").write_text("boards", encoding="utf-8")
    (folder / "inner").mkdir()
    with board_server(folder, {}) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert server.server_address[0] == "127.0.0.1"
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [("/", "127.0.0.1", 200), ("/", "localhost:3001", 200), ("/", "evil.example", 403), ("/inner/", "localhost", 404)],
)
def test_boards_are_served_under_this_machines_names_alone(served: int, path: str, host: str, status: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served)
    connection.request("GET", path, headers={"Host": host})
    answer = connection.getresponse()
    assert answer.status == status
    assert (b"boards" in answer.read()) == (status == 200)


def test_a_port_that_is_none_and_a_folder_without_boards_are_told(folder: Path) -> None:
    with pytest.raises(SettingsError, match="STICKINESS_BOARDS_PORT is 'x', which is no port"):
        board_server(folder, {"STICKINESS_BOARDS_PORT": "x"})
    with pytest.raises(BoardError, match="No boards are published in"):
        serve(None, folder)


def test_each_board_is_an_exposure_of_the_marts_that_it_reads(dbt: Dbt) -> None:
    exposed = {
        exposure.name: {unique_id.split(".")[-1] for unique_id in exposure.depends_on.nodes}
        for exposure in dbt.manifest.exposures.values()
    }
    read = {
        f"board_{path.stem}": {mart for tile in read_board(path).tiles for mart in tile.marts} - {"publications"}
        for path in board_files(ROOT / "dashboards")
    }
    assert exposed == read
