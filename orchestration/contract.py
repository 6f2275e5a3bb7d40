"""The raw contract, read from raw.yml: which tables a company may bring, and what their columns hold."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from orchestration.errors import StickinessError

CONTRACT_FILE = Path("models/staging/raw/raw.yml")
SOURCE_NAME = "raw"
DATA_TYPES = ("text", "timestamp", "date", "boolean", "number", "integer")
SIGNS = ("positive", "negative")

_TABLE_META = {"key", "references"}
_COLUMN_META = {"required", "values", "minimum", "maximum", "scale", "sign", "seed", "personal"}


class ContractError(StickinessError):
    """The contract file is missing or wrong; the message names the place and what is expected there."""


@dataclass(frozen=True)
class Reference:
    """The column of another table that must hold the value."""

    table: str
    column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


@dataclass(frozen=True)
class Scale:
    """The least and the greatest value, by the value of another column of the row."""

    column: str
    ranges: Mapping[str, tuple[Decimal, Decimal]]


@dataclass(frozen=True)
class Sign:
    """Whether a number is `positive` or `negative`, by the value of another column; a value not named: either."""

    column: str
    signs: Mapping[str, str]


@dataclass(frozen=True)
class RawColumn:
    """One column of a raw table; `required` means in the header and in every row."""

    name: str
    data_type: str
    description: str = ""
    required: bool = False
    personal: bool = False
    values: tuple[str, ...] = ()
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    scale: Scale | None = None
    sign: Sign | None = None
    seed: str | None = None

    @property
    def is_id(self) -> bool:
        """Whether it holds ids."""
        return self.name.endswith("_id")

    @property
    def reads_as_id(self) -> bool:
        """Whether its digits are no number: an id or a phone number."""
        return self.is_id or self.name == "phone"

    @property
    def names_customer(self) -> bool:
        """Whether it holds ids of customers."""
        return self.name.endswith("customer_id")

    @property
    def is_money(self) -> bool:
        """Whether it holds amounts in the reporting currency."""
        return self.data_type == "number" and self.name.endswith(("_amount", "_cost"))


@dataclass(frozen=True)
class RawTable:
    """One table of the raw contract; `references` maps a column to what must hold its value."""

    name: str
    key: tuple[str, ...]
    columns: tuple[RawColumn, ...]
    references: Mapping[str, Reference] = field(default_factory=dict)
    description: str = ""

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def required_columns(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.required)

    def column(self, name: str) -> RawColumn:
        """Return the column of that name.

        Raises:
            KeyError: the table has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name}")


@dataclass(frozen=True)
class Contract:
    """The tables of the raw contract by name, in the order of the contract."""

    tables: Mapping[str, RawTable]


