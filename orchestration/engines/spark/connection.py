"""Talking to Spark over its Thrift server, and what the project's schemas are called there."""

from __future__ import annotations

import contextlib
import queue
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from orchestration.engines.spark import sql
from orchestration.errors import SettingsError, SparkError

HOST = "STICKINESS_SPARK_HOST"
PORT = "STICKINESS_SPARK_PORT"
USER = "STICKINESS_SPARK_USER"
AUTH = "STICKINESS_SPARK_AUTH"
PASSWORD = "DBT_ENV_SECRET_SPARK_PASSWORD"
SCHEMA = "STICKINESS_SPARK_SCHEMA"
CATALOG = "STICKINESS_SPARK_CATALOG"
LANDING_URI = "STICKINESS_SPARK_LANDING_URI"

SESSION_CATALOG = "spark_catalog"

# statements that run at the same time, where their order does not matter
SESSIONS = 4

_WITH_PASSWORD = ("LDAP", "CUSTOM")
_WITHOUT_PASSWORD = ("NONE", "NOSASL")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_JAVA_CLASS = re.compile(r"^(Error running query: )?(\[[\w.]+\] )?([\w$]+\.)+[\w$]+: \s*")
# what follows the message: the Java stack, the query, or the plan of it
_BESIDE_THE_POINT = re.compile(r"\n\s*at |\n+== SQL|;\n|\nDriver stacktrace")

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class SparkSettings:
    """Where the Thrift server is, who one is there, and how the project's schemas begin.

    Attributes:
        host: name or address of the server.
        port: port of the server.
        user: whom the server takes the session for.
        auth: how the server asks for that: NONE, NOSASL, LDAP or CUSTOM.
        password: only for LDAP and CUSTOM.
        prefix: what the names of all schemas begin with.
        catalog: the Iceberg catalog that the schemas are in.
        landing_uri: folder of the landed files as Spark's workers see it; None: the same path as here.
    """

    host: str = "127.0.0.1"
    port: int = 10000
    user: str = "stickiness"
    auth: str = "NONE"
    password: str | None = field(default=None, repr=False)
    prefix: str = "stickiness"
    catalog: str = SESSION_CATALOG
    landing_uri: str | None = None

    @staticmethod
    def from_environ(environ: Mapping[str, str]) -> SparkSettings:
        """Read the settings from the environment; what is not set, or empty, has its default.

        Raises:
            SettingsError: a variable is wrong; the message says which, and what is expected.
        """
        defaults = SparkSettings()
        auth = (environ.get(AUTH) or defaults.auth).upper()
        return SparkSettings(
            host=environ.get(HOST) or defaults.host,
            port=_port(environ.get(PORT) or str(defaults.port)),
            user=environ.get(USER) or defaults.user,
            auth=auth,
            password=_password(auth, environ.get(PASSWORD) or None),
            prefix=_name(environ.get(SCHEMA) or defaults.prefix, SCHEMA),
            catalog=_name(environ.get(CATALOG) or defaults.catalog, CATALOG),
            landing_uri=_uri(environ.get(LANDING_URI) or None),
        )

    @property
    def in_session_catalog(self) -> bool:
        """Whether the catalog is Spark's own, in which Iceberg is a guest; else it is one of Iceberg's."""
        return self.catalog == SESSION_CATALOG

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def build_schema(self, layer: str) -> str:
        """Where dbt builds the models of a layer, such as `marts`."""
        return f"{self.prefix}_build_{layer}"

    def view_name(self, schema: str, view: str) -> str:
        """How a view is named where it is made, replaced or dropped.

        In Spark's own catalog, in a way that Iceberg's extension does not see: it would take charge of the view by
        halves, and readers of what is replaced would go on reading what was there before.
        """
        name = sql.identifier(schema, view)
        return f"identifier({sql.text(name)})" if self.in_session_catalog else name

    def published_schema(self, layer: str) -> str:
        """Where readers find a published layer, `marts` or `quality`."""
        return f"{self.prefix}_{layer}"

    def version_schema(self, publication_id: str) -> str:
        """Where the tables of one publication are; it starts with `version_prefix`."""
        return self.version_prefix + re.sub(r"[^a-z0-9]", "_", publication_id.lower())

    @property
    def version_prefix(self) -> str:
        return f"{self.prefix}_version_"

    @property
    def publications_schema(self) -> str:
        """Where it is written down which publication is the current one."""
        return f"{self.prefix}_publications"


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise SettingsError(f'{PORT} is "{text}"; expected the number of a port, for example 10000.')
    return int(text)


def _password(auth: str, password: str | None) -> str | None:
    if auth not in _WITH_PASSWORD + _WITHOUT_PASSWORD:
        known = ", ".join(_WITHOUT_PASSWORD + _WITH_PASSWORD)
        raise SettingsError(f'{AUTH} is "{auth}"; expected one of {known}, as the server is set up.')
    if auth in _WITH_PASSWORD and password is None:
        raise SettingsError(f"{AUTH} is {auth}, which needs a password; set {PASSWORD} in the environment.")
    if auth in _WITHOUT_PASSWORD and password is not None:
        raise SettingsError(
            f"{PASSWORD} is set, but {AUTH} is {auth}, which sends none. Set {AUTH} to LDAP or CUSTOM, or set no "
            f"password."
        )
    return password


