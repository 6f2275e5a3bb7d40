"""Which files of a raw folder belong to which table of the contract."""

import difflib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.company import COMPANY_FILE
from orchestration.contract import Contract, RawTable
from orchestration.errors import SettingsError
from orchestration.masking import is_address_or_number, masked, printable

from .broken_files import FileProblem, RawFolderError
from .export_files import ENDINGS, export_format
from .mapping import Mapped, Source, check_source
from .raw_file import RawFile
from .recognise import recognised

FORMATS = {".csv": "csv", ".parquet": "parquet"}
_GRANT = "Give the user that runs the refresh the right to read it."
_EXPECTED_FORMS = "files that end in .csv or .parquet"


@dataclass
class Discovery:
    """What a raw folder holds: the files by table in contract order, then by name.

    `unread` has a sentence for each file or folder that belongs to no table, `read_as` one for each that a native
    reader has recognised, `unused` one for each mapping that concerns no file.
    """

    files: list[RawFile] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    read_as: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    problems: list[FileProblem] = field(default_factory=list)
    home: str | None = None
    """What links may not lead out of; None: they may lead anywhere."""
    mapped: set[Path] = field(default_factory=set)
    """The files that a mapping of the company or a native reader reads."""


def discover(
    raw_dir: Path, contract: Contract, follow_links: bool = False, sources: Sequence[Source] = ()
) -> Discovery:
    """List the files of every table under the raw folder, out of which links lead only if they are followed.

    A file that a mapping names is read by it alone; of the others, one that is no table of the contract by its name, or
    lacks a column that this requires, is read by the native reader that knows its header.

    Raises:
        RawFolderError: the raw folder does not exist, is no folder, or cannot be listed.
        SettingsError: a mapping of the company does not fit the contract.
    """
    discovery = Discovery(home=None if follow_links else os.path.realpath(raw_dir))
    entries = [entry for entry in _entries(raw_dir) if not _is_ignored(entry.name)]
    _discover_mapped(raw_dir, list(_fitting(sources, contract)), contract, discovery)
    for entry in entries:
        if entry not in discovery.mapped:
            _discover_top_level(entry, raw_dir, contract, discovery)
    order = {table: position for position, table in enumerate(contract.tables)}
    discovery.files.sort(key=lambda file: (order[file.table], file.name))
    return discovery


def _fitting(sources: Sequence[Source], contract: Contract) -> Iterator[Source]:
    """The mappings that fit the contract; a native reader need not, where somebody has narrowed the contract."""
    for source in sources:
        try:
            check_source(source, contract)
        except SettingsError:
            if source.files:
                raise
        else:
            yield source


def _discover_mapped(raw_dir: Path, sources: Sequence[Source], contract: Contract, discovery: Discovery) -> None:
    declared, readers = (
        [source for source in sources if bool(source.files) == is_declared] for is_declared in (True, False)
    )
    if not sources:
        return
    # what cannot be looked into is told by those that look for tables
    looking = Discovery(home=discovery.home)
    for path in _walk(raw_dir, raw_dir, looking, (os.path.realpath(raw_dir),)):
        name = path.relative_to(raw_dir).as_posix()
        matching = [source for source in declared if source.matches(name) and name != COMPANY_FILE]
        if matching:
            _add_mapped(path, raw_dir, matching, discovery)
        elif not (_is_silent(name) or _name_problem(name) or _kind_problem(path, name)):
            found = recognised(path, name, readers, _table_of(name, contract))
            if found:
                _add_recognised(path, raw_dir, found, discovery)
    for source in declared:
        if not any(source.matches(path.relative_to(raw_dir).as_posix()) for path in discovery.mapped):
            discovery.unused.append(f"{source.origin} ({source.files}) concerns no file.")


def _table_of(name: str, contract: Contract) -> RawTable | None:
    """The table of the contract that a file is called by, or the folder that it is in."""
    first = name.split("/")[0]
    return contract.tables.get(first if "/" in name else _split(first)[0])


def _add_recognised(path: Path, raw_dir: Path, found: Sequence[Source], discovery: Discovery) -> None:
    name = _relative(path, raw_dir)
    usable = [source for source in found if source.tables]
    _add_mapped(path, raw_dir, usable, discovery)
    for source in found:
        known = f"{source.title} (readers/{source.reader}.yml)"
        if source.tables:
            discovery.read_as.append(f"{name} was read as {known}.")
        else:
            discovery.unread.append(f"{name} holds {known} and was not read: {source.why_unread}")


