"""What published tables and columns mean: quality.dictionary, and the comments of the published file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestration.publishing import PUBLICATION_COLUMNS, PUBLICATIONS, Table

DICTIONARY = ("quality", "dictionary")

DICTIONARY_COLUMNS = {
    "mart": "VARCHAR",
    "column_name": "VARCHAR",
    "data_type": "VARCHAR",
    "label_en": "VARCHAR",
    "label_zh": "VARCHAR",
    "definition": "VARCHAR",
    "grain": "VARCHAR",
    "unit": "VARCHAR",
    "key_position": "BIGINT",
    "cell_role": "VARCHAR",
}
# what a column is in a mart whose rows are cells, each made of several customers
COUNTS_CUSTOMERS, WITHIN = "customers", "within"


@dataclass(frozen=True)
class ColumnDescription:
    """A published column.

    Attributes:
        data_type: type of its contract.
        key_position: place in the primary key, from 1.
        cell_role: COUNTS_CUSTOMERS, or WITHIN where the cells of one breakdown agree in it.
    """

    name: str
    data_type: str | None
    definition: str
    label_en: str | None = None
    label_zh: str | None = None
    unit: str | None = None
    key_position: int | None = None
    cell_role: str | None = None


@dataclass(frozen=True)
class TableDescription:
    """A published table, with its columns in their order."""

    definition: str
    columns: tuple[ColumnDescription, ...]
    label_en: str | None = None
    label_zh: str | None = None

    @property
    def grain(self) -> str | None:
        """What one row is, as the definition begins: `One row per customer`."""
        found = re.match(r"(One row per .+?)(?:[:;.](?=\s|$)|$)", self.definition)
        return found[1] if found else None


Descriptions = Mapping[Table, TableDescription]


def comment(described: TableDescription | ColumnDescription) -> str:
    """What a database shows beside a table or column: both labels, then the definition."""
    labels = " | ".join(label for label in (described.label_en, described.label_zh) if label)
    return ": ".join(text for text in (labels, described.definition) if text)


def of_columns(descriptions: Descriptions, found: Mapping[Table, Sequence[str]]) -> Descriptions:
    """The descriptions of the columns that tables have: no contract holds those of a company's own marts."""
    described = {}
    for table, names in found.items():
        known = descriptions.get(table, TableDescription("", ()))
        by_name = {column.name: column for column in known.columns}
        columns = tuple(by_name.get(name, ColumnDescription(name, None, "")) for name in names)
        described[table] = replace(known, columns=columns)
    return described


def dictionary_rows(descriptions: Descriptions) -> Iterator[tuple[object, ...]]:
    """The values of DICTIONARY_COLUMNS: a row for each column, by table."""
    for (_, table), described in sorted(descriptions.items()):
        for column in described.columns:
            yield (
                table,
                column.name,
                column.data_type,
                column.label_en,
                column.label_zh,
                column.definition or None,
                described.grain,
                column.unit,
                column.key_position,
                column.cell_role,
            )


def _written(
    definition: str,
    label_en: str,
    label_zh: str,
    kinds: Mapping[str, str],
    key: tuple[str, ...],
    columns: Mapping[str, tuple],
) -> TableDescription:
    described = []
    for name, (column_en, column_zh, column_definition, *unit) in columns.items():
        kind = kinds[name].lower().replace("varchar", "string")
        position = key.index(name) + 1 if name in key else None
        described.append(
            ColumnDescription(name, kind, column_definition, column_en, column_zh, *(unit or [None]), position)
        )
    return TableDescription(definition, tuple(described), label_en, label_zh)


# the tables that no model makes, since a publication writes them itself
WRITTEN_BY_PUBLICATION: Descriptions = {
    PUBLICATIONS: _written(
        "One row per publication, this one included: what was published when, from which code and which rows.",
        "Publications",
        "发布记录",
        PUBLICATION_COLUMNS,
        ("publication_id",),
        {
            "publication_id": ("Publication", "发布编号", "Id of the version, a UTC time that sorts."),
            "published_at": ("Published at", "发布时间", "When it was published, UTC."),
            "as_of_date": ("As of", "统计日", "The day as of which its marts are computed."),
            "code_version": (
                "Code version",
                "代码版本",
                "Commit of the project, with +changes where files differed from it and +custom-<hash> for models of "
                "the company's own.",
            ),
            "tables": ("Tables", "表数", "Tables that were published."),
            "rows": ("Rows", "行数", "Rows of all of them."),
            "tests_passed": ("Tests passed", "通过的测试数", "Tests of this build that passed."),
            "tests_warned": ("Tests warned", "告警的测试数", "Tests of warn severity that found something."),
            "duration_seconds": ("Duration", "用时（秒）", "From the start of landing to the publication.", "seconds"),
            "company_id": ("Company", "公司标识", "The setting company_id, by default the company's name."),
            "files_by_table": ("Files by table", "各原始表的文件数", "Files of each raw table, a JSON object."),
            "rows_by_table": ("Rows by table", "各原始表的有效行数", "Accepted rows of each raw table, a JSON object."),
            "revenue_by_table": (
                "Revenue by table",
                "各原始表的收入",
                "Revenue of the accepted rows, a JSON object: of orders the order amounts without cancelled orders, of "
                "order_items the line amounts; before refunds.",
            ),
        },
    ),
    DICTIONARY: _written(
        "One row per published column: what it means, in both languages.",
        "Dictionary",
        "数据字典",
        DICTIONARY_COLUMNS,
        ("mart", "column_name"),
        {
            "mart": ("Mart", "数据表", "Table that has the column, whichever schema it is in."),
            "column_name": ("Column", "字段名", "Name of the column."),
            "data_type": ("Type", "数据类型", "Type that its contract promises; null where there is no contract."),
            "label_en": ("Label (English)", "英文名称", "Name of the column in English."),
            "label_zh": ("Label (Chinese)", "中文名称", "Name of the column in Chinese."),
            "definition": ("Definition", "定义", "What the column holds."),
            "grain": ("Grain", "粒度", "What one row of the mart is."),
            "unit": (
                "Unit",
                "单位",
                "Code of the currency, share (0 to 1), days, hours, seconds or points; null for counts, and where the "
                "unit is not known.",
            ),
            "key_position": (
                "Place in the key",
                "主键位置",
                "Place of the column in the primary key, from 1; null outside it.",
            ),
            "cell_role": (
                "Role in cells",
                "单元格角色",
                "Of a mart whose rows are cells made of customers: customers, where the column counts them; within, "
                "where cells that agree in it are parts of one whole.",
            ),
        },
    ),
}
