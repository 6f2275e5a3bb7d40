"""What holds rows of persons is its owner's alone; what is published may be read."""

import os
import stat
from pathlib import Path

import pytest

from orchestration import cli
from orchestration.checking import check_folder
from orchestration.engines.duckdb.build import build_database, open_build
from orchestration.errors import BuildError
from orchestration.modes import make_open, make_private, mend, private_files
from orchestration.warehouse_lock import warehouse_lock


@pytest.fixture(autouse=True)
def usual_umask() -> None:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def old_warehouse(folder: Path) -> Path:
    """A warehouse as an earlier release left it."""
    for name in ("landing/orders", "build/target", "check/landing", "dagster/storage/schedules", "versions/v1"):
        (folder / name).mkdir(parents=True)
        (folder / name / "file").write_text("ada@example.com")
    return folder


def test_folders_of_an_earlier_release_are_taken_from_others_and_what_is_published_is_not(tmp_path: Path) -> None:
    warehouse, outside = old_warehouse(tmp_path / "dw"), tmp_path / "outside"
    outside.mkdir()
    (outside / "shared").write_text("")
    (warehouse / "landing" / "linked").symlink_to(outside)
    for name in ("target", "logs"):
        (tmp_path / "project" / name).mkdir(parents=True)
        (tmp_path / "project" / name / "dbt.log").write_text("")
    mend(warehouse, tmp_path / "project")
    for top in [
        *(warehouse / name for name in ("landing", "build", "check", "dagster")),
        tmp_path / "project" / "logs",
    ]:
        for path in [top, *top.rglob("*")]:
            if not path.is_symlink():
                assert mode(path) == (0o700 if path.is_dir() else 0o600), path
    assert mode(warehouse) == mode(warehouse / "versions" / "v1") == mode(outside) == 0o755
    assert mode(warehouse / "versions" / "v1" / "file") == mode(outside / "shared") == 0o644


def test_modes_that_are_narrower_stay(tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir(mode=0o500)
    mend(tmp_path, tmp_path)
    assert mode(tmp_path / "landing") == 0o500


def test_a_warehouse_lets_readers_through_and_its_private_folders_do_not(tmp_path: Path) -> None:
    with private_files():
        with warehouse_lock(tmp_path / "srv" / "dw"):
            pass
        with open_build(build_database(tmp_path / "srv" / "dw")):
            pass
    assert mode(tmp_path / "srv") == mode(tmp_path / "srv" / "dw") == 0o755
    assert mode(tmp_path / "srv" / "dw" / "build") == 0o700
    assert mode(tmp_path / "srv" / "dw" / "build" / "warehouse.duckdb") == 0o600
    assert mode(tmp_path / "srv" / "dw" / ".lock") == 0o600


def test_a_folder_that_is_there_keeps_the_modes_that_its_owner_gave_it(tmp_path: Path) -> None:
    (tmp_path / "dw").mkdir()
    (tmp_path / "dw").chmod(0o2770)
    make_open(tmp_path / "dw")
    assert mode(tmp_path / "dw") == 0o2770


def test_dbt_by_hand_builds_in_a_folder_of_the_owners_own(tmp_path: Path) -> None:
    """With whatever umask its user has."""
    with open_build(build_database(tmp_path / "dw")):
        pass
    assert mode(tmp_path / "dw" / "build") == 0o700


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for make in (make_open, make_private):
        with pytest.raises(OSError):
            make(tmp_path / "file" / "dw")
    with pytest.raises(FileExistsError):
        make_open(tmp_path / "file")


def test_a_command_works_for_its_owner_alone_and_mends_what_it_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "raw").mkdir()
    warehouse = old_warehouse(tmp_path / "dw")
    monkeypatch.setenv("STICKINESS_RAW_DIR", str(tmp_path / "raw"))
    monkeypatch.setenv("STICKINESS_WAREHOUSE_DIR", str(warehouse))
    for name in ("STICKINESS_AS_OF", "STICKINESS_FULL_REFRESH", "STICKINESS_REFIT", "STICKINESS_ALLOW", "DAGSTER_HOME"):
        monkeypatch.setenv(name, "")
    masks = []

    def run(settings: object) -> None:
        masks.append(os.umask(0o077))
        raise BuildError("enough")

    monkeypatch.setattr(cli, "_run_job", run)
    monkeypatch.setattr(cli, "mend", lambda warehouse, root: mend(warehouse, tmp_path))
    assert cli.main(["refresh"]) == 1
    assert masks == [0o077]
    assert os.umask(0o022) == 0o022, "the umask of before, once the command has ended"
    assert mode(warehouse / "dagster" / "dagster.yaml") == 0o600
    assert mode(check_folder(warehouse)) == mode(warehouse / "landing" / "orders") == 0o700
