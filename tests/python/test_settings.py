"""Settings: what the environment and company.yml may say, and how a mistake in them is told."""

from datetime import date
from pathlib import Path

import pytest

from orchestration import company
from orchestration.errors import SettingsError
from orchestration.landing.csv_files import FileDialect
from orchestration.settings import (
    ROOT,
    defaults_of,
    load_settings,
    read_company_settings,
    served_settings,
    warehouse_folder,
)

PROJECT = """\
name: shop
vars:
  settings:
    company_name: {kind: text, default: Company, text_en: e, text_zh: z}
    reporting_currency: {kind: text, default: CNY, text_en: e, text_zh: z}
    business_timezone: {kind: time_zone, default: UTC, text_en: e, text_zh: z}
    default_margin_rate: {kind: share, minimum: 0, maximum: 1, default: 0.30, text_en: e, text_zh: z}
    high_value_annual_amount: {kind: amount, minimum: 0, maximum: 1000000, default: 5000, text_en: e, text_zh: z}
    points_usage_target: {kind: share, minimum: 0, maximum: 1, default: 0.5, text_en: e, text_zh: z}
    active_days: {kind: count, minimum: 1, maximum: 3650, default: 90, text_en: e, text_zh: z}
    free_orders_are_purchases: {kind: boolean, default: false, text_en: e, text_zh: z}
    btyd_model: {kind: choice, choices: [mbg_nbd, bg_nbd], default: mbg_nbd, text_en: e, text_zh: z}
    publications_kept: {kind: count, minimum: 1, maximum: 1000, default: 5, text_en: e, text_zh: z}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "companies").mkdir(parents=True)
    (root / "dbt_project.yml").write_text(PROJECT, encoding="utf-8")
    return root


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    raw = tmp_path / "raw"
    raw.mkdir()
    return raw


def settings_with(root: Path, raw: Path, company_yml: str):
    (raw / "company.yml").write_text(company_yml, encoding="utf-8")
    return load_settings({"STICKINESS_RAW_DIR": str(raw)}, root)


def refusal(root: Path, raw: Path, company_yml: str) -> str:
    with pytest.raises(SettingsError) as refused:
        settings_with(root, raw, company_yml)
    return str(refused.value)


def test_relative_paths_count_from_where_the_user_called(root: Path, tmp_path: Path) -> None:
    caller = tmp_path / "caller"
    (caller / "my shop").mkdir(parents=True)
    environ = {
        "STICKINESS_INVOKED_FROM": str(caller),
        "STICKINESS_RAW_DIR": "my shop",
        "STICKINESS_WAREHOUSE_DIR": "../out",
    }
    settings = load_settings(environ, root)
    assert settings.raw_dir == caller / "my shop"
    assert settings.warehouse == tmp_path / "out"


def test_without_a_caller_relative_paths_count_from_the_working_directory(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert warehouse_folder({"STICKINESS_WAREHOUSE_DIR": "out"}, root) == tmp_path / "out"


def test_a_tilde_is_the_home_folder(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert warehouse_folder({"STICKINESS_WAREHOUSE_DIR": "~/dw"}, root) == tmp_path / "dw"


def test_the_warehouse_is_in_the_project_unless_it_is_named(root: Path) -> None:
    assert warehouse_folder({}, root) == root / "warehouse"
    assert warehouse_folder({"STICKINESS_WAREHOUSE_DIR": ""}, root) == root / "warehouse"


def test_a_raw_folder_that_does_not_exist_is_an_error_that_names_it(root: Path, tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    with pytest.raises(SettingsError, match=f"The raw folder {missing} does not exist"):
        load_settings({"STICKINESS_RAW_DIR": str(missing)}, root)


def test_an_unknown_company_is_an_error_that_lists_those_that_there_are(root: Path) -> None:
    (root / "companies" / "cdnow").mkdir()
    (root / "companies" / "acme").mkdir()
    with pytest.raises(SettingsError, match=r'no company "acmee". There are: acme, cdnow\.'):
        load_settings({"STICKINESS_COMPANY": "acmee"}, root)


@pytest.mark.parametrize("name", ["../project", "acme/raw", ".", ".."])
def test_a_company_is_a_folder_of_companies_and_nothing_else(root: Path, name: str) -> None:
    (root / "companies" / "acme" / "raw").mkdir(parents=True)
    with pytest.raises(SettingsError, match="There is no company"):
        load_settings({"STICKINESS_COMPANY": name}, root)


def test_a_raw_folder_comes_before_a_company(root: Path, raw: Path) -> None:
    settings = load_settings({"STICKINESS_RAW_DIR": str(raw), "STICKINESS_COMPANY": "unknown"}, root)
    assert settings.raw_dir == raw


@pytest.mark.parametrize("text", ["2026-02-30", "20260228", "2026-2-28", "yesterday", "2026-W09-6"])
def test_an_as_of_that_is_no_day_is_refused(root: Path, raw: Path, text: str) -> None:
    with pytest.raises(SettingsError, match=f'STICKINESS_AS_OF is "{text}"; expected a day that exists, as YYYY-MM-DD'):
        load_settings({"STICKINESS_RAW_DIR": str(raw), "STICKINESS_AS_OF": text}, root)


def test_as_of_and_full_refresh_are_read(root: Path, raw: Path) -> None:
    environ = {"STICKINESS_RAW_DIR": str(raw), "STICKINESS_AS_OF": "2026-02-28", "STICKINESS_FULL_REFRESH": "1"}
    settings = load_settings(environ, root)
    assert (settings.as_of, settings.full_refresh) == (date(2026, 2, 28), True)


def test_what_is_not_asked_for_is_not_set(root: Path, raw: Path) -> None:
    environ = {"STICKINESS_RAW_DIR": str(raw), "STICKINESS_AS_OF": "", "STICKINESS_FULL_REFRESH": "0"}
    settings = load_settings(environ, root)
    assert (settings.as_of, settings.full_refresh, settings.variables) == (None, False, {})


def test_a_full_refresh_that_is_neither_yes_nor_no_is_refused(root: Path, raw: Path) -> None:
    with pytest.raises(SettingsError, match='STICKINESS_FULL_REFRESH is "perhaps"'):
        load_settings({"STICKINESS_RAW_DIR": str(raw), "STICKINESS_FULL_REFRESH": "perhaps"}, root)


def test_models_are_built_on_the_target_that_is_named(root: Path, raw: Path) -> None:
    environ = {"STICKINESS_RAW_DIR": str(raw)}
    assert load_settings(environ, root).target == "duckdb"
    assert load_settings(environ | {"STICKINESS_TARGET": ""}, root).target == "duckdb"
    assert load_settings(environ | {"STICKINESS_TARGET": "spark"}, root).target == "spark"
    with pytest.raises(SettingsError, match='TARGET=<name>.* is "snowflake"; expected duckdb or spark'):
        load_settings(environ | {"STICKINESS_TARGET": "snowflake"}, root)


def test_company_yml_overrides_the_settings_that_it_names(root: Path, raw: Path) -> None:
    settings = settings_with(root, raw, "company_name: 小店\nactive_days: 120\nhigh_value_annual_amount: 800.5\n")
    assert settings.variables == {"company_name": "小店", "active_days": 120, "high_value_annual_amount": 800.5}
    assert settings.variable("active_days") == 120
    assert settings.variable("reporting_currency") == "CNY"


def test_an_empty_company_yml_sets_nothing(root: Path, raw: Path) -> None:
    assert settings_with(root, raw, "# nothing yet\n").variables == {}


def test_an_unknown_setting_is_an_error_that_names_file_setting_and_the_nearest_known_one(
    root: Path, raw: Path
) -> None:
    message = refusal(root, raw, "reporting_curency: EUR\n")
    assert str(raw / "company.yml") in message
    assert '"reporting_curency"' in message
    assert "Did you mean reporting_currency?" in message


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("company_name: 2024", "2024 (whole number); expected text"),
        ("reporting_currency: ''", "expected text"),
        ("business_timezone: Asia/Shangai", "expected the IANA name of a time zone"),
        ("business_timezone: Asia", "expected the IANA name of a time zone"),
        ("default_margin_rate: 30", "expected a share from 0 to 1"),
        ("default_margin_rate: '0.3'", "expected a share from 0 to 1"),
        ("default_margin_rate: .nan", "expected a share from 0 to 1"),
        ("default_margin_rate: true", "True (yes/no value); expected a share from 0 to 1"),
        ("active_days: 0", "expected a whole number from 1 to 3650"),
        ("active_days: 90.5", "expected a whole number from 1 to 3650"),
        ("active_days:", "None (null); expected a whole number from 1 to 3650"),
        ("active_days: 3651", "expected a whole number from 1 to 3650"),
        ("active_days: yes", "True (yes/no value); expected a whole number from 1 to 3650"),
        ("publications_kept: -1", "expected a whole number from 1 to 1000"),
        ("points_usage_target: 50", "50 (whole number); expected a share from 0 to 1"),
        ("btyd_model: pareto_nbd", "expected mbg_nbd or bg_nbd"),
        ("free_orders_are_purchases: 'yes'", '"yes"; expected true or false'),
        ("free_orders_are_purchases: 1", "1 (whole number); expected true or false"),
        ("high_value_annual_amount: -5", "expected a number from 0 to 1000000"),
        ("high_value_annual_amount: 5,000", "expected a number from 0 to 1000000"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_with_what_is_expected(
    root: Path, raw: Path, line: str, expected: str
) -> None:
    message = refusal(root, raw, line + "\n")
    assert str(raw / "company.yml") in message
    assert line.split(":")[0] in message
    assert expected in message


def test_a_company_yml_that_is_no_yaml_is_told_with_its_line(root: Path, raw: Path) -> None:
    message = refusal(root, raw, "company_name: Shop\nactive_days: [1, 2\n")
    assert f"{raw / 'company.yml'}, line 3 is no YAML" in message


def test_a_company_yml_that_is_no_mapping_is_refused(root: Path, raw: Path) -> None:
    assert "holds a list; expected one line per setting" in refusal(root, raw, "- company_name\n")


def test_a_company_yml_in_another_encoding_is_refused(root: Path, raw: Path) -> None:
    (raw / "company.yml").write_bytes("company_name: 小店".encode("gb18030"))
    with pytest.raises(SettingsError, match="is not text in UTF-8"):
        load_settings({"STICKINESS_RAW_DIR": str(raw)}, root)


def test_company_yml_states_how_files_are_written(root: Path, raw: Path) -> None:
    settings = settings_with(
        root, raw, "files:\n  - {path: orders/*.csv, encoding: gb18030}\n  - {path: '*.csv', delimiter: ';'}\n"
    )
    assert settings.dialects == (
        FileDialect(path_glob="orders/*.csv", encoding="gb18030"),
        FileDialect(path_glob="*.csv", delimiter=";"),
    )


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("files: orders.csv", "sets files to a text; expected a list"),
        ("files: [orders.csv]", "entry 1 of files is a text"),
        ("files: [{encoding: utf-8}]", "entry 1 of files has no path"),
        ("files: [{path: a.csv}]", "neither encoding nor delimiter for a.csv"),
        ("files: [{path: a.csv, encoding: utf8x}]", 'encoding to "utf8x"'),
        ("files: [{path: a.csv, delimiter: '||'}]", 'delimiter to "||"; expected one character'),
        ("files: [{path: a.csv, encodin: utf-8}]", 'unknown key "encodin"'),
    ],
)
def test_a_wrong_entry_of_files_is_refused_with_what_is_expected(
    root: Path, raw: Path, entry: str, expected: str
) -> None:
    assert expected in refusal(root, raw, entry + "\n")


def test_every_setting_of_the_project_accepts_its_own_default(raw: Path) -> None:
    known = read_company_settings(ROOT)
    # the name of another setting is a default, but nothing to set
    defaults = {name: default for name, default in defaults_of(known).items() if default not in known}
    lines = "\n".join(f"{name}: {value!r}" for name, value in defaults.items())
    assert settings_with(ROOT, raw, lines).variables == defaults


def test_a_default_that_names_another_setting_is_what_holds_for_that_one(raw: Path) -> None:
    assert settings_with(ROOT, raw, "company_name: 小店\n").variable("company_id") == "小店"
    assert settings_with(ROOT, raw, "company_name: 小店\ncompany_id: shop-1\n").variable("company_id") == "shop-1"
    assert settings_with(ROOT, raw, "active_days: 91\n").variable("company_id") == "Company"


def test_findings_that_are_allowed_are_named_in_the_environment(raw: Path) -> None:
    environ = {"STICKINESS_RAW_DIR": str(raw)}
    assert load_settings(environ).allow == frozenset()
    allowed = load_settings({**environ, "STICKINESS_ALLOW": "fewer_rows, table_gone"}).allow
    assert allowed == {"fewer_rows", "table_gone"}
    with pytest.raises(SettingsError, match='STICKINESS_ALLOW names "rows"; expected some of orders_absent'):
        load_settings({**environ, "STICKINESS_ALLOW": "fewer_rows,rows"})


# Companies


PREPARE = """\
def prepare(raw_dir):
    (raw_dir / "orders.csv").write_text("order_id\\n{order}\\n")
