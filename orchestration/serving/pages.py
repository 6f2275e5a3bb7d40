"""Dagster's pages behind the guard, on this machine's own address alone."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestration.serving.guard import Guard
from orchestration.serving.ports import ADDRESS, bound

WEB_PORT, WEB_HOST, WEB_TOKEN = "STICKINESS_WEB_PORT", "STICKINESS_WEB_HOST", "STICKINESS_WEB_TOKEN"
_PORT = 3000
# what an open page keeps open
_SECONDS_TO_END = 2
_MILLISECONDS_BETWEEN_LOOKS = 2000


def guarded(app: Any, environ: Mapping[str, str] = os.environ) -> Guard:
    """An application behind the guard, with the names and the token that the environment gives."""
    names = [name.strip() for name in environ.get(WEB_HOST, "").split(",") if name.strip()]
    return Guard(app, names, environ.get(WEB_TOKEN) or None)


def listen(environ: Mapping[str, str] = os.environ) -> socket.socket:
    """A socket on the port that is asked for, or on 3000, or on a free one where 3000 is taken.

    Raises:
        SettingsError: the port that is asked for is none, or is taken.
    """
    return bound(environ, WEB_PORT, _PORT, _listen)


def _listen(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((ADDRESS, port))
    except OSError:
        listening.close()
        raise
    return listening


def serve(workspace: Path, listening: socket.socket) -> None:
    """Serve the pages of a workspace until told to end."""
    import uvicorn
    from dagster import DagsterInstance
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster_webserver.app import create_app_from_workspace_process_context
    from dagster_webserver.cli import (
        DEFAULT_DB_STATEMENT_TIMEOUT,
        DEFAULT_POOL_MAX_OVERFLOW,
        DEFAULT_POOL_RECYCLE,
    )

    with DagsterInstance.get() as instance:
        instance.optimize_for_webserver(DEFAULT_DB_STATEMENT_TIMEOUT, DEFAULT_POOL_RECYCLE, DEFAULT_POOL_MAX_OVERFLOW)
        with WorkspaceProcessContext(instance, WorkspaceFileTarget([str(workspace)])) as context:
            app = create_app_from_workspace_process_context(context, live_data_poll_rate=_MILLISECONDS_BETWEEN_LOOKS)
            config = uvicorn.Config(
                guarded(app), log_level="warning", lifespan="off", timeout_graceful_shutdown=_SECONDS_TO_END
            )
            print(f"Dagster's pages are on http://{ADDRESS}:{listening.getsockname()[1]}", flush=True)
            uvicorn.Server(config).run(sockets=[listening])
