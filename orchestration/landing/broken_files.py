"""What is wrong with a raw folder, in words for the person who filled it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.errors import Fact, StickinessError


@dataclass(frozen=True)
class FileProblem:
    """One reason why a file cannot be read: what was expected, what was found, what to do."""

    file_name: str
    expected: str
    found: str
    action: str


class RawFolderError(StickinessError):
    """The raw folder cannot be landed; the message is complete for a person. `problems` has an entry for each cause."""

    def __init__(self, message: str, problems: Sequence[FileProblem] = ()) -> None:
        # names of files may be anything, their number is nobody's
        files = len({problem.file_name for problem in problems})
        super().__init__(message, [Fact("files_unreadable", {"files": files})] if files else ())
        self.problems = tuple(problems)


class BrokenFileError(Exception):
    """One file cannot be read; landing collects these into one RawFolderError."""

    def __init__(self, *problems: FileProblem) -> None:
        super().__init__("; ".join(f"{problem.file_name}: {problem.found}" for problem in problems))
        self.problems = problems


def broken_files_error(raw_dir: Path, problems: Iterable[FileProblem]) -> RawFolderError:
    """Return the one error that lists every broken file of the raw folder."""
    listed = tuple(sorted(problems, key=lambda problem: problem.file_name))
    names = {problem.file_name for problem in listed}
    count = "1 file" if len(names) == 1 else f"{len(names)} files"
    blocks = [
        f"{problem.file_name}\n  expected:   {problem.expected}\n  found:      {problem.found}\n"
        f"  what to do: {problem.action}"
        for problem in listed
    ]
    heading = f"{count} in the raw folder {raw_dir} cannot be read, so nothing was built:"
    return RawFolderError("\n\n".join([heading, *blocks]), listed)
