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

from orchestration.errors import BoardError
from orchestration.serving.guard import LOCAL_NAMES
from orchestration.serving.ports import ADDRESS, bound

BOARDS_PORT = "STICKINESS_BOARDS_PORT"
_PORT = 3001


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
    # not resolved: after a publication or a rollback the same link leads to other boards
    handler = partial(BoardHandler, directory=str(folder))
    return bound(environ, BOARDS_PORT, _PORT, lambda port: ThreadingHTTPServer((ADDRESS, port), handler))


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
        print(f"The boards are on http://{ADDRESS}:{server.server_address[1]}; end with Ctrl+C.", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("Ended.")
