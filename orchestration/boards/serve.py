"""The published boards on this machine's own address, for browsers that open no files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from orchestration.errors import BoardError, SettingsError
from orchestration.serving.guard import LOCAL_NAMES

BOARDS_PORT = "STICKINESS_BOARDS_PORT"
_ADDRESS, _PORT = "127.0.0.1", 3001


class BoardHandler(SimpleHTTPRequestHandler):
    """Files of the folder of boards, for requests to this machine's own name."""

    def send_head(self) -> BinaryIO | BytesIO | None:
        """Refuse a page elsewhere that has its own name point here."""
        if self.headers.get("Host", "").rsplit(":", 1)[0].lower() not in LOCAL_NAMES:
            self.send_error(HTTPStatus.FORBIDDEN, "Host is not a name of these pages")
            return None
        return super().send_head()

    def end_headers(self) -> None:
        """Have the browser ask again after the next publication."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def list_directory(self, path: str | os.PathLike[str]) -> None:
        """List nothing: index.html is the list."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing of each request."""


def board_server(folder: Path, environ: Mapping[str, str] = os.environ) -> ThreadingHTTPServer:
    """A server of a folder on the port that is asked for, or on 3001, or on a free one where 3001 is taken.

    Raises:
        SettingsError: the port that is asked for is none, or is taken.
    """
    asked = environ.get(BOARDS_PORT, "")
    if asked and not (asked.isdecimal() and 0 < int(asked) < 65536):
        raise SettingsError(f"{BOARDS_PORT} is {asked!r}, which is no port. Give a number from 1 to 65535.")
    for port in [int(asked)] if asked else [_PORT, 0]:
        try:
            # not resolved: after a publication or a rollback the same link leads to other boards
            return ThreadingHTTPServer((_ADDRESS, port), partial(BoardHandler, directory=str(folder)))
        except OSError:
            continue
    raise SettingsError(f"The port {asked} of {BOARDS_PORT} is taken. Give another, or leave the variable out.")


def serve(folder: Path | None, warehouse: Path) -> None:
    """Serve the boards until told to end.

    Raises:
        BoardError: there are none.
        SettingsError: see `board_server`.
    """
    if folder is None:
        raise BoardError(
            f"No boards are published in {warehouse}. `make run` publishes them, except on a target whose versions are "
            f"no folders; see docs/boards.md."
        )
    with board_server(folder) as server:
        print(f"The boards are on http://{_ADDRESS}:{server.server_address[1]}; end with Ctrl+C.", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("Ended.")
