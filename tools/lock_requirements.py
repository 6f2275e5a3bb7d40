"""Rewrite requirements.lock from pyproject.toml: `make lock`, or `make lock UPGRADE=1` for the newest that fit.

All groups are resolved together first, so that a package has one version whatever is installed; then each group for
itself, and its section keeps what it needs beyond `core`. Without UPGRADE a pin that still fits stays as it is.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from tools.bootstrap import LOCK, ROOT, SECTION_PREFIX, read_sections, requirement_blocks

OLDEST_PYTHON = "3.11"
PREAMBLE = """\
# Written by `make lock` from pyproject.toml. A section holds what its group needs beyond core.
"""


class LockError(Exception):
    """The lock could not be made; the message says what to do."""


def find_uv() -> str:
    """The uv of this project's environment, else the one on PATH."""
    beside_python = Path(sys.executable).with_name("uv")
    found = str(beside_python) if beside_python.exists() else shutil.which("uv")
    if found is None:
        raise LockError("uv is not installed. Run `make lock`, which installs it with the dev section.")
    return found


def compile_requirements(uv: str, extras: list[str], pins: Path, upgrade: bool) -> list[str]:
    """Resolve core and the extras; versions in the file `pins` are kept where they fit, unless upgrading."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "requirements.txt"
        if pins.exists():
            shutil.copyfile(pins, output)
        command = [uv, "pip", "compile", "--quiet", "--universal", "--python-version", OLDEST_PYTHON]
        command += ["--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate"]
        command += [argument for extra in extras for argument in ("--extra", extra)]
        command += ["--upgrade"] if upgrade else []
        command += ["--output-file", str(output), "pyproject.toml"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise LockError(f"uv could not resolve {', '.join(['core', *extras])}:\n{done.stderr.strip()}")
        return requirement_blocks(output.read_text(encoding="utf-8"))


def lock_text(uv: str, groups: list[str], old_lock: Path, upgrade: bool) -> str:
    """The whole lock: core, then a section per group."""
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder) / "pins.txt"
        if old_lock.exists():
            old = {block for section in read_sections(old_lock).values() for block in requirement_blocks(section)}
            pins.write_text("\n".join(sorted(old)) + "\n", encoding="utf-8")
        together = compile_requirements(uv, groups, pins, upgrade)
        pins.write_text("\n".join(together) + "\n", encoding="utf-8")

        core = compile_requirements(uv, [], pins, upgrade=False)
        sections = {"core": core}
        for group in groups:
            blocks = compile_requirements(uv, [group], pins, upgrade=False)
            sections[group] = [block for block in blocks if block not in core]

    different = {block for blocks in sections.values() for block in blocks} - set(together)
    if different:
        names = ", ".join(sorted(block.split(" ")[0] for block in different))
        raise LockError(
            f"A group alone resolves differently from all groups together: {names}. Pin it in pyproject.toml."
        )
    return PREAMBLE + "".join(
        f"\n{SECTION_PREFIX}{name}\n" + "".join(f"{block}\n" for block in blocks) for name, blocks in sections.items()
    )


def main() -> int:
    """Write the lock; exit status 1 and a message if it cannot be made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    arguments = parser.parse_args()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    try:
        text = lock_text(find_uv(), list(project["optional-dependencies"]), LOCK, arguments.upgrade)
    except LockError as error:
        print(error, file=sys.stderr)
        return 1
    unfinished = LOCK.with_suffix(".lock.new")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, LOCK)
    counts = ", ".join(f"{name} {len(requirement_blocks(section))}" for name, section in read_sections(LOCK).items())
    print(f"requirements.lock: {counts}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