def _add_mapped(path: Path, raw_dir: Path, sources: Sequence[Source], discovery: Discovery) -> None:
    discovery.mapped.add(path)
    name = path.relative_to(raw_dir).as_posix()
    form = export_format(name)
    if form is None:
        discovery.problems.append(
            FileProblem(
                _printable(name),
                f"a file that ends in {', '.join(ENDINGS)}",
                f"a file that ends in {path.suffix or 'nothing'}, which {sources[0].origin} names",
                "Export it in another form, or name other files there.",
            )
        )
        return
    for source in sources:
        shown = f"{name} [{source.sheets[0]}]" if source.sheets else name
        for table in source.tables:
            if any(file.table == table.table and file.name == shown for file in discovery.files):
                discovery.problems.append(
                    FileProblem(
                        _printable(shown),
                        f"one mapping to the table {table.table}",
                        "two",
                        "Let the patterns of the mappings differ, or name another sheet.",
                    )
                )
                continue
            _add_file(path, raw_dir, table.table, form, discovery, shown, Mapped(source, table))


def _entries(raw_dir: Path) -> list[Path]:
    what_to_do = "Set it to the folder that holds the company's files (STICKINESS_RAW_DIR, or make run RAW=<folder>)."
    if not raw_dir.exists():
        raise RawFolderError(f"The raw folder {raw_dir} does not exist. {what_to_do}")
    if not raw_dir.is_dir():
        raise RawFolderError(f"The raw folder {raw_dir} is a file, not a folder. {what_to_do}")
    try:
        return sorted(raw_dir.iterdir())
    except OSError as error:
        raise RawFolderError(f"The raw folder {raw_dir} cannot be listed: {error.strerror}. {what_to_do}") from error


def _is_ignored(name: str) -> bool:
    return name.startswith((".", "_"))


def _split(name: str) -> tuple[str, str | None]:
    """Return the name without its extension, and the format (None: no format that landing reads)."""
    stem, extension = os.path.splitext(name)
    return stem, FORMATS.get(extension.lower())


def _discover_top_level(entry: Path, raw_dir: Path, contract: Contract, discovery: Discovery) -> None:
    stem, file_format = _split(entry.name)
    if entry.is_dir():
        if entry.name in contract.tables and _leads_outside(entry, discovery):
            discovery.problems.append(_link_problem(_relative(entry, raw_dir)))
        elif entry.name in contract.tables:
            _discover_folder(entry, raw_dir, entry.name, discovery)
        elif any(path.is_relative_to(entry) for path in discovery.mapped):
            _tell_unread(entry, raw_dir, discovery)
        else:
            discovery.unread.append(_unknown(entry.name, contract, "folder"))
    elif file_format is not None and stem in contract.tables:
        _add_file(entry, raw_dir, stem, file_format, discovery)
    elif _is_misnamed_settings(entry.name):
        discovery.problems.append(
            FileProblem(
                _printable(entry.name),
                f"the settings of the company in {COMPANY_FILE}",
                "settings under another name, which nothing reads",
                f"Rename it to {COMPANY_FILE}, or begin its name with _ to leave it out.",
            )
        )
    elif not _is_silent(entry.name):
        discovery.unread.append(_unknown(entry.name, contract, "file"))


def _tell_unread(folder: Path, raw_dir: Path, discovery: Discovery) -> None:
    """Tell the files of a folder of exports that nothing reads."""
    for path in _walk(folder, raw_dir, discovery, (os.path.realpath(folder),)):
        if path not in discovery.mapped and not _is_silent(path.name):
            name = _relative(path, raw_dir)
            discovery.unread.append(f"{name} is no export that a mapping or a native reader knows, and was not read.")


def _is_misnamed_settings(name: str) -> bool:
    """Whether the name is what editors and systems make of company.yml: without it the company would be another."""
    likely = {f"company{ending}" for ending in (".yml", ".yaml", ".yml.txt", ".yaml.txt")}
    return name != COMPANY_FILE and name.lower() in likely


def _is_silent(name: str) -> bool:
    lower = name.lower()
    return name == COMPANY_FILE or lower.startswith(("readme", "license")) or lower.endswith(".md")


