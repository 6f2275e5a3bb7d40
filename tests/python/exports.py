"""Raw folders of exports in the tests: mappings, and what landing makes of the files that they name."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

import duckdb
import pytest
from conftest import PLAIN_RULES

from orchestration.company_file import read_company_file
from orchestration.contract import load_contract
from orchestration.landing.broken_files import FileProblem, RawFolderError
from orchestration.landing.land import LandedFile, Landing, land
from orchestration.landing.mapping import Source
from orchestration.settings import ROOT, read_company_settings

RULES = replace(
    PLAIN_RULES,
    reporting_currency="CNY",
    business_timezone="Asia/Shanghai",
    timestamps_without_offset="Asia/Shanghai",
    words_for_nothing=("-", "——"),
)
CONTRACT = load_contract(ROOT)


_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def _relationships(entries: list[tuple[str, str, str]]) -> str:
    listed = "".join(
        f'<Relationship Id="{key}" Type="{_OFFICE}/relationships/{kind}" Target="{target}"/>'
        for key, kind, target in entries
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{listed}</Relationships>'


def _cell(row: int, column: int, cell: object) -> str:
    place = f"{chr(ord('A') + column // 26 - 1) if column > 25 else ''}{chr(ord('A') + column % 26)}{row}"
    if isinstance(cell, datetime):
        # style 1 is a time; a spreadsheet counts days from the last of 1899
        return f'<c r="{place}" s="1"><v>{(cell - datetime(1899, 12, 30)) / timedelta(days=1)!r}</v></c>'
    if isinstance(cell, int | float):
        return f'<c r="{place}"><v>{cell}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(str(cell))}</t></is></c>' if cell else ""


class Exports:
    """A raw folder in the making, and what landing makes of it."""

    def __init__(self, folder: Path, readers: tuple[Source, ...] = ()) -> None:
        self.raw = folder / "raw"
        self.landing = folder / "landing"
        self.raw.mkdir()
        self.readers = readers
        self.rules = RULES

    def put(self, name: str, content: str | bytes, encoding: str = "utf-8") -> Path:
        path = self.raw / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    def put_workbook(self, name: str, sheets: dict[str, list[list[object]]]) -> Path:
        """Write a workbook of these sheets; texts, numbers and times keep their kind."""
        path = self.raw / name
        numbered = list(enumerate(sheets, start=1))
        kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
        parts = {"/xl/workbook.xml": f"{kind}.sheet.main+xml", "/xl/styles.xml": f"{kind}.styles+xml"}
        parts |= {f"/xl/worksheets/sheet{place}.xml": f"{kind}.worksheet+xml" for place, _ in numbered}
        overrides = "".join(f'<Override PartName="{part}" ContentType="{form}"/>' for part, form in parts.items())
        rels = "application/vnd.openxmlformats-package.relationships+xml"
        listed = "".join(f'<sheet name="{title}" sheetId="{place}" r:id="rId{place}"/>' for place, title in numbered)
        targets = [(f"rId{place}", "worksheet", f"worksheets/sheet{place}.xml") for place, _ in numbered]
        with zipfile.ZipFile(path, "w") as book:
            book.writestr(
                "[Content_Types].xml",
                f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType="{rels}"/>'
                f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>',
            )
            book.writestr("_rels/.rels", _relationships([("rId1", "officeDocument", "xl/workbook.xml")]))
            book.writestr(
                "xl/_rels/workbook.xml.rels", _relationships([*targets, ("rIdStyles", "styles", "styles.xml")])
            )
            book.writestr(
                "xl/workbook.xml",
                f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}/relationships"><sheets>{listed}</sheets></workbook>',
            )
            book.writestr(
                "xl/styles.xml",
                f'<styleSheet xmlns="{_MAIN}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs>'
                "</styleSheet>",
            )
            for place, title in numbered:
                rows = "".join(
                    f'<row r="{row}">{"".join(_cell(row, column, cell) for column, cell in enumerate(cells))}</row>'
                    for row, cells in enumerate(sheets[title], start=1)
                )
                sheet = f'<worksheet xmlns="{_MAIN}"><sheetData>{rows}</sheetData></worksheet>'
                book.writestr(f"xl/worksheets/sheet{place}.xml", sheet)
        return path

    def land(self) -> Landing:
        company = read_company_file(self.raw / "company.yml", read_company_settings(ROOT))
        sources = (*company.sources, *self.readers)
        return land(self.raw, self.landing, CONTRACT, self.rules, company.dialects, sources=sources)

    def problems(self) -> tuple[FileProblem, ...]:
        with pytest.raises(RawFolderError) as caught:
            self.land()
        return caught.value.problems

    def file(self, table: str) -> LandedFile:
        (file,) = [file for file in self.land().files if file.table == table]
        return file

    def rows(self, table: str, columns: str, where: str = "_failure is null") -> list[tuple]:
        """Columns of the landed rows of a table, decimals as their shortest texts, times as ISO texts in UTC."""
        names = [name.strip() for name in columns.split(",")]
        files = [str(file.parquet) for file in self.land().files if file.table == table]
        shown = ", ".join(f"cast({name} as varchar) as {name}" for name in names)
        relation = duckdb.sql(
            f"select {shown} from read_parquet({files}) where {where} order by _file_name, _row_number"
        )
        return [tuple(map(_short, row)) for row in relation.fetchall()]

    def rejected(self, table: str) -> list[tuple]:
        return self.rows(table, "_row_number, _failure, _reason", "_failure is not null")

    def fates(self, table: str) -> tuple[int, int, int]:
        """Rows read, landed whether or not they are rejected, and filtered."""
        files = [file for file in self.land().files if file.table == table]
        landed = sum(duckdb.sql(f"select count(*) from '{file.parquet}'").fetchall()[0][0] for file in files)
        return sum(file.rows for file in files), landed, sum(file.rows_filtered for file in files)


def _short(value: str | None) -> str | None:
    if value is None or "." not in value or not value.replace(".", "").replace("-", "").isdigit():
        return value
    return value.rstrip("0").rstrip(".")
