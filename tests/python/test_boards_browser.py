"""The boards of the sample company as people meet them: in a browser, from a folder, in both languages."""

from __future__ import annotations

import csv
import functools
import io
import json
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import PublishedBoards

from orchestration.boards.pages import Site
from orchestration.boards.serve import BoardHandler
from orchestration.boards.site import Boards, render_site
from orchestration.errors import BoardError
from tools import pictures
from tools.browser import Page, find_chromium, open_browser, serious_faults

pytestmark = [
    pytest.mark.xdist_group("sample"),
    pytest.mark.worlds,
    pytest.mark.skipif(find_chromium() is None, reason="Chromium is not installed: apt-get install chromium"),
]

BOARDS = ("index", "retention", "satisfaction", "value", "loyalty", "quality")
Address = Callable[..., str]


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    program = find_chromium()
    assert program is not None
    with open_browser(program) as found:
        yield found


@pytest.fixture
def address(sample_boards: PublishedBoards) -> Address:
    """The address of a board as a file."""

    def of(board: str, language: str = "en", theme: str = "light") -> str:
        return f"{(sample_boards.site / f'{board}.html').as_uri()}?lang={language}&theme={theme}"

    return of


@pytest.fixture
def ask(sample_boards: PublishedBoards) -> Callable[[str], list[tuple[Any, ...]]]:
    def answer(query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(sample_boards.folder / "stickiness.duckdb"), read_only=True) as connection:
            return connection.execute(query).fetchall()

    return answer


def table_of(page: Page, tile: str) -> list[list[str]]:
    """The rows of a tile's table, which is opened for it."""
    page.run(f"document.querySelector('#tile-{tile} details').open = true")
    page.wait(f"document.querySelector('#tile-{tile} table') !== null")
    rows = f"[...document.querySelectorAll('#tile-{tile} tbody tr')]"
    return page.run(f"{rows}.map((row) => [...row.cells].map((cell) => cell.textContent))")


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("zh", "dark")])
def test_a_board_draws_every_tile_asks_nobody_for_anything_and_axe_finds_no_serious_fault(
    page: Page, address: Address, sample_boards: PublishedBoards, board: str, language: str, theme: str
) -> None:
    page.requests.clear()
    page.errors.clear()
    page.open(address(board, language, theme))
    assert page.errors == []
    folder = sample_boards.site.as_uri()
    assert [asked for asked in page.requests if not asked.startswith((folder, "data:"))] == []
    # a tile is a figure, a table or a chart with something in it
    empty = page.run(
        "[...document.querySelectorAll('.tile')].filter((tile) => !tile.querySelector('.value, .figure table, "
        ".chart svg path')).map((tile) => tile.id)"
    )
    assert empty == []
    assert page.run("document.documentElement.lang") == {"en": "en", "zh": "zh-Hans"}[language]
    # what is shown is of one language alone
    shown = page.run("document.querySelector('main').innerText + document.querySelector('header nav').innerText")
    has_chinese = any("\u4e00" <= character <= "\u9fff" for character in shown)
    assert has_chinese == (language == "zh")
    assert serious_faults(page) == []


@pytest.mark.parametrize("board", BOARDS)
def test_a_narrow_screen_shows_all_without_scrolling_sideways(page: Page, address: Address, board: str) -> None:
    page.open(address(board, "zh"), width=360)
    assert page.run("document.documentElement.scrollWidth") <= 360
    # nothing but what scrolls by itself is wider than its card
    wide = page.run(
        "[...document.querySelectorAll('.figure')].filter((figure) => figure.scrollWidth > figure.clientWidth + 1 && "
        "!figure.hasAttribute('tabindex') && !figure.querySelector('.scroll')).map((figure) => figure.parentElement.id)"
    )
    assert wide == []
    # Chinese in a table is not broken after each letter
    tall = page.run(
        "[...document.querySelectorAll('tbody tr')].filter((row) => row.offsetHeight > 60)"
        ".map((row) => `${row.closest('.tile').id}: ${row.innerText}`)"
    )
    assert tall == []