def load_contract(project_dir: Path) -> Contract:
    """Read the raw contract of the project.

    Raises:
        ContractError: the file is missing, is no YAML, or does not describe a contract.
    """
    path = Path(project_dir) / CONTRACT_FILE
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ContractError(f"the raw contract {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ContractError(f"the raw contract {path} is no YAML: {error}") from error
    try:
        tables = [_table(entry) for entry in _source(document)["tables"]]
        _refuse_duplicates("the contract", (table.name for table in tables))
        contract = Contract({table.name: table for table in tables})
        for table in tables:
            _check_table(table, contract)
    except ContractError as error:
        raise ContractError(f"{path}: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ContractError(f"{path}: not in the form of a dbt source ({type(error).__name__}: {error})") from error
    return contract


def _source(document: Any) -> Mapping[str, Any]:
    for source in document["sources"]:
        if source["name"] == SOURCE_NAME:
            return source
    raise ContractError(f"expected a source named {SOURCE_NAME}, found none")


def _meta(entry: Mapping[str, Any], allowed: set[str], where: str) -> Mapping[str, Any]:
    meta = (entry.get("config") or {}).get("meta") or {}
    unknown = sorted(set(meta) - allowed)
    if unknown:
        raise ContractError(f"{where}: unknown meta {', '.join(unknown)}; expected one of {', '.join(sorted(allowed))}")
    return meta


def _table(entry: Mapping[str, Any]) -> RawTable:
    name = entry["name"]
    meta = _meta(entry, _TABLE_META, name)
    columns = tuple(_column(column, f"{name}.{column['name']}") for column in entry["columns"])
    return RawTable(
        name=name,
        key=tuple(meta.get("key") or ()),
        columns=columns,
        references={
            column: _reference(target, f"{name}.{column}") for column, target in (meta.get("references") or {}).items()
        },
        description=entry.get("description", ""),
    )


def _reference(target: str, where: str) -> Reference:
    table, dot, column = target.partition(".")
    if not (table and dot and column):
        raise ContractError(f"{where}: references {target!r}; expected table.column")
    return Reference(table, column)


def _column(entry: Mapping[str, Any], where: str) -> RawColumn:
    meta = _meta(entry, _COLUMN_META, where)
    return RawColumn(
        name=entry["name"],
        data_type=entry.get("data_type", ""),
        description=entry.get("description", ""),
        required=_boolean(meta, "required", where),
        personal=_boolean(meta, "personal", where),
        values=_texts(meta.get("values") or (), where),
        minimum=None if meta.get("minimum") is None else _number(meta["minimum"], where),
        maximum=None if meta.get("maximum") is None else _number(meta["maximum"], where),
        scale=_scale(meta["scale"], where) if meta.get("scale") else None,
        sign=_sign(meta["sign"], where) if meta.get("sign") else None,
        seed=meta.get("seed"),
    )


def _boolean(meta: Mapping[str, Any], name: str, where: str) -> bool:
    value = meta.get(name, False)
    if not isinstance(value, bool):
        raise ContractError(f"{where}: {name} is {value!r}; expected true or false")
    return value


def _number(value: Any, where: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ContractError(f"{where}: {value!r} is no number")
    return Decimal(str(value))


def _texts(values: Iterable[Any], where: str) -> tuple[str, ...]:
    for value in values:
        if not isinstance(value, str):
            raise ContractError(f"{where}: the value {value!r} is no text for YAML; put it in quotes")
    return tuple(values)


def _scale(entry: Mapping[str, Any], where: str) -> Scale:
    ranges = {}
    for value, bounds in entry.items():
        if value == "column":
            continue
        if not isinstance(bounds, list) or len(bounds) != 2:
            raise ContractError(f"{where}: the scale of {value} is {bounds!r}; expected [least, greatest]")
        ranges[value] = (_number(bounds[0], where), _number(bounds[1], where))
    return Scale(entry["column"], ranges)


def _sign(entry: Mapping[str, Any], where: str) -> Sign:
    signs = {value: sign for value, sign in entry.items() if value != "column"}
    for value, sign in signs.items():
        if sign not in SIGNS:
            raise ContractError(f"{where}: the sign of {value} is {sign!r}; expected {' or '.join(SIGNS)}")
    return Sign(entry["column"], signs)


def _check_table(table: RawTable, contract: Contract) -> None:
    names = set(table.column_names)
    _refuse_duplicates(table.name, (name.casefold() for name in table.column_names))
    if not table.key:
        raise ContractError(f"{table.name}: no key; expected the columns that name a row")
    for column in table.columns:
        _check_column(table, column)
    for name in (*table.key, *table.references):
        if name not in names:
            raise ContractError(f"{table.name}: the key or a reference names {name}, which is no column of the table")
    for name, reference in table.references.items():
        target = contract.tables.get(reference.table)
        if target is None or reference.column not in target.column_names:
            raise ContractError(f"{table.name}.{name}: references {reference}, which the contract does not have")


def _check_column(table: RawTable, column: RawColumn) -> None:
    where = f"{table.name}.{column.name}"
    if column.data_type not in DATA_TYPES:
        raise ContractError(f"{where}: data_type {column.data_type!r}; expected one of {', '.join(DATA_TYPES)}")
    if column.name.startswith("_"):
        raise ContractError(f"{where}: a name that begins with _ is kept for what landing adds")
    if column.maximum is not None and (column.minimum is None or column.minimum > column.maximum):
        raise ContractError(f"{where}: maximum {column.maximum} without a minimum below it; expected both")
    for rule in (column.scale, column.sign):
        if rule is not None and rule.column not in table.column_names:
            raise ContractError(f"{where}: depends on {rule.column}, which is no column of {table.name}")


def _refuse_duplicates(where: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ContractError(f"{where}: {name} occurs twice")
        seen.add(name)
