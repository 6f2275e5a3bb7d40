"""Bring every file of a raw folder into landing Parquet, unless it is there already."""

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from orchestration import duckdb_sql as sql
from orchestration.contract import Contract, RawTable
from orchestration.faults import fault_of
from orchestration.masking import MASK, masked

from .broken_files import BrokenFileError, FileProblem, broken_files_error
from .csv_files import CsvPlan, FileDialect, csv_rows, dialect_of, inspect_csv
from .discover import discover
from .export_files import GZIP, LINES
from .file_limits import NO_OTHER_LIMITS, FileLimits
from .file_rows import FileRows
from .judging import Provenance, Repair, repairs, write_judged
from .key_conflicts import KeyConflicts, conflict_notices, key_conflicts
from .manifest import FileFacts, Manifest, load_manifest, save_manifest
from .mapped_files import MappedPlan, inspect_mapped, mapped_rows
from .mapping import Source
from .masking import create_macros
from .parquet_files import ParquetPlan, inspect_parquet, parquet_rows
from .personal_ids import personal_id_notices, personal_ids
from .raw_file import RawFile
from .values import ValueRules

LANDING_VERSION = 3  # raise it when the same file would land as other rows

_WORK_FOLDER = ".incomplete"
_LANDED_NAME = re.compile(r"[0-9a-f]{40}\.parquet")
_FUTURE_YEARS = 10  # a date further on than this, when its file was first seen, is none
_TEXTS = ("csv", GZIP, LINES)
_SMALL_BYTES = 8_000_000
_SAVE_SECONDS = 2.0  # how much landing a killed run may lose


@dataclass(frozen=True)
class LandedFile:
    """One file of the raw folder and where its rows are.

    `rows` is the reader's own count: records that the CSV parser saw, or what the metadata of the Parquet file says.
    `rows_filtered` are those of them that a rule of its mapping left out.
    `first_seen_at` is UTC without a zone; `encoding` and `delimiter` are None for Parquet and where there is no header.
    """

    table: str
    file_name: str
    rows: int
    file_format: str
    encoding: str | None
    delimiter: str | None
    ignored_columns: tuple[str, ...]
    missing_columns: tuple[str, ...]
    malformed_rows: int
    first_seen_at: datetime
    parquet: Path
    repairs: tuple[Repair, ...] = ()
    key_conflicts: KeyConflicts = KeyConflicts()
    rows_filtered: int = 0


@dataclass(frozen=True)
class Landing:
    """What a raw folder holds: files by table in contract order, then by name; tables without a file; sentences.

    `unread` are those of the sentences that are about a file or folder which belongs to no table.
    """

    files: tuple[LandedFile, ...]
    absent_tables: tuple[str, ...]
    notices: tuple[str, ...]
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Candidate:
    """A file as it was when its content was hashed."""

    file: RawFile
    table: RawTable
    dialect: FileDialect
    content: str
    fingerprint: str
    signature: tuple[int, ...]
    rules: ValueRules

    def seen_at(self, manifest: Manifest) -> datetime | None:
        return manifest.seen_at(self.file.table, self.file.name, self.content)

    def parquet(self, landing_dir: Path) -> Path:
        return landing_dir / self.file.table / f"{self.fingerprint}.parquet"


_Plan = CsvPlan | ParquetPlan | MappedPlan


def land(
    raw_dir: Path,
    landing_dir: Path,
    contract: Contract,
    rules: ValueRules,
    dialects: Sequence[FileDialect] = (),
    limits: FileLimits = NO_OTHER_LIMITS,
    sources: Sequence[Source] = (),
) -> Landing:
    """Bring every file of the raw folder into landing Parquet, judged; what is there already is not read again.

    Args:
        raw_dir: the raw folder; it is only read.
        landing_dir: the folder that landing owns; created where it does not exist. One run at a time.
        contract: the tables and their columns.
        rules: how values are read; of each file, the latest day is counted from when it was first seen.
        dialects: what is declared about CSV files; of those that match a file, the first that says something wins.
        limits: how much a file may hold, and where it may be.
        sources: mappings of files of another form than that of the contract, and native readers.

    Raises:
        SettingsError: a mapping does not fit the contract.
        RawFolderError: the folder or a file of it cannot be read; lists every broken file. All headers are checked
            before the first row is landed.
    """
    raw_dir, landing_dir = Path(raw_dir).absolute(), Path(landing_dir).absolute()
    discovery = discover(raw_dir, contract, limits.follow_links, sources)
    problems = list(discovery.problems)
    landing_dir.mkdir(parents=True, exist_ok=True)
    manifest = load_manifest(landing_dir)
    candidates = list(_candidates(discovery.files, contract, rules, dialects, limits, problems))
    with _workshop(landing_dir, rules) as (connection, folder):
        plans = _plans(connection, folder, candidates, manifest, landing_dir, limits, problems)
        _refuse(raw_dir, problems)
        _land_new(connection, folder, candidates, plans, manifest, landing_dir, limits, problems)
        _refuse(raw_dir, problems)
    _forget_all_but(candidates, manifest, landing_dir)
    notices = [*discovery.read_as, *discovery.unused, *_general_notices(manifest, dialects, candidates)]
    return _landing(candidates, manifest, contract, landing_dir, discovery.unread, notices)