def test_the_figures_of_a_table_are_those_of_the_mart(page: Page, address: Address, ask: Callable[..., Any]) -> None:
    page.open(address("index"))
    expected = ask("select month, active_customers, new_customers from marts.growth_accounting order by month")
    found = [row[:3] for row in table_of(page, "active_customers")]
    assert found == [[f"{month:%Y-%m}", f"{active:,}", f"{new:,}"] for month, active, new in expected]


def test_a_kpi_is_the_newest_complete_period_and_its_change(
    page: Page, address: Address, ask: Callable[..., Any]
) -> None:
    page.open(address("index"))
    (value, low, high, _), (before, *_, period) = ask(
        "select nps, nps_low, nps_high, strftime(period_start, '%Y Q') || quarter(period_start) from marts.nps "
        "where period_grain = 'quarter' and dimension = 'all' and is_complete order by period_start desc limit 2"
    )
    assert page.run("document.querySelector('#tile-nps .value').textContent") == f"{value:.1f}".replace("-", "−")
    told = page.run("document.querySelector('#tile-nps dl').textContent")
    assert f"{low:.1f} – {high:.1f}".replace("-", "−") in told
    assert f"Change since {period}" in told
    assert f"{value - before:+.1f}".replace("-", "−") in told


def test_a_dimension_and_its_value_change_charts_and_tables(
    page: Page, address: Address, ask: Callable[..., Any]
) -> None:
    page.open(address("retention"))
    whole = page.run("document.querySelector('#tile-retention_now .value').textContent")
    lines = "document.querySelectorAll('#tile-retention_by_month .mark-line path').length"
    assert page.run(lines) == 1
    page.choose("board-dimension", "loyalty_tier")
    tiers = ask("select count(distinct dimension_value) from marts.retention_monthly where dimension = 'loyalty_tier'")
    assert page.run(lines) == tiers[0][0]
    told = page.run("document.getElementById('status').textContent")
    assert told == f"{page.run('document.querySelectorAll(`.tile`).length')} tiles updated"
    # one figure is not that of some group among several
    assert page.run("document.querySelector('#tile-retention_now .value').textContent") == whole
    assert "All groups together" in page.run("document.querySelector('#tile-retention_now .notes').textContent")
    page.choose("board-dimension_value", "gold")
    assert page.run(lines) == 1
    expected = ask(
        "select retention_rate, active_customers from marts.retention_monthly where dimension = 'loyalty_tier' "
        "and dimension_value = 'gold' and is_mature order by month desc limit 1"
    )[0]
    shown = page.run("document.querySelector('#tile-retention_now .value').textContent")
    assert shown == f"{expected[0] * 100:.1f}%"
    assert shown != whole
    assert f"{expected[1]:,}" in page.run("document.querySelector('#tile-retention_now dl').textContent")
    page.run("document.getElementById('reset').click()")
    page.wait("document.documentElement.dataset.ready === 'yes'")
    assert page.run("document.querySelector('#tile-retention_now .value').textContent") == whole


def test_a_period_leaves_its_months_alone(page: Page, address: Address) -> None:
    page.open(address("index"))
    page.choose("board-month-from", "2025-03-01")
    page.choose("board-month-to", "2025-05-01")
    assert [row[0] for row in table_of(page, "active_customers")] == ["2025-03", "2025-04", "2025-05"]
    assert "2025-05" in page.run("document.querySelector('#tile-active_customers dl').textContent")