"""


@pytest.fixture
def acme(root: Path) -> Path:
    folder = root / "companies" / "acme"
    folder.mkdir()
    (folder / "prepare.py").write_text(PREPARE.format(order="A1"), encoding="utf-8")
    (folder / "company.yml").write_text("company_name: Acme\n", encoding="utf-8")
    return folder


def acme_settings(root: Path):
    return load_settings({"STICKINESS_COMPANY": "acme"}, root)


def test_a_company_that_is_made_is_made_once_with_its_company_yml(root: Path, acme: Path) -> None:
    settings = acme_settings(root)
    assert settings.raw_dir == acme / "raw"
    assert settings.variables == {"company_name": "Acme"}
    assert (acme / "raw" / "orders.csv").read_text() == "order_id\nA1\n"
    (acme / "raw" / "orders.csv").write_text("kept")
    acme_settings(root)
    assert (acme / "raw" / "orders.csv").read_text() == "kept"


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("prepare.py", PREPARE.format(order="A2")),
        ("company.yml", "company_name: Acme Ltd\n"),
        ("data/orders.txt", "1"),
    ],
)
def test_a_company_is_made_again_when_what_it_is_made_from_changes(
    root: Path, acme: Path, file: str, content: str
) -> None:
    acme_settings(root)
    (acme / "raw" / "stale.csv").write_text("from before")
    (acme / file).parent.mkdir(exist_ok=True)
    (acme / file).write_text(content)
    acme_settings(root)
    assert not (acme / "raw" / "stale.csv").exists()
    assert (acme / "raw" / "company.yml").read_text() == (acme / "company.yml").read_text()


def test_a_company_is_not_made_again_for_the_truth_that_it_writes_beside(root: Path, acme: Path) -> None:
    acme_settings(root)
    (acme / "raw" / "orders.csv").write_text("kept")
    (acme / "truth").mkdir()
    (acme / "truth" / "truth.json").write_text("{}")
    acme_settings(root)
    assert (acme / "raw" / "orders.csv").read_text() == "kept"


def test_a_company_is_made_again_when_a_package_that_it_imports_changes(
    root: Path, acme: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (acme / "prepare.py").write_text("import duckdb\nimport json\n" + PREPARE.format(order="A1"), encoding="utf-8")
    asked = []
    monkeypatch.setattr(company, "version", lambda name: asked.append(name) or f"{len(asked)}.0")
    acme_settings(root)
    (acme / "raw" / "stale.csv").write_text("from before")
    acme_settings(root)
    assert set(asked) == {"duckdb"}
    assert not (acme / "raw" / "stale.csv").exists()


def test_a_preparation_that_fails_leaves_the_old_raw_folder_and_no_half_of_a_new_one(root: Path, acme: Path) -> None:
    acme_settings(root)
    (acme / "prepare.py").write_text("def prepare(raw_dir):\n    raise RuntimeError('the source is gone')\n")
    with pytest.raises(SettingsError, match="could not make the raw folder of acme: RuntimeError: the source is gone"):
        acme_settings(root)
    assert (acme / "raw" / "orders.csv").exists()
    assert sorted(path.name for path in acme.iterdir() if path.name.startswith("raw")) == ["raw"]


def test_a_company_whose_package_is_not_installed_says_how_to_install_it(root: Path, acme: Path) -> None:
    (acme / "prepare.py").write_text("def prepare(raw_dir):\n    import no_such_package\n")
    with pytest.raises(SettingsError, match="needs the package no_such_package, .* make run COMPANY=acme"):
        acme_settings(root)


def test_a_prepare_without_its_function_is_told(root: Path, acme: Path) -> None:
    (acme / "prepare.py").write_text("x = 1\n")
    with pytest.raises(SettingsError, match=r"has no function prepare\(raw_dir\)"):
        acme_settings(root)


def test_a_company_that_is_only_files_is_used_as_it_is(root: Path) -> None:
    folder = root / "companies" / "acme"
    folder.mkdir()
    (folder / "orders.csv").write_text("order_id\n")
    assert acme_settings(root).raw_dir == folder


def test_a_schedule_keeps_the_hours_of_the_company_that_it_refreshes(root: Path, raw: Path) -> None:
    environ = {"STICKINESS_RAW_DIR": str(raw)}
    assert served_settings(environ, root).variable("business_timezone") == "UTC"
    (raw / "company.yml").write_text("business_timezone: Asia/Shanghai\n", encoding="utf-8")
    assert served_settings(environ, root).variable("business_timezone") == "Asia/Shanghai"
    (root / "companies" / "shop").mkdir()
    (root / "companies" / "shop" / "company.yml").write_text("business_timezone: Europe/Paris\n", encoding="utf-8")
    assert served_settings({"STICKINESS_COMPANY": "shop"}, root).variable("business_timezone") == "Europe/Paris"


def test_a_schedule_falls_back_where_company_yml_is_wrong(root: Path, raw: Path) -> None:
    (raw / "company.yml").write_text("business_timezone: Mars/Olympus\n", encoding="utf-8")
    assert served_settings({"STICKINESS_RAW_DIR": str(raw)}, root).variable("business_timezone") == "UTC"
