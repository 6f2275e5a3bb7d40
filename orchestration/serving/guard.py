"""The door of Dagster's pages: what a browser sends on behalf of another page is refused.

Dagster itself takes a GraphQL query from any page, by GET and as plain text too, for which a browser asks nobody.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOCAL_NAMES = ("127.0.0.1", "localhost")
_GRAPHQL, _REPORTS = "/graphql", "/report_asset_"
_COOKIE, _TOKEN = "stickiness_token", "token"


class Guard:
    """An ASGI application that passes on to another what may pass, and answers the rest with 403.

    * Host is 127.0.0.1, localhost or one of `names`, whatever the port; Origin is absent or equal to it.
    * GET and HEAD serve pages; a query or a report comes by POST, as application/json and nothing else.
    * Where there is a token, it comes as `Authorization: Bearer <token>`, or once as `?token=<token>` of a page, which
      leaves a cookie.
    """

    def __init__(self, app: App, names: Collection[str] = (), token: str | None = None) -> None:
        self._app = app
        self._names = {name.lower() for name in (*LOCAL_NAMES, *names)}
        self._token = token
        self._cookie = hashlib.sha256(token.encode()).hexdigest() if token else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = _headers(scope)
        refused = self._refused(scope, headers) if headers is not None else "a header stands twice"
        if refused is None and self._brings_token(scope):
            await _respond(send, HTTPStatus.SEE_OTHER, "", self._kept_token(scope))
        elif refused is None and not self._is_known(headers or {}):
            await _refuse(scope, send, "a token is asked for: open /?token=<the token of STICKINESS_WEB_TOKEN>")
        elif refused is None:
            await self._app(scope, receive, send)
        else:
            await _refuse(scope, send, refused)

    def _refused(self, scope: Scope, headers: Mapping[str, str]) -> str | None:
        """Why a connection may not pass; None where it may."""
        host = headers.get("host", "").lower()
        if _name_of(host) not in self._names:
            return "Host is not a name of these pages; STICKINESS_WEB_HOST adds one"
        origin = headers.get("origin")
        if origin is not None and _place_of(origin) != host:
            return "Origin is another page"
        if scope["type"] == "websocket":
            return None if scope["path"] == _GRAPHQL else "there is no such connection"
        return _refused_request(scope["method"], scope["path"], headers.get("content-type", ""))

    def _brings_token(self, scope: Scope) -> bool:
        if not self._token or scope["type"] != "http" or scope["method"] != "GET":
            return False
        return any(_equal(given, self._token) for given in _query(scope).get(_TOKEN, ()))

    def _kept_token(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        cookie = f"{_COOKIE}={self._cookie}; Path=/; HttpOnly; SameSite=Strict"
        # to one's own root alone: the path is whatever was asked for
        return [(b"location", b"/"), (b"set-cookie", cookie.encode())]

    def _is_known(self, headers: Mapping[str, str]) -> bool:
        if not self._token:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _equal(given.strip(), self._token):
            return True
        try:
            kept = SimpleCookie(headers.get("cookie", "")).get(_COOKIE)
        except CookieError:
            return False
        return kept is not None and _equal(kept.value, self._cookie)


def _refused_request(method: str, path: str, content_type: str) -> str | None:
    if method in ("GET", "HEAD"):
        return "a query comes by POST" if path.rstrip("/") == _GRAPHQL else None
    if method != "POST" or not (path == _GRAPHQL or path.startswith(_REPORTS)):
        return "pages are asked for by GET"
    return None if content_type.strip().lower() == "application/json" else "a query comes as application/json"


def _headers(scope: Scope) -> dict[str, str] | None:
    """The headers by name; None where one that decides stands twice, since two programs may read two of them."""
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1").lower()
        if name in found and name in ("host", "origin", "content-type", "authorization"):
            return None
        found[name] = raw_value.decode("latin-1")
    return found


def _name_of(host: str) -> str:
    """The name in host:port; empty where it is none."""
    name, colon, port = host.partition(":")
    return name if not colon or port.isdecimal() else ""


def _place_of(origin: str) -> str:
    """The host:port of an origin; empty where it is no web page."""
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        return ""
    return parts.netloc if parts.scheme in ("http", "https") else ""


def _query(scope: Scope) -> dict[str, list[str]]:
    return parse_qs(scope.get("query_string", b"").decode("latin-1"))


def _equal(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


async def _refuse(scope: Scope, send: Send, why: str) -> None:
    if scope["type"] == "websocket":
        # before it was accepted, which a server answers with 403
        await send({"type": "websocket.close", "code": 1008, "reason": why})
    else:
        await _respond(send, HTTPStatus.FORBIDDEN, f"Refused: {why}.\n", [])


async def _respond(send: Send, status: HTTPStatus, text: str, headers: list[tuple[bytes, bytes]]) -> None:
    body = text.encode()
    told = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": int(status), "headers": told})
    await send({"type": "http.response.body", "body": body})
