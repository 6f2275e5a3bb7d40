"""The door of Dagster's pages: what another page could make a browser send is refused, and does nothing."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from dagster import AssetKey, DagsterInstance
from dagster._core.test_utils import create_run_for_test
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster_webserver.app import create_app_from_workspace_process_context

from orchestration.errors import SettingsError
from orchestration.serving.guard import App, Guard
from orchestration.serving.pages import guarded, listen

HOST = ("Host", "127.0.0.1:3000")
JSON = ("Content-Type", "application/json")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: str


def ask(
    app: App, method: str, path: str, *headers: tuple[str, str], query: str = "", body: str = "", kind: str = "http"
) -> Answer:
    """One request as a web server hands it on; of a WebSocket, whether it is accepted (101) or refused (403)."""
    sent: list[dict[str, Any]] = []
    given = iter([{"type": "http.request", "body": body.encode()} if kind == "http" else {"type": "websocket.connect"}])

    async def receive() -> dict[str, Any]:
        return next(given, {"type": "http.disconnect" if kind == "http" else "websocket.disconnect", "code": 1000})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": kind,
        "method": method,
        "path": path,
        "root_path": "",
        "scheme": "http",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 3000),
    }
    asyncio.run(app(scope, receive, send))
    if kind == "websocket":
        return Answer(101 if sent[0]["type"] == "websocket.accept" else 403, {}, "")
    [start] = [message for message in sent if message["type"] == "http.response.start"]
    text = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
    told = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], told, text.decode("utf-8", "replace"))


async def open_door(scope: Any, receive: Any, send: Any) -> None:
    """An application that lets everybody in."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"in"})


GUARD = Guard(open_door)
SAME = ("Origin", "http://127.0.0.1:3000")


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/", [HOST]),
        ("GET", "/", [("Host", "localhost")]),
        ("GET", "/runs/1", [("Host", "LOCALHOST:8080")]),
        ("HEAD", "/favicon.png", [HOST]),
        ("GET", "/graphqlish", [HOST]),
        ("POST", "/graphql", [HOST, JSON]),
        ("POST", "/graphql", [HOST, JSON, SAME]),
        ("POST", "/graphql", [("Host", "localhost:3000"), JSON, ("Origin", "http://localhost:3000")]),
        ("POST", "/report_asset_materialization/a", [HOST, JSON]),
    ],
)
def test_what_its_own_pages_ask_passes(method: str, path: str, headers: list[tuple[str, str]]) -> None:
    assert ask(GUARD, method, path, *headers).status == 200


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        # a name that an attacker lets point here
        ("GET", "/", [("Host", "evil.example")]),
        ("GET", "/", [("Host", "evil.example:3000")]),
        ("GET", "/", [("Host", "127.0.0.1.evil.example")]),
        ("GET", "/", [("Host", "127.0.0.1:3000@evil.example")]),
        ("GET", "/", [("Host", "localhost:")]),
        ("GET", "/", [("Host", "")]),
        ("GET", "/", []),
        ("GET", "/", [HOST, ("Host", "evil.example")]),
        # another page
        ("POST", "/graphql", [HOST, JSON, ("Origin", "http://evil.example")]),
        ("POST", "/graphql", [HOST, JSON, ("Origin", "http://127.0.0.1:8000")]),
        ("POST", "/graphql", [HOST, JSON, ("Origin", "http://localhost:3000")]),
        ("POST", "/graphql", [HOST, JSON, ("Origin", "http://127.0.0.1:3000@evil.example")]),
        ("POST", "/graphql", [HOST, JSON, ("Origin", "null")]),
        ("POST", "/graphql", [HOST, JSON, ("Origin", "file://127.0.0.1:3000")]),
        ("POST", "/graphql", [HOST, JSON, ("Origin", "http://[")]),
        ("POST", "/graphql", [HOST, JSON, SAME, ("Origin", "http://evil.example")]),
        ("GET", "/", [HOST, ("Origin", "http://evil.example")]),
        # what a browser sends without asking
        ("POST", "/graphql", [HOST]),
        ("POST", "/graphql", [HOST, ("Content-Type", "text/plain")]),
        ("POST", "/graphql", [HOST, ("Content-Type", "application/x-www-form-urlencoded")]),
        ("POST", "/graphql", [HOST, ("Content-Type", "multipart/form-data; boundary=application/json")]),
        ("POST", "/graphql", [HOST, ("Content-Type", "text/plain; application/json")]),
        ("POST", "/graphql", [HOST, ("Content-Type", "application/graphql")]),
        ("POST", "/graphql", [HOST, JSON, ("Content-Type", "text/plain")]),
        ("GET", "/graphql", [HOST]),
        ("GET", "/graphql/", [HOST]),
        ("GET", "/graphql", [HOST, ("Accept", "text/html")]),
        ("HEAD", "/graphql", [HOST]),
        ("PUT", "/graphql", [HOST, JSON]),
        ("OPTIONS", "/graphql", [HOST, ("Origin", "http://evil.example")]),
        ("OPTIONS", "/graphql", [HOST]),
        ("POST", "/", [HOST, JSON]),
        ("POST", "/report_asset_materialization/a", [HOST]),
        ("POST", "/report_asset_materialization/a", [HOST, ("Content-Type", "text/plain")]),
        ("POST", "/report_asset_check/a", [HOST, JSON, ("Origin", "http://evil.example")]),
    ],
)
def test_what_another_page_could_send_is_refused(method: str, path: str, headers: list[tuple[str, str]]) -> None:
    answer = ask(GUARD, method, path, *headers)
    assert answer.status == 403
    assert answer.body.startswith("Refused: ")


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/graphql", [HOST], 101),
        ("/graphql", [HOST, SAME], 101),
        ("/graphql", [HOST, ("Origin", "http://evil.example")], 403),
        ("/graphql", [HOST, ("Origin", "http://127.0.0.1:8000")], 403),
        ("/graphql", [("Host", "evil.example"), ("Origin", "http://evil.example")], 403),
        ("/other", [HOST], 403),
    ],
)
def test_a_websocket_is_opened_by_its_own_pages_alone(path: str, headers: list[tuple[str, str]], status: int) -> None:
    assert ask(GUARD, "GET", path, *headers, kind="websocket").status == status


