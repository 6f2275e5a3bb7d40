"""The table of settings in dbt_project.yml: that it is whole, what each kind refuses, and what models make of it."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from conftest import STARTED_AT, Dbt, environment
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt_common.exceptions import DbtBaseException

from orchestration.company_settings import COUNT, KINDS, NUMBERS, CompanySetting, Value, company_settings_from
from orchestration.contract import Contract
from orchestration.engines.duckdb.build import build_database, open_build, register
from orchestration.errors import SettingsError
from orchestration.landing.land import Landing
from orchestration.predictive import btyd
from orchestration.settings import ROOT, WAREHOUSE_DIR, Settings, defaults_of, read_company_settings
from tools.settings_table import DOCUMENT, with_table

SETTINGS = read_company_settings(ROOT)
ENTRY = {"kind": "text", "default": "x", "text_en": "x", "text_zh": "x"}
COMPANY = {"company_name": "O'Hara 小店", "active_days": 120, "lapsed_days": 200}
# the two models that the settings stand in
READ_SETTINGS = ("stg_run_parameters", "run_context")


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_described_in_both_languages_and_its_default_is_one_of_its_values(name: str) -> None:
    setting = SETTINGS[name]
    assert re.fullmatch(r"[A-Z].*[^.]", setting.text_en)
    assert re.search(r"[\u4e00-\u9fff]", setting.text_zh)
    assert "|" not in setting.text_en + setting.text_zh, "it would end a cell of the table in docs"
    if setting.default in SETTINGS:
        assert SETTINGS[setting.default].kind == setting.kind
    else:
        assert setting.accepts(setting.default)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_read_somewhere(name: str) -> None:
    readers = [
        *(ROOT / "models").rglob("*.sql"),
        *(ROOT / "orchestration").rglob("*.py"),
        ROOT / "models" / "groups.yml",
    ]
    assert [path for path in readers if re.search(rf"\b{name}\b", path.read_text(encoding="utf-8"))]


def test_the_table_in_docs_is_the_one_of_the_project() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == with_table(text, SETTINGS), "run: .venv/bin/python -m tools.settings_table"


def test_a_buy_till_you_die_model_may_be_chosen_if_it_can_be_fitted() -> None:
    assert set(SETTINGS["btyd_model"].choices) == set(btyd.MODELS)


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        ({**ENTRY, "kind": "days"}, "the setting added is of the unknown kind days; there are text, time_zone"),
        ({"kind": "text", "default": "x", "text_en": "x"}, "the setting added lacks text_zh"),
        ({**ENTRY, "kind": "count", "default": 1, "minimum": 1}, "the setting added lacks maximum"),
        ({**ENTRY, "kind": "choice"}, "the setting added lacks choices"),
        ({**ENTRY, "minimum": 1}, "the setting added has the key minimum, which its kind does not have"),
        (90, "the setting added lacks kind, lacks default"),
    ],
)
def test_an_entry_that_is_not_whole_is_told(entry: object, wrong: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(wrong)):
        company_settings_from({"vars": {"settings": {"added": entry}}}, Path("dbt_project.yml"))


def test_a_default_beside_the_table_is_told() -> None:
    project = {"vars": {"added": "y", "settings": {"added": ENTRY}}}
    with pytest.raises(SettingsError, match="sets added below vars, beside the settings"):
        company_settings_from(project, Path("dbt_project.yml"))


# what the setting is not: by kind, of a table of one setting of each kind
EXAMPLES = {kind: CompanySetting(kind, "", "x", "x", 0.5 if kind != COUNT else 1, 20, ("a", "b")) for kind in KINDS}
REFUSED = {
    "text": [7, 2.5, True, None, "", " ", ["a"], "x" * 201, "two\nlines", "\x1b[31mred", "\u202eturned", "\ud800"],
    "time_zone": [
        "Asia/Shangai",
        "Asia",
        "",
        8,
        None,
        "localtime",
        "Factory",
        "posix/UTC",
        "../etc/passwd",
        "/etc/passwd",
        "a\0b",
    ],
    "choice": ["c", "A", "", 1, None],
    "boolean": ["true", "yes", "", 1, 0, 1.0, None],
    "count": [0, 21, 1.0, 1.5, "3", True, None, float("nan")],
    **{kind: [0.4, 20.5, -1, "3", True, None, float("nan"), float("inf")] for kind in NUMBERS if kind != COUNT},
}
ACCEPTED = {
    "text": ["x", "90", "x" * 200, "小店　一号"],
    "time_zone": ["Asia/Shanghai", "UTC", "America/Argentina/Buenos_Aires"],
    "choice": ["a", "b"],
    "boolean": [True, False],
    "count": [1, 20],
    **{kind: [0.5, 1, 20, 19.75] for kind in NUMBERS if kind != COUNT},
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_takes_its_values_and_refuses_others(kind: str) -> None:
    assert not [value for value in REFUSED[kind] if EXAMPLES[kind].accepts(value)]
    assert not [value for value in ACCEPTED[kind] if not EXAMPLES[kind].accepts(value)]


def land_nothing(warehouse: Path, contract: Contract, company: dict[str, Value], root: Path = ROOT) -> None:
    """Register a company that brings no row and sets these settings."""
    defaults = defaults_of(read_company_settings(root))
    settings = Settings(root=root, raw_dir=warehouse, warehouse=warehouse, variables=company, defaults=defaults)
    nothing = Landing(files=(), absent_tables=tuple(contract.tables), notices=())
    register(nothing, settings, contract, build_database(warehouse), "run", STARTED_AT)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, dbt: Dbt, contract: Contract) -> Path:
    """A warehouse without rows, built up to run_context."""
    folder = tmp_path_factory.mktemp("settings")
    land_nothing(folder, contract, COMPANY)
    dbt.invoke(folder, "build", "--select", "+run_context", "--exclude-resource-type", "test", "unit_test")
    return folder


def context(warehouse: Path, *names: str) -> tuple:
    with open_build(build_database(warehouse), read_only=True) as connection:
        [row] = connection.execute(f"select {', '.join(names)} from intermediate.run_context").fetchall()
    return row


def build_context(dbt: Dbt, warehouse: Path, variables: str) -> None:
    dbt.invoke(warehouse, "run", "--select", *READ_SETTINGS, "--vars", variables)


def run_read_settings(dbt: Dbt, warehouse: Path, *arguments: str, root: Path = ROOT) -> list[str]:
    """Build the two models with the settings of another dbt_project.yml; what dbt says."""
    told: list[str] = []
    places = ["--project-dir", str(root), "--profiles-dir", str(ROOT), "--target-path", str(dbt.target)]
    # the models are those of the parsed project, whatever the root
    runner = dbtRunner(manifest=dbt.manifest, callbacks=[lambda event: told.append(event.info.msg)])
    try:
        with environment({WAREHOUSE_DIR: str(warehouse)}):
            done = runner.invoke(["run", *places, "--select", *READ_SETTINGS, *arguments])
    finally:
        DuckDBConnectionManager.close_all_connections()
    assert done.success, done.exception
    return told


def refusal(dbt: Dbt, warehouse: Path, variables: str, *select: str) -> str:
    """What dbt says where it refuses --vars."""
    try:
        _, messages = dbt.attempt(warehouse, "run", "--select", *select, "--vars", variables)
    except DbtBaseException as error:
        return str(error)
    return "\n".join(messages)


@pytest.mark.xdist_group("settings")
class TestModels:
    """What dbt makes of the table, in a warehouse of a company without rows."""

    def test_what_the_company_sets_comes_before_the_default(
        self, dbt: Dbt, warehouse: Path, contract: Contract
    ) -> None:
        land_nothing(warehouse, contract, COMPANY)
        build_context(dbt, warehouse, "{}")
        default = SETTINGS["survey_followup_days"].default
        names = ("company_name", "active_days", "lapsed_days", "survey_followup_days")
        assert context(warehouse, *names) == ("O'Hara 小店", 120, 200, default)

    def test_every_setting_is_a_column_of_the_type_of_its_kind(self, warehouse: Path) -> None:
        types = {
            **dict.fromkeys(("text", "time_zone", "choice"), "VARCHAR"),
            "boolean": "BOOLEAN",
            "count": "INTEGER",
            "share": "DECIMAL(9,6)",
            "amount": "DECIMAL(18,4)",
            "unit_amount": "DECIMAL(18,6)",
            "number": "DOUBLE",
        }
        with open_build(build_database(warehouse), read_only=True) as connection:
            columns = connection.execute("describe intermediate.run_context").fetchall()
        found = {name: kind for name, kind, *_ in columns}
        assert {name: found[name] for name in SETTINGS} == {name: types[each.kind] for name, each in SETTINGS.items()}

    def test_what_vars_sets_comes_before_the_company(self, dbt: Dbt, warehouse: Path, contract: Contract) -> None:
        land_nothing(warehouse, contract, COMPANY)
        build_context(dbt, warehouse, "{active_days: 30, default_margin_rate: 0.125, company_name: Shop 'n' 店}")
        names = ("active_days", "lapsed_days", "default_margin_rate", "company_name")
        assert context(warehouse, *names) == (30, 200, Decimal("0.125"), "Shop 'n' 店")

    @pytest.mark.parametrize(("company", "asked", "expected"), [(True, None, True), (True, False, False)])
    def test_a_yes_or_no_of_the_company_and_of_vars_is_one_in_sql(
        self, dbt: Dbt, warehouse: Path, contract: Contract, company: bool, asked: bool | None, expected: bool
    ) -> None:
        land_nothing(warehouse, contract, {"free_orders_are_purchases": company})
        build_context(dbt, warehouse, "{}" if asked is None else f"{{free_orders_are_purchases: {asked}}}")
        assert context(warehouse, "free_orders_are_purchases") == (expected,)

    def test_a_command_says_whose_settings_it_builds_with(self, dbt: Dbt, warehouse: Path, contract: Contract) -> None:
        land_nothing(warehouse, contract, COMPANY)
        told = run_read_settings(dbt, warehouse, "--vars", "{active_days: 30}")
        assert (
            "Settings of O'Hara 小店, recorded 2026-07-01 03:04 UTC: active_days from --vars, "
            "company_name, lapsed_days from its company.yml of then, all others by default" in told
        )

    @pytest.mark.parametrize(
        ("name", "value", "shown"),
        [
            ("active_days", "0", "0"),
            ("active_days", "4.5", "4.5"),
            ("active_days", "'30'", '"30"'),
            ("active_days", "yes", "True"),
            ("active_days", "", "None"),
            ("points_usage_target", "50", "50"),
            ("points_usage_target", ".nan", "nan"),
            ("high_value_annual_amount", "-1", "-1"),
            ("cadence_prior_intervals", "-0.5", "-0.5"),
            ("company_name", "2024", "2024"),
            ("company_name", "' '", '" "'),
            ("company_name", "x" * 201, f'"{"x" * 201}"'),
            ("company_name", '"\\u202eturned"', '"\u202eturned"'),
            ("business_timezone", "Asia/Shangai", '"Asia/Shangai"'),
            ("btyd_model", "pareto_nbd", '"pareto_nbd"'),
            ("free_orders_are_purchases", "'true'", '"true"'),
            ("free_orders_are_purchases", "1", "1"),
        ],
    )
    def test_vars_refuse_what_a_company_yml_may_not_set_in_the_same_words(
        self, dbt: Dbt, warehouse: Path, name: str, value: str, shown: str
    ) -> None:
        assert not SETTINGS[name].accepts(yaml.safe_load(value or "null"))
        said = refusal(dbt, warehouse, f"{{{name}: {value}}}", *READ_SETTINGS)
        assert f"--vars sets {name} to {shown}; expected {SETTINGS[name].expected}." in said

    def test_vars_that_name_no_setting_are_refused(self, dbt: Dbt, warehouse: Path) -> None:
        said = refusal(dbt, warehouse, "{actve_days: 30}", *READ_SETTINGS)
        assert '--vars sets "actve_days", which the project does not have. It may set active_days, ' in said

    @pytest.mark.parametrize("select", ["stg_orders", "stg_orders run_context"])
    def test_vars_that_the_models_built_would_not_see_are_refused(self, dbt: Dbt, warehouse: Path, select: str) -> None:
        said = refusal(dbt, warehouse, "{active_days: 30}", *select.split())
        assert "--vars sets active_days, which models read from run_context" in said
        assert "add stg_run_parameters" in said

    def test_a_setting_is_one_entry(self, dbt: Dbt, warehouse: Path, contract: Contract, tmp_path: Path) -> None:
        """With an entry more in the table, the company may set it and run_context has it: no other file is edited."""
        project = (ROOT / "dbt_project.yml").read_text(encoding="utf-8")
        entry = "{kind: count, minimum: 1, maximum: 9, default: 5, text_en: Added, text_zh: 新增}"
        edited = project.replace("\n  settings:\n", f"\n  settings:\n    added_days: {entry}\n")
        (tmp_path / "dbt_project.yml").write_text(edited, encoding="utf-8")
        seen = []
        for company in ({}, {"added_days": 7}):
            land_nothing(warehouse, contract, company, tmp_path)
            run_read_settings(dbt, warehouse, root=tmp_path)
            seen += context(warehouse, "added_days")
        assert seen == [5, 7]