def _unknown(name: str, contract: Contract, kind: str) -> str:
    stem = name.split(".")[0].lower()
    if stem in contract.tables:
        wanted = f"a folder named {stem}" if kind == "folder" else f"{stem}.csv or {stem}.parquet"
        return f"{_printable(name)} is not a table of the raw contract and was not read; did you mean {wanted}?"
    close = difflib.get_close_matches(stem, contract.tables, n=1)
    question = f"; did you mean {close[0]}?" if close else "."
    return f"{_printable(name)} is not a table of the raw contract and was not read{question}"


def _discover_folder(folder: Path, raw_dir: Path, table: str, discovery: Discovery) -> None:
    for path in _walk(folder, raw_dir, discovery, (os.path.realpath(folder),)):
        _, file_format = _split(path.name)
        if path in discovery.mapped:
            continue
        if file_format is None:
            discovery.problems.append(
                FileProblem(
                    _relative(path, raw_dir),
                    f"{_EXPECTED_FORMS} (the folder {table} holds batches of the table {table})",
                    f"a file that ends in {path.suffix or 'nothing'}",
                    "Unpack or convert it to CSV or Parquet, move it out of the folder, or begin its name with _ to "
                    "have it ignored.",
                )
            )
        else:
            _add_file(path, raw_dir, table, file_format, discovery)


def _walk(folder: Path, raw_dir: Path, discovery: Discovery, parents: tuple[str, ...]) -> Iterator[Path]:
    """Yield the files under the folder; links are followed, but not round in a circle."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        discovery.problems.append(
            FileProblem(
                _relative(folder, raw_dir),
                "a folder that can be listed",
                str(error.strerror),
                _GRANT,
            )
        )
        return
    for entry in entries:
        if _is_ignored(entry.name):
            continue
        if entry.is_dir() and _leads_outside(entry, discovery):
            discovery.problems.append(_link_problem(_relative(entry, raw_dir)))
        elif not entry.is_dir():
            yield entry
        elif (real := os.path.realpath(entry)) not in parents:
            yield from _walk(entry, raw_dir, discovery, (*parents, real))


def _add_file(
    path: Path,
    raw_dir: Path,
    table: str,
    file_format: str,
    discovery: Discovery,
    shown: str = "",
    mapped: Mapped | None = None,
) -> None:
    name = shown or path.relative_to(raw_dir).as_posix()
    problem = _name_problem(name) or _kind_problem(path, _printable(name))
    if problem is None and _leads_outside(path, discovery):
        problem = _link_problem(name)
    if problem is not None:
        discovery.problems.append(problem)
    else:
        discovery.files.append(RawFile(table, name, path, file_format, mapped))


def _name_problem(name: str) -> FileProblem | None:
    if _in_utf8(name) != name or printable(name) != name:
        expected, found = "a file name in UTF-8, without control characters", "a name with something else in it"
    elif is_address_or_number(name):
        # it stands in every list of files, and beside each rejected row
        expected, found = "a file name that is nobody's address or number", "one that looks like it"
    else:
        return None
    return FileProblem(_printable(name), expected, found, "Rename the file.")


def _kind_problem(path: Path, name: str) -> FileProblem | None:
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        return FileProblem(name, "a file", str(error.strerror), "Replace the link by the file it should point to.")
    if not regular:
        return FileProblem(name, "a file", "something that is neither file nor folder", "Replace it by a file.")
    if not os.access(path, os.R_OK):
        return FileProblem(name, "a file that can be read", "no permission", _GRANT)
    return None


def _relative(path: Path, raw_dir: Path) -> str:
    return _printable(path.relative_to(raw_dir).as_posix())


def _leads_outside(path: Path, discovery: Discovery) -> bool:
    """Whether a link leads out of the raw folder, or would: what it leads to need not exist."""
    if discovery.home is None:
        return False
    return os.path.commonpath([discovery.home, os.path.realpath(path)]) != discovery.home


def _link_problem(name: str) -> FileProblem:
    return FileProblem(
        name,
        "files in the raw folder itself",
        "a link that leads out of it",
        "Put the files themselves there, or set STICKINESS_FOLLOW_LINKS=1 to follow links out of it.",
    )


def _printable(name: str) -> str:
    return masked(_in_utf8(name))


def _in_utf8(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