def test_a_name_of_the_environment_is_a_name_of_the_pages() -> None:
    app = guarded(open_door, {"STICKINESS_WEB_HOST": "dagster.shop.example, Other"})
    assert ask(app, "GET", "/", ("Host", "dagster.shop.example")).status == 200
    assert ask(app, "GET", "/", ("Host", "other:8443"), ("Origin", "https://other:8443")).status == 200
    assert ask(app, "GET", "/", ("Host", "shop.example")).status == 403


def test_where_a_token_is_set_nobody_comes_in_without_it() -> None:
    app = guarded(open_door, {"STICKINESS_WEB_TOKEN": "s3cret/ü"})
    for headers in ([HOST], [HOST, ("Authorization", "Bearer s3cret")], [HOST, ("Cookie", "stickiness_token=s3cret/")]):
        assert ask(app, "GET", "/", *headers).status == 403
        assert ask(app, "GET", "/graphql", *headers, kind="websocket").status == 403
    assert ask(app, "GET", "/", HOST, query="token=other").status == 403
    # a page that brings it is sent on without it, and it is kept
    kept = ask(app, "GET", "/", HOST, query="token=s3cret/%C3%BC")
    assert (kept.status, kept.headers["location"]) == (303, "/")
    assert kept.headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Strict")
    cookie = ("Cookie", f"other=1; {kept.headers['set-cookie'].split(';')[0]}")
    assert ask(app, "POST", "/graphql", HOST, JSON, cookie).status == 200
    assert ask(app, "GET", "/graphql", HOST, cookie, kind="websocket").status == 101
    assert ask(app, "POST", "/graphql", HOST, JSON, cookie, ("Origin", "http://evil.example")).status == 403
    # and no page takes it from another place
    assert ask(app, "GET", "/", ("Host", "evil.example"), query="token=s3cret/%C3%BC").status == 403


def test_a_script_brings_the_token_in_its_header() -> None:
    app = guarded(open_door, {"STICKINESS_WEB_TOKEN": "abc"})
    assert ask(app, "POST", "/graphql", HOST, JSON, ("Authorization", "Bearer abc")).status == 200


