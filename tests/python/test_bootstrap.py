"""What `make` stands on: the lock, the environment that it describes, and the Makefile's handing over of paths."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from orchestration.settings import DEFAULT_COMPANY
from tools.bootstrap import (
    LOCK,
    ROOT,
    BootstrapError,
    Environment,
    bring_up,
    main,
    parse_sections,
    read_sections,
    requirement_blocks,
    wanted_sections,
)
from tools.lint_sql import long_lines
from tools.lock_requirements import LockError, lock_text

PINNED_AND_HASHED = re.compile(
    r"(?P<name>[a-z0-9._-]+)==(?P<version>[^\s;]+)(?P<marker> ; [^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+"
)
AWKWARD = 'it\'s "my" $HOME shop, 店铺 (ü)'


def project_groups() -> dict[str, list[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {"core": project["dependencies"], **project["optional-dependencies"]}


def pins(section: str) -> dict[str, str]:
    """Versions of a section by name and marker."""
    matches = [PINNED_AND_HASHED.fullmatch(block) for block in requirement_blocks(section)]
    return {f"{match['name']}{match['marker'] or ''}": match["version"] for match in matches}


# ---- the lock -------------------------------------------------------------------------------------------------------


def test_every_requirement_of_the_lock_is_pinned_and_hashed() -> None:
    blocks = [block for section in read_sections(LOCK).values() for block in requirement_blocks(section)]
    assert len(blocks) > 100
    assert [block for block in blocks if not PINNED_AND_HASHED.fullmatch(block)] == []


def test_the_lock_names_no_host() -> None:
    text = LOCK.read_text(encoding="utf-8")
    assert not re.search(r"://|index|find-links|trusted| @ ", text)


def test_every_group_of_pyproject_has_a_section_that_fits_it() -> None:
    sections = {name: pins(section) for name, section in read_sections(LOCK).items()}
    groups = project_groups()
    assert list(sections) == list(groups)
    for group, wanted in groups.items():
        locked = {
            canonicalize_name(name.split(" ")[0]): version
            for name, version in (sections["core"] | sections[group]).items()
        }
        for requirement in map(Requirement, wanted):
            assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), (
                f"{group}: {requirement}"
            )


def test_a_package_has_one_version_in_all_sections_and_core_is_not_repeated() -> None:
    sections = {name: pins(section) for name, section in read_sections(LOCK).items()}
    versions: dict[str, set[str]] = {}
    for section in sections.values():
        for name, version in section.items():
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}
    for name, section in sections.items():
        assert name == "core" or not section.keys() & sections["core"].keys()


def test_sections_are_told_apart_and_their_comments_left_out() -> None:
    text = "# preamble\n\n# section: core\na==1 \\\n    --hash=sha256:00\n\n# section: dev\n# why\nb==2\nc==3\n"
    sections = parse_sections(text)
    assert {name: requirement_blocks(section) for name, section in sections.items()} == {
        "core": ["a==1 \\\n    --hash=sha256:00"],
        "dev": ["b==2", "c==3"],
    }


def test_a_company_brings_its_section_along_if_it_has_one() -> None:
    available = ["core", "dev", "complete-journey"]
    assert wanted_sections(available, [], "complete_journey") == ["core", "complete-journey"]
    assert wanted_sections(available, ["dev"], "cdnow") == ["core", "dev"]
    assert wanted_sections(available, ["complete-journey"], "complete_journey") == ["core", "complete-journey"]
    with pytest.raises(BootstrapError, match=r"no section devel; it has complete-journey, core, dev"):
        wanted_sections(available, ["devel"], None)


FAKE_UV = f"""\
#!{sys.executable}
import sys
arguments = sys.argv[1:]
extras = [arguments[at + 1] for at, argument in enumerate(arguments) if argument == "--extra"]
packages = {{"core==1": True, "tool==2": "dev" in extras, "data==3": "data" in extras}}
packages["shared==4" if extras != ["data"] else "shared==DATA"] = bool(extras)
with open(arguments[arguments.index("--output-file") + 1], "w") as output:
    output.writelines(f"{{name}} \\\\\\n    --hash=sha256:00\\n" for name, wanted in packages.items() if wanted)