# tries each value that a control offers, and with each cut each of its groups
TRY_CONTROLS = """(() => {
  // what is asked here is which rows are left, and not how they are drawn
  window.vegaEmbed = async () => ({ finalize() {} });
  document.querySelector(".tiles").style.display = "none";
  const groups = new Set();
  for (const { columns, codes, rows } of JSON.parse(document.getElementById("data").textContent).sets) {
    const [cut, group] = ["dimension", "dimension_value"].map((name) => columns.indexOf(name));
    if (cut < 0) continue;
    for (const row of rows) groups.add(`${codes.dimension[row[cut]][0]}/${codes.dimension_value[row[group]][0]}`);
  }
  const values = (id) => {
    const offered = [...(document.getElementById(id)?.options ?? [])].map((option) => option.value);
    // between the ends of a range nothing else happens
    return /-(from|to)$/.test(id) ? [offered.at(1), offered.at(-1)] : offered;
  };
  const choose = async (id, value) => {
    const select = document.getElementById(id);
    select.value = value;
    select.dispatchEvent(new Event("change"));
    while (document.documentElement.dataset.ready !== "yes") await new Promise((done) => setTimeout(done));
  };
  const faultsOf = (chosen) => [...document.querySelectorAll(".tile .empty")].flatMap((empty) => {
    const tile = empty.closest(".tile");
    const hasReason = /period|group|reliable/.test(empty.textContent);
    const isWhole = tile.querySelector(".notes").textContent.includes("shows the whole");
    return hasReason && !isWhole ? [] : [`${chosen}: ${tile.id}: ${empty.textContent}`];
  });
  window.tryValue = async (id, value) => {
    await choose(id, value);
    const faults = faultsOf(`${id}=${value}`);
    if (id !== "board-dimension") return faults;
    for (const group of values("board-dimension_value")) {
      if (group && !groups.has(`${value}/${group}`)) faults.push(`${value} offers ${group}, which is of another cut`);
      await choose("board-dimension_value", group);
      faults.push(...faultsOf(`${id}=${value}, ${group}`));
    }
    return faults;
  };
  return [...document.querySelectorAll("#filters select, .tile-filters select")]
    .map((select) => ({ id: select.id, values: values(select.id) }));
})()"""


@pytest.mark.parametrize("board", BOARDS)
def test_a_value_that_a_control_offers_is_of_its_cut_and_leaves_no_tile_without_rows_or_a_reason(
    page: Page, address: Address, board: str
) -> None:
    page.errors.clear()
    page.open(address(board))
    faults = []
    for control in page.run(TRY_CONTROLS):
        for value in control["values"]:
            faults += page.run(f"tryValue({json.dumps(control['id'])}, {json.dumps(value)})")
        page.run("document.getElementById('reset')?.click()")
    assert faults == [], "\n".join(faults)
    assert page.errors == []


def test_a_tile_with_a_cut_of_its_own_shows_all_its_groups(
    page: Page, address: Address, ask: Callable[..., Any]
) -> None:
    page.open(address("retention"))
    whole = table_of(page, "repurchase_by_cut")
    page.choose("board-dimension", "loyalty_tier")
    page.choose("board-dimension_value", "gold")
    assert table_of(page, "repurchase_by_cut") == whole
    assert len(whole) > 1


def test_a_tile_that_follows_no_filter_says_so(page: Page, address: Address) -> None:
    def notes(tile: str) -> str:
        return str(page.run(f"document.querySelector('#tile-{tile} .notes').textContent"))

    page.open(address("retention"))
    assert "shows the whole" not in notes("cohort_90")
    page.choose("board-dimension", "loyalty_tier")
    assert "shows the whole" in notes("cohort_90")
    assert "shows the whole" not in notes("retention_by_month")
    page.open(address("index"))
    assert "does not follow" not in notes("nps")
    page.choose("board-month-to", "2024-06-01")
    assert "does not follow the chosen period" in notes("nps")
    assert "does not follow" not in notes("active_customers")