def clear_landing(landing_dir: Path) -> None:
    """Remove all landed rows, so that the next run reads every file; when files were first seen is kept.

    Raises:
        OSError: a file cannot be removed.
    """
    landing_dir = Path(landing_dir)
    if landing_dir.is_dir():
        _forget_all_but((), load_manifest(landing_dir), landing_dir)


def _candidates(
    files: Sequence[RawFile],
    contract: Contract,
    rules: ValueRules,
    dialects: Sequence[FileDialect],
    limits: FileLimits,
    problems: list[FileProblem],
) -> Iterator[_Candidate]:
    for file in files:
        table = contract.tables[file.table]
        dialect = dialect_of(file.name, dialects if file.file_format in _TEXTS else ())
        try:
            signature = _signature(file)
            limits.check_bytes(file.name, signature[0])
            content = _digest(file.path)
        except OSError as error:
            problems.append(_unreadable(file, error))
        except BrokenFileError as error:
            problems.extend(error.problems)
        else:
            fingerprint = _fingerprint(file, table, dialect, content, rules)
            yield _Candidate(file, table, dialect, content, fingerprint, signature, rules)


def _signature(file: RawFile) -> tuple[int, ...]:
    """What changes with a file while it is read; whoever sets the time of its last change sets no other."""
    status = file.path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _fingerprint(file: RawFile, table: RawTable, dialect: FileDialect, content: str, rules: ValueRules) -> str:
    """Return a name for the landed rows: it changes with everything that could change them."""
    columns = [{**asdict(column), "description": None} for column in table.columns]
    references = {column: str(target) for column, target in table.references.items()}
    # the latest day is known by when the file was first seen, or the rows would be judged anew every day
    settings = {**asdict(rules), "latest_day": None}
    decisive = [LANDING_VERSION, table.name, table.key, columns, references, settings, file.name, content]
    decisive += [file.mapped.fingerprint] if file.mapped else []
    text = json.dumps([*decisive, dialect.encoding, dialect.delimiter], default=str)
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


def _unreadable(file: RawFile, error: OSError) -> FileProblem:
    return FileProblem(
        file.name, "a file that can be read", str(error.strerror or error), "Check that it is there and may be read."
    )


@contextmanager
def _workshop(landing_dir: Path, rules: ValueRules) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """Give a database in memory and a folder for what is not finished; the folder is emptied before and after."""
    folder = landing_dir / _WORK_FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        with duckdb.connect(":memory:") as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute("set enable_progress_bar = false")
            connection.execute(f"set temp_directory = {sql.text(folder / 'spill')}")
            create_macros(connection, rules.id_key)
            yield connection, folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _plans(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    candidates: Sequence[_Candidate],
    manifest: Manifest,
    landing_dir: Path,
    limits: FileLimits,
    problems: list[FileProblem],
) -> dict[str, _Plan]:
    """Inspect every file that is not landed yet; return by fingerprint how to read it."""
    plans: dict[str, _Plan] = {}
    for candidate in candidates:
        if _is_landed(candidate, manifest, landing_dir):
            continue
        try:
            plans[candidate.fingerprint] = _inspect(connection, folder, candidate, limits)
        except BrokenFileError as error:
            problems.extend(error.problems)
        except OSError as error:
            problems.append(_unreadable(candidate.file, error))
    return plans


def _is_landed(candidate: _Candidate, manifest: Manifest, landing_dir: Path) -> bool:
    facts = manifest.facts.get(candidate.fingerprint)
    if facts is None or candidate.seen_at(manifest) is None:
        return False
    parquet = candidate.parquet(landing_dir)
    try:
        # of one that was cut off the size tells it at once
        return parquet.stat().st_size == facts.landed_bytes and _digest(parquet) == facts.landed_digest
    except OSError:
        return False


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _inspect(connection: duckdb.DuckDBPyConnection, folder: Path, candidate: _Candidate, limits: FileLimits) -> _Plan:
    if candidate.file.mapped is not None:
        return inspect_mapped(candidate.file, candidate.table, candidate.dialect, limits, folder)
    if candidate.file.file_format == "csv":
        return inspect_csv(candidate.file, candidate.table, candidate.dialect)
    return inspect_parquet(connection, candidate.file, candidate.table, limits)