"""


def fake_uv(folder: Path, data_version_of_shared: str) -> str:
    script = folder / "uv"
    script.write_text(FAKE_UV.replace("DATA", data_version_of_shared), encoding="utf-8")
    script.chmod(0o755)
    return str(script)


def test_a_section_of_the_lock_holds_what_its_group_needs_beyond_core(tmp_path: Path) -> None:
    text = lock_text(fake_uv(tmp_path, "4"), ["dev", "data"], tmp_path / "no.lock", upgrade=False)
    assert {name: list(pins_loosely(section)) for name, section in parse_sections(text).items()} == {
        "core": ["core==1"],
        "dev": ["tool==2", "shared==4"],
        "data": ["data==3", "shared==4"],
    }


def pins_loosely(section: str) -> list[str]:
    return [block.split(" ")[0] for block in requirement_blocks(section)]


def test_a_group_that_resolves_differently_alone_makes_no_lock(tmp_path: Path) -> None:
    with pytest.raises(LockError, match="differently from all groups together: shared==5"):
        lock_text(fake_uv(tmp_path, "5"), ["dev", "data"], tmp_path / "no.lock", upgrade=False)


# ---- the environment ------------------------------------------------------------------------------------------------


class FakeEnvironment:
    """An environment whose Python notes what it is asked to do, and a lock of two sections."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / ".venv"
        self.lock = folder / "requirements.lock"
        self.log = folder / "log"
        (self.folder / "bin").mkdir(parents=True)
        self.set_version("3.11.7")
        self.set_lock(core="a==1", dev="b==1")
        self.set_pip_status(0)

    def set_version(self, version: str) -> None:
        (self.folder / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {version}\n", encoding="utf-8")

    def set_lock(self, **sections: str) -> None:
        text = "".join(f"# section: {name}\n{requirement}\n" for name, requirement in sections.items())
        self.lock.write_text(text, encoding="utf-8")

    def set_pip_status(self, status: int) -> None:
        """From now on `-m pip install ... -r FILE` notes the file's text and ends with this status."""
        python = self.folder / "bin" / "python"
        python.write_text(
            "#!/bin/sh\n"
            '[ "$1" = -c ] && exit 0\n'
            f'for last do :; done; cat "$last" >> "{self.log}"\n'
            f'echo "looking for it"; echo "no such package"; exit {status}\n',
            encoding="utf-8",
        )
        python.chmod(0o755)

    def bring_up(self, *sections: str) -> list[str]:
        """What pip was given to install."""
        self.log.write_text("", encoding="utf-8")
        bring_up(Environment(self.folder), self.lock, sections, company=None)
        return self.log.read_text(encoding="utf-8").split()


@pytest.fixture
def fake(tmp_path: Path) -> FakeEnvironment:
    return FakeEnvironment(tmp_path)


def test_what_is_installed_is_not_installed_again(fake: FakeEnvironment) -> None:
    assert fake.bring_up("dev") == ["a==1", "b==1"]
    assert fake.bring_up("dev") == []
    assert fake.bring_up() == []


def test_a_section_asked_for_later_is_installed_alone(fake: FakeEnvironment) -> None:
    assert fake.bring_up() == ["a==1"]
    assert fake.bring_up("dev") == ["b==1"]


def test_a_changed_section_is_installed_alone(fake: FakeEnvironment) -> None:
    fake.bring_up("dev")
    fake.set_lock(core="a==1", dev="b==2")
    assert fake.bring_up("dev") == ["b==2"]


def test_another_python_installs_all_again(fake: FakeEnvironment) -> None:
    fake.bring_up("dev")
    fake.set_version("3.12.1")
    assert fake.bring_up("dev") == ["a==1", "b==1"]


def test_a_failed_installation_says_why_and_is_tried_again(fake: FakeEnvironment) -> None:
    fake.bring_up()
    fake.set_lock(core="a==2", dev="b==1")
    fake.set_pip_status(1)
    with pytest.raises(BootstrapError, match=r"(?s)could not install core.*no such package.*Offline.*proxy"):
        fake.bring_up()
    # back to the lock that was installed before: what the failed run left behind is not trusted
    fake.set_lock(core="a==1", dev="b==1")
    fake.set_pip_status(0)
    assert fake.bring_up() == ["a==1"]


def test_what_is_wanted_if_possible_stops_nothing(
    fake: FakeEnvironment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tools.bootstrap.ROOT", fake.folder.parent)
    monkeypatch.setattr("tools.bootstrap.LOCK", fake.lock)
    monkeypatch.setattr("sys.argv", ["bootstrap", "--if-possible", "dev"])
    monkeypatch.delenv("STICKINESS_COMPANY", raising=False)
    fake.bring_up()
    fake.set_pip_status(1)
    assert main() == 0
    assert re.search(r"(?s)could not install dev .*no such package.*Going on without dev", capsys.readouterr().err)
    fake.set_lock(core="a==2", dev="b==1")
    assert main() == 1
    fake.set_pip_status(0)
    fake.log.write_text("", encoding="utf-8")
    assert main() == 0
    assert fake.log.read_text(encoding="utf-8").split() == ["a==2", "b==1"]


@pytest.mark.parametrize("version", ["3.10.13", "3.14.0"])
def test_an_environment_of_an_unsuitable_python_is_no_environment(fake: FakeEnvironment, version: str) -> None:
    fake.set_version(version)
    assert Environment(fake.folder).version() is None


def test_a_missing_lock_is_named(fake: FakeEnvironment) -> None:
    fake.lock.unlink()
    with pytest.raises(BootstrapError, match=r"requirements\.lock cannot be read \(No such file or directory\)"):
        fake.bring_up()


def test_lines_of_sql_of_over_140_characters_are_found(tmp_path: Path) -> None:
    sql = tmp_path / "model.sql"
    sql.write_text(f"{'x' * 140}\n{'店' * 141}\n", encoding="utf-8")
    assert long_lines([sql]) == [f"{sql}:2: 141 characters, 140 are allowed"]


# ---- the Makefile ---------------------------------------------------------------------------------------------------


class Checkout:
    """A copy of the Makefile in a folder with an awkward name, with programs that only tell how they were called."""

    def __init__(self, folder: Path) -> None:
        self.above = folder / AWKWARD
        self.root = self.above / "check out"
        for module in ("tools/bootstrap.py", "orchestration/cli.py"):
            (self.root / module).parent.mkdir(parents=True)
        shutil.copy(ROOT / "Makefile", self.root)
        (self.root / "tools/bootstrap.py").write_text(
            "import sys\nprint('sections:', *sys.argv[1:])\n", encoding="utf-8"
        )
        (self.root / "orchestration/cli.py").write_text(
            "import json, os, sys\nprint(json.dumps({**os.environ, 'cwd': os.getcwd(), 'command': sys.argv[1:]}))\n",
            encoding="utf-8",
        )
        (self.root / ".venv/bin").mkdir(parents=True)
        (self.root / ".venv/bin/python").symlink_to(sys.executable)

    def run(self, *arguments: str, cwd: Path, pwd: Path | None = None, **environment: str) -> dict[str, str]:
        """The environment of the program that make ran, with its working directory and its arguments."""
        answer = self.make(*arguments, cwd=cwd, pwd=pwd, **environment)
        return json.loads(next(line for line in answer.splitlines() if line.startswith("{")))

    def make(self, *arguments: str, cwd: Path, pwd: Path | None = None, **environment: str) -> str:
        """What make prints. `pwd` is what the calling program left in PWD, if not the working directory."""
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        done = subprocess.run(
            ["make", *arguments],
            cwd=cwd,
            env=inherited | {"LC_ALL": "C.UTF-8", "PWD": str(pwd or cwd)} | environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_paths_reach_the_programs_unharmed(checkout: Checkout) -> None:
    got = checkout.run(
        "run", f"RAW={AWKWARD}/raw", f"WAREHOUSE={AWKWARD}", "AS_OF=2026-11-21", "FULL_REFRESH=1", cwd=checkout.root
    )
    assert got["command"] == ["refresh"]
    assert got["cwd"] == str(checkout.root)
    assert got["STICKINESS_RAW_DIR"] == f"{AWKWARD}/raw"
    assert got["STICKINESS_WAREHOUSE_DIR"] == AWKWARD
    assert got["STICKINESS_AS_OF"] == "2026-11-21"
    assert got["STICKINESS_FULL_REFRESH"] == "1"
    assert "STICKINESS_COMPANY" not in got


@pytest.mark.parametrize("silence", [(), ("-s",), ("--no-print-directory",)])
def test_the_folder_where_the_user_stood_is_told(checkout: Checkout, silence: tuple[str, ...]) -> None:
    root, above = checkout.root, checkout.above
    for got in (
        checkout.run(*silence, "-C", str(root), "run", "RAW=x", cwd=above),
        checkout.run(*silence, "-f", str(root / "Makefile"), "run", "RAW=x", cwd=above),
        checkout.run(*silence, "-f", f"{root.name}/Makefile", "run", "RAW=x", cwd=above),
    ):
        assert (got["STICKINESS_INVOKED_FROM"], got["cwd"]) == (str(above), str(root))
    got = checkout.run(*silence, "run", "RAW=x", cwd=root)
    assert (got["STICKINESS_INVOKED_FROM"], got["cwd"]) == (str(root), str(root))


def test_a_working_directory_left_over_in_pwd_is_not_believed(checkout: Checkout, tmp_path: Path) -> None:
    got = checkout.run("run", "RAW=x", cwd=checkout.root, pwd=tmp_path)
    assert got["STICKINESS_INVOKED_FROM"] == str(checkout.root)


def test_a_setting_of_the_environment_stands_unless_make_is_told_otherwise(checkout: Checkout) -> None:
    environment = {"STICKINESS_RAW_DIR": AWKWARD, "STICKINESS_AS_OF": "2026-01-01"}
    got = checkout.run("run", "AS_OF=2026-11-21", cwd=checkout.root, **environment)
    assert (got["STICKINESS_RAW_DIR"], got["STICKINESS_AS_OF"]) == (AWKWARD, "2026-11-21")


def test_without_a_raw_folder_it_is_the_default_company(checkout: Checkout) -> None:
    got = checkout.run("run", cwd=checkout.root)
    assert got["STICKINESS_COMPANY"] == DEFAULT_COMPANY
    assert "STICKINESS_RAW_DIR" not in got
    assert checkout.run("run", "COMPANY=cdnow", cwd=checkout.root)["STICKINESS_COMPANY"] == "cdnow"


@pytest.mark.parametrize("goal", ["run", "dev", "rollback"])
def test_the_packages_of_spark_are_installed_for_the_target_spark_alone(checkout: Checkout, goal: str) -> None:
    root = checkout.root
    assert "sections:\n" in checkout.make(goal, "COMPANY=cdnow", cwd=root)
    assert "STICKINESS_TARGET" not in checkout.run(goal, cwd=root)
    assert "sections:\n" in checkout.make(goal, "TARGET=duckdb", cwd=root)
    assert checkout.run(goal, "TARGET=duckdb", cwd=root)["STICKINESS_TARGET"] == "duckdb"
    assert "sections: spark\n" in checkout.make(goal, "TARGET=spark", cwd=root)
    assert checkout.run(goal, "TARGET=spark", cwd=root)["STICKINESS_TARGET"] == "spark"
    assert "sections: spark\n" in checkout.make(goal, cwd=root, STICKINESS_TARGET="spark")
    assert checkout.run(goal, f"TARGET={AWKWARD}", cwd=root)["STICKINESS_TARGET"] == AWKWARD


@pytest.mark.parametrize("goal", ["run", "dev", "rollback"])
def test_the_package_for_postgresql_is_installed_where_a_database_is_named(checkout: Checkout, goal: str) -> None:
    dsn = f"host=/nowhere password={AWKWARD}"
    assert "sections: --if-possible postgres\n" in checkout.make(goal, cwd=checkout.root, PUBLISH_POSTGRES_DSN=dsn)
    printed = checkout.make(goal, "TARGET=spark", cwd=checkout.root, PUBLISH_POSTGRES_DSN=dsn)
    assert "sections: spark --if-possible postgres\n" in printed and AWKWARD not in printed


@pytest.mark.parametrize("goal", ["check", "versions", "dashboards", "doctor"])
def test_what_publishes_nothing_needs_no_package_for_postgresql(checkout: Checkout, goal: str) -> None:
    assert "sections:\n" in checkout.make(goal, cwd=checkout.root, PUBLISH_POSTGRES_DSN="host=/nowhere")


@pytest.mark.parametrize(("java", "host", "sections"), [(0, "", "spark"), (1, "db", "spark"), (1, "", "")])
def test_the_tests_of_spark_are_run_where_they_can(checkout: Checkout, java: int, host: str, sections: str) -> None:
    (checkout.root / "tools/__init__.py").touch()
    (checkout.root / "tools/spark_cluster.py").write_text(f"import sys; sys.exit({java})\n", encoding="utf-8")
    (checkout.root / ".venv/bin/python").unlink()
    # the linters and pytest succeed; all else is run by the real one
    python = f'#!/bin/sh\ncase "$*" in *ruff*|*lint_sql*|*pytest*) exit 0;; *) exec {sys.executable} "$@";; esac\n'
    (checkout.root / ".venv/bin/python").write_text(python, encoding="utf-8")
    (checkout.root / ".venv/bin/python").chmod(0o755)
    printed = checkout.make("test", cwd=checkout.root, STICKINESS_SPARK_HOST=host)
    assert f"sections: dev postgres complete-journey {sections}".strip() in printed.splitlines()


def test_no_program_is_allowed_to_report_its_use(checkout: Checkout) -> None:
    got = checkout.run("dev", cwd=checkout.root)
    assert got["command"] == ["dev", "--end-with-parent"]
    assert (got["DO_NOT_TRACK"], got["DBT_SEND_ANONYMOUS_USAGE_STATS"], got["DAGSTER_DISABLE_TELEMETRY"]) == (
        "1",
        "False",
        "1",
    )


def test_help_lists_every_target(checkout: Checkout) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z][a-z-]*):", makefile, flags=re.MULTILINE)
    phony = re.search(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)[1].split()
    assert sorted(targets) == sorted(phony)
    listed = re.findall(r"^  make ([a-z-]+) +\S", checkout.make(cwd=checkout.root), flags=re.MULTILINE)
    assert set(listed) == set(targets)


def test_clean_leaves_published_versions_and_raw_folders_of_ones_own(checkout: Checkout) -> None:
    made = ["target/x", "warehouse/build/x", "warehouse/landing/x", "companies/sample/raw/x", "tools/__pycache__/x"]
    kept = [
        "warehouse/versions/1/stickiness.duckdb",
        "companies/sample/prepare.py",
        "companies/mine/raw/orders.csv",
        ".venv/lib/__pycache__/x",
    ]
    for name in made + kept:
        (checkout.root / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout.root / name).touch()
    said = checkout.make("-C", str(checkout.root), "clean", cwd=checkout.above)
    assert [name for name in made if (checkout.root / name).exists()] == []
    assert [name for name in kept if not (checkout.root / name).exists()] == []
    assert "removing companies/sample/raw" in said