def test_an_end_of_a_period_that_is_no_longer_offered_does_not_act(page: Page, address: Address) -> None:
    page.open(address("satisfaction"))
    page.choose("board-period_grain", "month")
    page.choose("board-period_start-from", "2025-11-01")
    assert [row[0] for row in table_of(page, "nps_by_period")][0].startswith("2025-11")
    page.choose("board-period_grain", "year")
    assert page.run("document.getElementById('board-period_start-from').value") == ""
    assert [row[0] for row in table_of(page, "nps_by_period")][-1].startswith("2025")


def test_the_page_of_an_error_has_its_languages_and_colours(page: Page, tmp_path: Path) -> None:
    (tmp_path / "shop.yml").write_text("no board", encoding="utf-8")
    site = Site("Shop", "CNY", "2026-01-01", "2026-01-02 03:04", "20260102T030400Z-0000", "abc")
    assert len(render_site(tmp_path / "none.duckdb", tmp_path / "site", Boards((tmp_path,), {}), site)) == 1
    page.errors.clear()
    page.open(f"{(tmp_path / 'site' / 'index.html').as_uri()}?lang=zh&theme=dark")
    assert page.run("[...document.getElementById('theme').options].map((one) => one.text)") == [
        "跟随系统",
        "浅色",
        "深色",
    ]
    assert page.run("document.querySelector('nav').getAttribute('aria-label')") == "看板"
    assert page.errors == []


def test_the_language_is_switched_and_kept(page: Page, address: Address) -> None:
    page.open(address("retention"))
    page.choose("language", "zh")
    assert page.run("document.querySelector('h1').innerText") == "复购与留存"
    assert "留存率" in page.run("document.querySelector('#tile-retention_by_month .chart').textContent")
    page.run("history.replaceState(null, '', location.pathname)")
    page.open(address("value").partition("?")[0])
    assert page.run("document.documentElement.lang") == "zh-Hans"
    page.choose("language", "en")


def test_an_immature_cohort_has_no_figure_and_says_so(page: Page, address: Address) -> None:
    page.open(address("retention"))
    newest = table_of(page, "cohort_horizons")[-1]
    assert newest[2] == "–"
    assert newest[-1] == "not complete or not reliable"
    assert "the period has not ended" in page.run("document.querySelector('#tile-cohort_horizons .notes').textContent")


def test_csv_has_the_filtered_rows_and_keeps_formulas_texts(page: Page, address: Address) -> None:
    page.open(address("index"))
    page.choose("board-month-from", "2025-11-01")
    table_of(page, "active_customers")
    page.run(
        "URL.createObjectURL = (blob) => { window.made = blob.text(); return 'blob:none'; };"
        "HTMLAnchorElement.prototype.click = () => {};"
    )
    page.run("document.querySelector('#tile-active_customers details button').click()")
    rows = list(csv.reader(io.StringIO(page.run("window.made"))))
    assert len(rows) == 3
    assert rows[0][0].endswith("Month")
    assert [row[0] for row in rows[1:]] == ["2025-11-01", "2025-12-01"]


def test_the_scorecard_aligns_its_figures_and_marks_few_answers(
    page: Page, address: Address, ask: Callable[..., Any]
) -> None:
    page.open(address("index"))
    heads = page.run("[...document.querySelectorAll('#tile-scorecard th[scope=col]')].map((head) => head.className)")
    names = page.run("[...document.querySelectorAll('#tile-scorecard th[scope=col]')].map((head) => head.textContent)")
    assert all(heads[names.index(name)] == "number" for name in ("Actual", "Target", "95% interval"))
    assert "Unit" in names
    states = page.run(
        "[...document.querySelectorAll('#tile-scorecard tbody tr')].map((row) => [row.cells[0], [...row.cells].at(-1)]"
        ".map((cell) => cell.textContent))"
    )
    few = ask(
        "select kpi_en from marts.kpi_scorecard where is_complete and actual is not null "
        "qualify row_number() over (partition by kpi order by month desc) = 1 and sample_size < 30"
    )
    assert {name for name, state in states if state == "small n"} == {name for (name,) in few}
    assert few