def _name(text: str, variable: str) -> str:
    if not _NAME.fullmatch(text):
        raise SettingsError(
            f'{variable} is "{text}"; expected a name of small letters, digits and _ that begins with a letter, for '
            f"example stickiness."
        )
    return text


def _uri(text: str | None) -> str | None:
    if text is not None and not re.match(r"[a-z][a-z0-9+.-]*:/", text):
        raise SettingsError(
            f'{LANDING_URI} is "{text}"; expected the URI of a folder, for example s3a://bucket/landing or '
            f"file:///mnt/shared/landing."
        )
    return text


class SparkAwayError(SparkError):
    """No session could be opened on the server."""

    may_pass = True


class Session:
    """A session of the Thrift server, in UTC. Made by `session`."""

    def __init__(self, settings: SparkSettings, connection: Any, stack: contextlib.ExitStack) -> None:
        self.settings = settings
        self._connection = connection
        self._stack = stack
        self._others: queue.SimpleQueue[Session] = queue.SimpleQueue()

    def execute(self, sql: str) -> None:
        """Run a statement that yields no rows; `SparkError` if Spark refuses it or goes away."""
        with _raised_as_spark_error(self.settings), contextlib.closing(self._connection.cursor()) as cursor:
            cursor.execute(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query; `SparkError` if Spark refuses it or goes away."""
        return self.table(sql)[1]

    def table(self, sql: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """The names of the columns of a query, and its rows: days are dates, moments are datetimes without a zone."""
        with _raised_as_spark_error(self.settings), contextlib.closing(self._connection.cursor()) as cursor:
            cursor.execute(sql)
            described = cursor.description
            # PyHive reads moments and decimals, but leaves days as text
            days = {position for position, column in enumerate(described) if column[1] == "DATE_TYPE"}
            return tuple(column[0] for column in described), [_with_days(row, days) for row in cursor.fetchall()]

    def for_each(self, items: Iterable[Item], do: Callable[[Session, Item], Result]) -> list[Result]:
        """Do something for every item, several at a time, each in a session of its own; the results are in order.

        The first error is raised once what has begun has ended; what has not begun by then is not done.
        """
        with ThreadPoolExecutor(SESSIONS) as pool:
            futures = [pool.submit(self._lend_session, do, item) for item in items]
            try:
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _lend_session(self, do: Callable[[Session, Item], Result], item: Item) -> Result:
        try:
            other = self._others.get_nowait()
        except queue.Empty:
            other = self._stack.enter_context(session(self.settings))
        try:
            return do(other, item)
        finally:
            self._others.put(other)


@contextlib.contextmanager
def session(settings: SparkSettings) -> Iterator[Session]:
    """Open a session, and close it and those it has opened for itself.

    Raises:
        SparkError: the packages for it are not installed, or no server answers.
    """
    with contextlib.ExitStack() as stack:
        connection = _connect(settings)
        stack.callback(_close, connection)
        yield Session(settings, connection, stack)


def _connect(settings: SparkSettings) -> Any:
    hive = _hive()
    # only what is named like this reaches the session
    configuration = {
        f"set:hiveconf:spark.sql.{name}": value
        for name, value in {
            "defaultCatalog": settings.catalog,
            "session.timeZone": "UTC",
            "ansi.enabled": "false",
            # else a ${...} in a name or a value would be replaced
            "variable.substitute": "false",
        }.items()
    }
    try:
        return hive.connect(
            host=settings.host,
            port=settings.port,
            username=settings.user,
            password=settings.password,
            auth=settings.auth,
            configuration=configuration,
        )
    except _spark_errors() as error:
        raise SparkAwayError(
            f"No session could be opened on the Spark Thrift server {settings.address} as "
            f"{settings.user} ({AUTH} {settings.auth}): {_message(error)}. Start a cluster of your own with "
            f"make spark-up, or say where yours is with {HOST}, {PORT}, {USER} and {AUTH}."
        ) from error


def _close(connection: Any) -> None:
    # a server that is gone has closed it
    with contextlib.suppress(*_spark_errors()):
        connection.close()


def _hive() -> Any:
    try:
        from pyhive import hive
    except ImportError as error:
        raise SparkError(
            "The Python packages that talk to Spark are not installed. Run make with TARGET=spark, which installs them."
        ) from error
    return hive


def _spark_errors() -> tuple[type[Exception], ...]:
    from pyhive.exc import Error
    from thrift.Thrift import TException

    return Error, TException, OSError, EOFError


@contextlib.contextmanager
def _raised_as_spark_error(settings: SparkSettings) -> Iterator[None]:
    try:
        yield
    except _spark_errors() as error:
        raise SparkError(f"Spark at {settings.address} says: {_message(error)}") from error


def _message(error: Exception) -> str:
    """What a person can use of an error that comes with the Java stack and the plan of the query."""
    status = getattr(error.args[0], "status", None) if error.args else None
    full = getattr(status, "errorMessage", None) or str(error) or type(error).__name__
    return _BESIDE_THE_POINT.split(_JAVA_CLASS.sub("", full), maxsplit=1)[0].strip().removesuffix(".")


def _with_days(row: tuple[Any, ...], days: set[int]) -> tuple[Any, ...]:
    if not days:
        return tuple(row)
    return tuple(
        date.fromisoformat(value) if position in days and value is not None else value
        for position, value in enumerate(row)
    )