def _refuse(raw_dir: Path, problems: Sequence[FileProblem]) -> None:
    if problems:
        raise broken_files_error(raw_dir, problems)


def _land_new(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    candidates: Sequence[_Candidate],
    plans: Mapping[str, _Plan],
    manifest: Manifest,
    landing_dir: Path,
    limits: FileLimits,
    problems: list[FileProblem],
) -> None:
    """Land the files that have a plan. What is finished stays, whatever happens to the next file."""
    now = datetime.now(UTC).replace(tzinfo=None)
    saved_at = time.monotonic()
    try:
        for candidate in candidates:
            if candidate.fingerprint not in plans:
                continue
            try:
                plan = plans[candidate.fingerprint]
                _land_one(connection, folder, candidate, plan, manifest, landing_dir, limits, now)
            except BrokenFileError as error:
                problems.extend(error.problems)
            if time.monotonic() - saved_at > _SAVE_SECONDS:
                save_manifest(landing_dir, manifest)
                saved_at = time.monotonic()
    finally:
        save_manifest(landing_dir, manifest)


def _land_one(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    candidate: _Candidate,
    plan: _Plan,
    manifest: Manifest,
    landing_dir: Path,
    limits: FileLimits,
    now: datetime,
) -> None:
    seen_at = candidate.seen_at(manifest) or now
    unfinished = folder / f"{candidate.fingerprint}.parquet"
    try:
        facts = _read(connection, candidate, plan, seen_at, unfinished, limits)
    except Exception as error:
        _refuse_changed(candidate, error)
        # a full disk is no fault of the file
        if isinstance(error, duckdb.Error) and fault_of(error, landing_dir.parent) is None:
            raise BrokenFileError(_unjudged(candidate.file, error)) from None
        raise
    _refuse_changed(candidate)
    finished = candidate.parquet(landing_dir)
    finished.parent.mkdir(exist_ok=True)
    os.replace(unfinished, finished)
    manifest.facts[candidate.fingerprint] = facts
    manifest.remember(candidate.file.table, candidate.file.name, candidate.content, seen_at)


def _unjudged(file: RawFile, error: duckdb.Error) -> FileProblem:
    """What the database says of a file that it could not judge, without the values that it quotes."""
    said = str(error).strip().splitlines()[0]
    found = masked(re.sub(r"'[^']*'|\"[^\"]*\"", MASK, said))
    action = "Report this with the columns of the file, and leave the file out."
    return FileProblem(file.name, f"rows of the table {file.table} that can be judged", found, action)


def _read(
    connection: duckdb.DuckDBPyConnection,
    candidate: _Candidate,
    plan: _Plan,
    seen_at: datetime,
    target: Path,
    limits: FileLimits,
) -> FileFacts:
    rows = _rows(plan, limits, candidate.rules)
    rules = replace(candidate.rules, latest_day=_years_after(seen_at.date(), _FUTURE_YEARS))
    provenance = Provenance(candidate.file.name, seen_at)
    size = candidate.signature[0]
    # the query is long: to optimise it takes longer than to run it over a small file
    connection.execute(f"pragma {'disable' if size < _SMALL_BYTES else 'enable'}_optimizer")
    written = write_judged(connection, candidate.table, rows, rules, provenance, target)
    counted = rows.facts()
    filtered = sum(counted.filtered.values())
    if written != counted.rows - filtered:
        found = f"{counted.rows} rows were read and {filtered} left out, but {written} were written"
        raise RuntimeError(f"{candidate.file.name}: {found}")
    conflicts = key_conflicts(connection, candidate.table, target, candidate.rules.business_timezone)
    return FileFacts(
        rows=counted.rows,
        encoding=None if isinstance(plan, ParquetPlan) else plan.encoding,
        delimiter=None if isinstance(plan, ParquetPlan) else plan.delimiter,
        ignored_columns=counted.ignored_columns,
        missing_columns=plan.header.missing_columns if plan.header else (),
        malformed_rows=counted.malformed_rows,
        notices=(
            *counted.notices,
            *_filter_notices(candidate, counted.filtered),
            *conflict_notices(candidate.file.name, candidate.table, conflicts),
        ),
        rows_filtered=filtered,
        key_conflicts=conflicts,
        repairs=repairs(connection, target),
        landed_bytes=target.stat().st_size,
        landed_digest=_digest(target),
        personal_ids=personal_ids(connection, candidate.table, target, candidate.rules.id_key),
    )


