"""How one gets to Spark, and what is said when one does not."""

import socket
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

import pytest
from spark_world import SparkServer

from orchestration.engines.spark.connection import Session, SparkSettings, session
from orchestration.errors import SettingsError, SparkError


def test_what_is_not_set_or_empty_has_its_default() -> None:
    assert SparkSettings.from_environ({}) == SparkSettings("127.0.0.1", 10000, "stickiness", "NONE")
    assert SparkSettings.from_environ({"STICKINESS_SPARK_PORT": "", "STICKINESS_SPARK_HOST": ""}) == SparkSettings()


def test_every_setting_is_read_and_the_password_is_not_shown() -> None:
    environ = {
        "STICKINESS_SPARK_HOST": "spark.example",
        "STICKINESS_SPARK_PORT": "10001",
        "STICKINESS_SPARK_USER": "ada",
        "STICKINESS_SPARK_AUTH": "ldap",
        "DBT_ENV_SECRET_SPARK_PASSWORD": "s3cret",
        "STICKINESS_SPARK_SCHEMA": "shop_1",
        "STICKINESS_SPARK_CATALOG": "lake",
        "STICKINESS_SPARK_LANDING_URI": "s3a://bucket/landing",
    }
    settings = SparkSettings.from_environ(environ)
    assert settings == SparkSettings(
        "spark.example", 10001, "ada", "LDAP", "s3cret", "shop_1", "lake", "s3a://bucket/landing"
    )
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"STICKINESS_SPARK_PORT": "ten"}, 'STICKINESS_SPARK_PORT is "ten"; expected the number of a port'),
        ({"STICKINESS_SPARK_PORT": "70000"}, "expected the number of a port"),
        ({"STICKINESS_SPARK_AUTH": "PLAIN"}, 'STICKINESS_SPARK_AUTH is "PLAIN"; expected one of NONE, NOSASL, LDAP'),
        ({"STICKINESS_SPARK_AUTH": "LDAP"}, "needs a password; set DBT_ENV_SECRET_SPARK_PASSWORD"),
        ({"DBT_ENV_SECRET_SPARK_PASSWORD": "s3cret"}, "is set, but STICKINESS_SPARK_AUTH is NONE"),
        ({"STICKINESS_SPARK_SCHEMA": "my-shop"}, 'STICKINESS_SPARK_SCHEMA is "my-shop"; expected a name'),
        ({"STICKINESS_SPARK_CATALOG": "a.b"}, 'STICKINESS_SPARK_CATALOG is "a.b"; expected a name'),
        ({"STICKINESS_SPARK_LANDING_URI": "/mnt/landing"}, "expected the URI of a folder"),
    ],
)
def test_a_wrong_setting_is_told(environ: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as told:
        SparkSettings.from_environ(environ)
    assert "s3cret" not in str(told.value)


def test_schemas_begin_with_the_prefix() -> None:
    settings = SparkSettings(prefix="shop")
    assert settings.build_schema("marts") == "shop_build_marts"
    assert settings.published_schema("marts") == "shop_marts"
    assert settings.version_schema("20261122T104500Z-1f3c") == "shop_version_20261122t104500z_1f3c"


def test_a_server_that_does_not_answer_is_told_with_what_to_do() -> None:
    pytest.importorskip("pyhive")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        # bound, but nobody listens
        with (
            pytest.raises(SparkError, match=rf"127\.0\.0\.1:{port} as ada .*make spark-up.*STICKINESS_SPARK_HOST"),
            session(SparkSettings(port=port, user="ada")),
        ):
            pass


@pytest.fixture(scope="module")
def opened(spark_server: SparkServer) -> Iterator[Session]:
    with session(spark_server.engine.settings) as opened:
        yield opened


@pytest.mark.xdist_group("spark")
@pytest.mark.spark
def test_values_come_back_as_python_has_them(opened: Session) -> None:
    columns, rows = opened.table(
        "select '北京 ${env:HOME}' as t, date '2026-11-21' as d, timestamp '2026-11-21 08:00:00.5' as m, "
        "1.50 as n, cast(null as date) as e, current_timezone() as zone"
    )
    assert columns == ("t", "d", "m", "n", "e", "zone")
    moment = datetime(2026, 11, 21, 8, 0, 0, 500000)
    assert rows == [("北京 ${env:HOME}", date(2026, 11, 21), moment, Decimal("1.50"), None, "UTC")]


@pytest.mark.xdist_group("spark")
@pytest.mark.spark
@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select * from nowhere.table", r"\[TABLE_OR_VIEW_NOT_FOUND\] The table or view `nowhere`\.`table` cannot"),
        ("selec 1", r"\[PARSE_SYNTAX_ERROR\] Syntax error at or near 'selec'"),
        ("select cast(raise_error('out of order') as int)", "out of order$"),
    ],
)
def test_an_error_of_spark_is_its_message_alone(opened: Session, query: str, message: str) -> None:
    with pytest.raises(SparkError, match=message) as told:
        opened.rows(query)
    for beside in ("\tat ", "AnalysisException", "ParseException", "UnresolvedRelation", "== SQL"):
        assert beside not in str(told.value)


@pytest.mark.xdist_group("spark")
@pytest.mark.spark
def test_work_for_several_sessions_is_done_in_all_and_its_results_are_in_order(opened: Session) -> None:
    results = opened.for_each(range(9), lambda other, number: other.rows(f"select {number}")[0][0])
    assert results == list(range(9))
    with pytest.raises(SparkError, match="nowhere"):
        opened.for_each(range(9), lambda other, number: other.rows("select 1" if number else "select * from nowhere"))
    assert opened.rows("select 1") == [(1,)]