def test_the_keyboard_reaches_controls_and_opens_a_table(page: Page, address: Address) -> None:
    page.open(address("index"))
    page.press("Tab", 9)
    assert page.run("document.activeElement.className") == "skip"
    page.run("document.querySelector('#tile-nps summary').focus()")
    page.press("Enter", 13)
    page.wait("document.querySelector('#tile-nps details').open && document.querySelector('#tile-nps table') !== null")


@pytest.mark.parametrize("board", BOARDS)
def test_a_board_prints_on_a4(page: Page, address: Address, tmp_path: Path, board: str) -> None:
    page.open(address(board))
    page.pdf(tmp_path / "board.pdf")
    content = (tmp_path / "board.pdf").read_bytes()
    # points: 210 by 297 mm
    assert b"/MediaBox [0 0 594.9" in content or b"/MediaBox [0 0 595" in content


@pytest.mark.parametrize("picture", pictures.PICTURES, ids=lambda picture: picture.name)
def test_a_picture_of_the_documents_shows_its_tile_with_what_was_chosen(
    page: Page, sample_boards: PublishedBoards, picture: pictures.Picture
) -> None:
    taken = pictures.take(page, sample_boards.site, picture, "zh")
    assert taken.startswith(b"\x89PNG")
    # as the header of the file says
    size = struct.unpack(">II", taken[16:24])
    shown = picture.size
    if picture.tile is not None:
        box = f"document.getElementById('tile-{picture.tile}')"
        shown = (page.run(f"{box}.offsetWidth"), page.run(f"{box}.offsetHeight"))
    assert size == pytest.approx(shown, abs=1)
    for control, value in picture.choices.items():
        assert page.run(f"document.getElementById('{control}').value") == value


def test_a_picture_that_is_too_large_is_refused(
    page: Page, sample_boards: PublishedBoards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "MOST_BYTES", 1000)
    with pytest.raises(BoardError, match="Give it a smaller window"):
        pictures.take(page, sample_boards.site, pictures.PICTURES[0], "en")


def test_the_boards_are_served_on_this_machine_alone(sample_boards: PublishedBoards, page: Page) -> None:
    handler = functools.partial(BoardHandler, directory=str(sample_boards.site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            page.errors.clear()
            page.open(f"http://127.0.0.1:{server.server_address[1]}/?lang=en")
            assert page.errors == []
            assert page.run("document.querySelectorAll('.tile .value').length") == 8
        finally:
            server.shutdown()


def test_a_hostile_name_stays_a_text_in_charts_and_tables(page: Page, tmp_path: Path) -> None:
    hostile = "</script><img src=x onerror=document.title='run'>"
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.execute("create schema marts")
        connection.execute("create table marts.sales as select $name as product, 7 as orders", {"name": hostile})
    both = {"en": hostile, "zh": hostile}
    tile = {"id": "sales", "title": both, "text": both, "marts": ["sales"], "query": "select * from marts.sales"}
    labels = {"product": both, "orders": both}
    chart = {"kind": "bars", "category": "product", "y": "orders"}
    board = {"title": both, "text": both, "tiles": [{**tile, "chart": chart, "labels": labels}]}
    (tmp_path / "shop.yml").write_text(json.dumps(board), encoding="utf-8")
    site = Site(hostile, "CNY", "2026-01-01", "2026-01-02 03:04", "20260102T030400Z-0000", hostile)
    assert render_site(tmp_path / "shop.duckdb", tmp_path / "site", Boards((tmp_path,), {}), site) == []
    page.errors.clear()
    page.open(f"{(tmp_path / 'site' / 'index.html').as_uri()}?lang=en")
    assert table_of(page, "sales") == [[hostile, "7"]]
    assert page.run("document.querySelectorAll('img').length") == 0
    assert page.run("document.title") == f"{hostile} – {hostile}"
    assert page.errors == []