def _rows(plan: _Plan, limits: FileLimits, rules: ValueRules) -> FileRows:
    if isinstance(plan, MappedPlan):
        return mapped_rows(plan, limits, rules)
    return csv_rows(plan, limits) if isinstance(plan, CsvPlan) else parquet_rows(plan, limits)


def _filter_notices(candidate: _Candidate, filtered: Mapping[str, int]) -> Iterator[str]:
    for rule, rows in sorted(filtered.items()):
        count = "1 row was" if rows == 1 else f"{rows:,} rows were"
        yield f"{candidate.file.name}: {count} left out of {candidate.table.name} by the rule: {rule}."


def _years_after(day: date, years: int) -> date:
    return day.replace(year=day.year + years, day=28 if (day.month, day.day) == (2, 29) else day.day)


def _refuse_changed(candidate: _Candidate, cause: Exception | None = None) -> None:
    """Raise BrokenFileError if the file is no longer the one that was hashed and inspected."""
    try:
        if _signature(candidate.file) == candidate.signature:
            return
        found = "a file that changed while it was read"
    except OSError as error:
        found = f"a file that went away while it was read ({error.strerror})"
    action = "Wait until the export has finished, then run the refresh again."
    raise BrokenFileError(FileProblem(candidate.file.name, "a finished file", found, action)) from cause


def _forget_all_but(candidates: Sequence[_Candidate], manifest: Manifest, landing_dir: Path) -> None:
    """Keep the landed rows of the candidates only, in the manifest and on disk."""
    kept = {candidate.fingerprint for candidate in candidates}
    manifest.facts = {fingerprint: facts for fingerprint, facts in manifest.facts.items() if fingerprint in kept}
    save_manifest(landing_dir, manifest)
    kept_paths = {candidate.parquet(landing_dir) for candidate in candidates}
    for folder in [entry for entry in landing_dir.iterdir() if entry.is_dir()]:
        landed = [path for path in folder.iterdir() if _LANDED_NAME.fullmatch(path.name)]
        for path in landed:
            if path not in kept_paths:
                path.unlink()
        if landed and not any(folder.iterdir()):
            folder.rmdir()


def _general_notices(
    manifest: Manifest, dialects: Sequence[FileDialect], candidates: Sequence[_Candidate]
) -> Iterator[str]:
    if manifest.is_damaged:
        yield "The manifest of earlier landings was damaged: every file was read again, and counts as first seen now."
    names = [candidate.file.name for candidate in candidates if candidate.file.file_format in _TEXTS]
    for dialect in dialects:
        if not any(dialect.matches(name) for name in names):
            yield f"What is declared about the CSV files {dialect.path_glob} concerns no file."


def _landing(
    candidates: Sequence[_Candidate],
    manifest: Manifest,
    contract: Contract,
    landing_dir: Path,
    unread: Sequence[str],
    notices: Sequence[str],
) -> Landing:
    facts = [manifest.facts[candidate.fingerprint] for candidate in candidates]
    present = {candidate.file.table for candidate in candidates}
    return Landing(
        files=tuple(
            _landed_file(candidate, known, manifest, landing_dir)
            for candidate, known in zip(candidates, facts, strict=True)
        ),
        absent_tables=tuple(name for name in contract.tables if name not in present),
        notices=(
            *unread,
            *notices,
            *(notice for known in facts for notice in known.notices),
            *personal_id_notices(
                (candidate.file.table, known.personal_ids) for candidate, known in zip(candidates, facts, strict=True)
            ),
        ),
        unread=tuple(unread),
    )


def _landed_file(candidate: _Candidate, facts: FileFacts, manifest: Manifest, landing_dir: Path) -> LandedFile:
    return LandedFile(
        table=candidate.file.table,
        file_name=candidate.file.name,
        rows=facts.rows,
        file_format=candidate.file.file_format,
        encoding=facts.encoding,
        delimiter=facts.delimiter,
        ignored_columns=facts.ignored_columns,
        missing_columns=facts.missing_columns,
        malformed_rows=facts.malformed_rows,
        first_seen_at=candidate.seen_at(manifest),
        parquet=candidate.parquet(landing_dir),
        repairs=facts.repairs,
        key_conflicts=facts.key_conflicts,
        rows_filtered=facts.rows_filtered,
    )
