"""Make `.venv` hold the wanted sections of requirements.lock: `python -m tools.bootstrap core dev`.

Standard library only, since it runs before anything is installed. What a section's stamp says is installed is not
looked at again, so that a second `make` costs nothing. The user's pip configuration decides where packages come from.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
SECTION_PREFIX = "# section: "
OLDEST_PYTHON, TOO_NEW_PYTHON = (3, 11), (3, 14)
PIP_LINES_SHOWN = 15


class BootstrapError(Exception):
    """The environment could not be made; the message says why and what to do."""


def parse_sections(text: str) -> dict[str, str]:
    """Split the text of a lock at its `# section: <name>` lines; each section's text keeps its requirements only."""
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(SECTION_PREFIX):
            lines = sections.setdefault(line.removeprefix(SECTION_PREFIX).strip(), [])
        elif line.strip():
            lines.append(line)
    return {name: "\n".join(section) + "\n" for name, section in sections.items()}


def read_sections(lock: Path) -> dict[str, str]:
    """The sections of a lock file; `BootstrapError` if it cannot be read."""
    try:
        return parse_sections(lock.read_text(encoding="utf-8"))
    except OSError as error:
        raise BootstrapError(
            f"The lock {lock} cannot be read ({error.strerror}). Restore it from version control."
        ) from error


def wanted_sections(available: Iterable[str], asked: Iterable[str], company: str | None) -> list[str]:
    """Core, what was asked for, and the company's own section if the lock has one."""
    available = set(available)
    wanted = list(dict.fromkeys(["core", *asked]))
    unknown = [name for name in wanted if name not in available]
    if unknown:
        raise BootstrapError(
            f"requirements.lock has no section {', '.join(unknown)}; it has {', '.join(sorted(available))}."
        )
    own = (company or "").replace("_", "-")
    return wanted + ([own] if own in available - set(wanted) else [])