@pytest.mark.parametrize("port", ["x", "0", "65536", "-1", "3000 "])
def test_a_port_that_is_none_is_told(port: str) -> None:
    with pytest.raises(SettingsError, match="STICKINESS_WEB_PORT is .* which is no port"):
        listen({"STICKINESS_WEB_PORT": port})


def test_the_pages_are_on_this_machines_own_address_and_find_a_free_port_unless_one_is_asked_for() -> None:
    with listen({}) as first:
        # another process has it
        first.listen()
        address, port = first.getsockname()
        assert address == "127.0.0.1"
        with listen({}) as second:
            assert second.getsockname()[1] not in (port, 0)
        with pytest.raises(SettingsError, match=f"The port {port} of STICKINESS_WEB_PORT is taken"):
            listen({"STICKINESS_WEB_PORT": str(port)})


# Dagster's own application


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterInstance]:
    with DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster"))) as instance:
        yield instance


@pytest.fixture(scope="module")
def pages(instance: DagsterInstance) -> Iterator[App]:
    with WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as context:
        yield create_app_from_workspace_process_context(context)


def deletion(instance: DagsterInstance) -> tuple[str, str]:
    """A run, and the mutation that deletes it: what an attacker would have a browser send."""
    run_id = create_run_for_test(instance).run_id
    return run_id, f'mutation {{ deletePipelineRun(runId: "{run_id}") {{ __typename }} }}'


ATTACKS = {
    "a query in the address": ("GET", [HOST], "query", ""),
    "text/plain with the query in the address": ("POST", [HOST, ("Content-Type", "text/plain")], "query", ""),
    "a form": ("POST", [HOST, ("Content-Type", "application/x-www-form-urlencoded")], "query", ""),
    "application/graphql": ("POST", [HOST, ("Content-Type", "application/graphql")], "", "graphql"),
    "JSON that calls itself text": ("POST", [HOST, ("Content-Type", "text/plain; application/json")], "", "json"),
    "a foreign Host": ("POST", [("Host", "evil.example"), JSON], "", "json"),
    "a foreign Origin": ("POST", [HOST, JSON, ("Origin", "http://evil.example")], "", "json"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_that_dagster_carries_out_does_nothing_behind_the_guard(
    instance: DagsterInstance, pages: App, name: str
) -> None:
    method, headers, in_address, in_body = ATTACKS[name]

    def attack(app: App) -> tuple[int, bool]:
        run_id, mutation = deletion(instance)
        query = f"query={mutation}" if in_address else ""
        body = {"graphql": mutation, "json": json.dumps({"query": mutation}), "": ""}[in_body]
        status = ask(app, method, "/graphql", *headers, query=query, body=body).status
        return status, instance.has_run(run_id)

    assert attack(pages) == (200, False), "Dagster alone: the run is deleted"
    assert attack(Guard(pages)) == (403, True)


def test_what_the_pages_themselves_ask_does_what_it_says(instance: DagsterInstance, pages: App) -> None:
    run_id, mutation = deletion(instance)
    answer = ask(Guard(pages), "POST", "/graphql", HOST, JSON, SAME, body=json.dumps({"query": mutation}))
    assert (answer.status, instance.has_run(run_id)) == (200, False)
    assert ask(Guard(pages), "GET", "/", HOST).body.startswith("<!DOCTYPE html>")


def test_no_other_page_reports_an_asset(instance: DagsterInstance, pages: App) -> None:
    def report(app: App, *headers: tuple[str, str]) -> int:
        return ask(app, "POST", "/report_asset_materialization/forged", *headers, query="description=x").status

    assert report(Guard(pages), HOST) == report(Guard(pages), HOST, JSON, ("Origin", "http://evil.example")) == 403
    assert instance.get_latest_materialization_event(AssetKey("forged")) is None
    # a page sends a body without a type to whomever it likes
    assert report(pages, HOST) == 200, "Dagster alone"
    assert instance.get_latest_materialization_event(AssetKey("forged")) is not None


def test_no_other_page_opens_the_websocket_of_the_pages(pages: App) -> None:
    foreign = (HOST, ("Origin", "http://evil.example"))
    assert ask(pages, "GET", "/graphql", *foreign, kind="websocket").status == 101, "Dagster alone"
    assert ask(Guard(pages), "GET", "/graphql", *foreign, kind="websocket").status == 403