class Environment:
    """A virtual environment and the stamps of what has been installed in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        self.stamps = folder / "sections"

    def version(self) -> str | None:
        """The environment's Python version, for example "3.11"; None if there is no usable environment."""
        try:
            settings = (self.folder / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
        except OSError:
            return None
        pairs = (line.partition("=") for line in settings)
        values = {key.strip(): value.strip() for key, _, value in pairs}
        version = tuple(values.get("version", values.get("version_info", "0.0")).split(".")[:2])
        suitable = is_suitable(tuple(int(part) for part in version))
        return ".".join(version) if suitable and self.python.exists() else None

    def stale(self, sections: dict[str, str]) -> list[str]:
        """Names of the sections whose stamp is absent or of another text or Python."""
        version = self.version()
        return [name for name, text in sections.items() if self._stamped(name) != stamp(text, version)]

    def create(self) -> None:
        """Make the environment anew with the running Python."""
        require_venv()
        print(f"Creating {self.folder.name} with Python {'.'.join(map(str, sys.version_info[:3]))}", flush=True)
        # started from the broken environment's own link, it would make a link to itself
        python = os.path.realpath(sys.executable) if self.folder in Path(sys.executable).parents else sys.executable
        done = subprocess.run(
            [python, "-m", "venv", "--clear", str(self.folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise BootstrapError(f"{sys.executable} could not create {self.folder}:\n{last_lines(done.stdout)}")

    def install(self, sections: dict[str, str]) -> None:
        """Install the sections in one run of pip; their stamps come last, so that an interruption shows."""
        for name in sections:
            (self.stamps / name).unlink(missing_ok=True)
        requirements = sorted({block for text in sections.values() for block in requirement_blocks(text)})
        print(f"Installing {len(requirements)} packages: {', '.join(sections)}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            wanted = Path(folder) / "requirements.txt"
            wanted.write_text("\n".join(requirements) + "\n", encoding="utf-8")
            pip = [str(self.python), "-m", "pip", "--disable-pip-version-check", "install", "--no-input"]
            done = subprocess.run(
                [*pip, "--require-hashes", "--no-deps", "-r", str(wanted)],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        if done.returncode:
            raise BootstrapError(
                f"pip could not install {', '.join(sections)} (exit status {done.returncode}). Its last lines:\n"
                f"{last_lines(done.stdout)}\n"
                "Offline, or behind a proxy or a package mirror? pip's own settings decide where it looks: "
                "`python3 -m pip config list`, PIP_INDEX_URL, HTTPS_PROXY. Then run make again."
            )
        self.stamps.mkdir(exist_ok=True)
        for name, text in sections.items():
            (self.stamps / name).write_text(stamp(text, self.version()), encoding="utf-8")

    def _stamped(self, section: str) -> str | None:
        try:
            return (self.stamps / section).read_text(encoding="utf-8")
        except OSError:
            return None


def is_suitable(version: tuple[int, ...]) -> bool:
    """Whether a Python of this (major, minor, ...) version can run the project."""
    return OLDEST_PYTHON <= version[:2] < TOO_NEW_PYTHON


def require_venv() -> None:
    """`BootstrapError` if this Python is too old or new, or lacks what a virtual environment needs."""
    version = ".".join(map(str, sys.version_info[:3]))
    if not is_suitable(sys.version_info[:2]):
        raise BootstrapError(
            f"Python 3.11, 3.12 or 3.13 is needed; {sys.executable} is {version}. Try make PYTHON=python3.12."
        )
    missing = [module for module in ("venv", "ensurepip") if importlib.util.find_spec(module) is None]
    if missing:
        minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise BootstrapError(
            f"{sys.executable} ({version}) has no module {' and no '.join(missing)}, so it cannot create .venv. "
            f"On Debian and Ubuntu: apt install python{minor}-venv (or python3-venv). Or name another: make PYTHON=..."
        )


def requirement_blocks(text: str) -> list[str]:
    """Split requirements into single ones, each with its continuation lines (the hashes); comments are left out."""
    blocks: list[list[str]] = []
    for line in text.splitlines():
        if line.startswith((" ", "\t")) and blocks:
            blocks[-1].append(line)
        elif line.strip() and not line.startswith("#"):
            blocks.append([line])
    return ["\n".join(block) for block in blocks]


def stamp(section_text: str, version: str | None) -> str:
    """What a section's stamp holds: it differs if the section or the Python does."""
    return hashlib.sha256(f"{version}\n{section_text}".encode()).hexdigest()


def last_lines(output: str) -> str:
    """The end of a program's output, where its reason is."""
    return "\n".join(output.strip().splitlines()[-PIP_LINES_SHOWN:])


def has_pip(environment: Environment) -> bool:
    """Whether the environment's Python starts and has pip: an interrupted creation leaves one without."""
    try:
        return subprocess.run([str(environment.python), "-c", "import pip"], capture_output=True).returncode == 0
    except OSError:
        return False


def bring_up(environment: Environment, lock: Path, asked: Iterable[str], company: str | None) -> None:
    """Create the environment if it is absent or broken and install the wanted sections that are not in it yet."""
    available = read_sections(lock)
    sections = {name: available[name] for name in wanted_sections(available, asked, company)}
    if environment.version() and not environment.stale(sections):
        return
    # another make may be at the same work: it holds the lock until its stamps are written
    with lock.open("r+b") as one_at_a_time:
        try:
            fcntl.flock(one_at_a_time, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another make that is installing", flush=True)
            fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        stale = environment.stale(sections)
        if environment.version() is None or not has_pip(environment):
            environment.create()
            stale = list(sections)
        if stale:
            environment.install({name: sections[name] for name in stale})


def main() -> int:
    """Bring up .venv; exit status 1 and a message if that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", help="sections of requirements.lock beside core")
    parser.add_argument("--if-possible", nargs="+", default=[], help="sections without which make goes on")
    arguments = parser.parse_args()
    environment, company = Environment(ROOT / ".venv"), os.environ.get("STICKINESS_COMPANY")
    try:
        bring_up(environment, LOCK, arguments.sections, company)
    except BootstrapError as error:
        print(error, file=sys.stderr)
        return 1
    try:
        bring_up(environment, LOCK, [*arguments.sections, *arguments.if_possible], company)
    except BootstrapError as error:
        print(f"{error}\nGoing on without {', '.join(arguments.if_possible)}.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
