"""What alerts are sent to in tests, on this machine alone: robots of group chats, and a mail server."""

from __future__ import annotations

import base64
import contextlib
import email
import email.policy
import json
import shutil
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

TAKEN = {"DingTalk": '{"errcode":0,"errmsg":"ok"}', "Feishu": '{"code":0,"msg":"success","data":{}}'}
TAKEN |= {"WeCom": '{"errcode":0,"errmsg":"ok"}', "Slack": "ok"}


@dataclass
class Robots:
    """Robots that keep what they are sent; `answers` are given once each, by robot, before the good ones."""

    port: int = 0
    asked: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    """robot, query of the address, body"""
    taken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """robot and body of what was answered well"""
    answers: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    def url(self, robot: str, query: str = "access_token=t0ken") -> str:
        return f"http://127.0.0.1:{self.port}/{robot}?{query}"

    def texts(self, robot: str) -> list[str]:
        """The texts that a robot has taken, whatever its form."""
        bodies = [body for name, body in self.taken if name == robot]
        return [
            body.get("content", {}).get("text") or body.get("text", {}).get("content")
            if robot != "Slack"
            else body["text"]
            for body in bodies
        ]


@contextlib.contextmanager
def robots() -> Iterator[Robots]:
    """Robots at `/<name>`, until the end of the context."""
    kept = Robots()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            robot, _, query = self.path.lstrip("/").partition("?")
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.headers["Content-Type"].startswith("application/json")
            kept.asked.append((robot, query, body))
            good = (200, TAKEN[robot])
            status, answer = kept.answers[robot].pop(0) if kept.answers.get(robot) else good
            if (status, answer) == good:
                kept.taken.append((robot, body))
            self.send_response(status)
            if status in (301, 302, 307):
                self.send_header("Location", f"http://127.0.0.1:{kept.port}/Slack")
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.port = server.server_address[1]
    with _serving(server):
        yield kept


@dataclass
class MailServer:
    """A mail server that keeps what it is given, and who logged in over what."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    logins: list[tuple[str, str, bool]] = field(default_factory=list)
    """user, password, whether the connection was encrypted"""
    refused: tuple[str, ...] = ()
    busy_times: int = 0
    offers_starttls: bool = True


@contextlib.contextmanager
def mail_server(context: ssl.SSLContext | None, *, from_the_start: bool = False) -> Iterator[MailServer]:
    """A mail server that offers STARTTLS with the context, or is encrypted from the start; plain without a context."""
    kept = MailServer(offers_starttls=context is not None and not from_the_start)

    class Handler(socketserver.StreamRequestHandler):
        is_encrypted = from_the_start

        def setup(self) -> None:
            if from_the_start:
                self.request = context.wrap_socket(self.request, server_side=True)
            super().setup()

        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            self.say("220 ready")
            while line := self.rfile.readline().decode().rstrip("\r\n"):
                verb = line.split(" ")[0].upper()
                if verb == "QUIT":
                    return self.say("221 bye")
                getattr(self, f"on_{verb.lower()}", self.on_other)(line)

        def on_other(self, line: str) -> None:
            self.say("250 ok")

        def on_ehlo(self, line: str) -> None:
            starttls = ["STARTTLS"] if kept.offers_starttls and not self.is_encrypted else []
            for offered in ("test", "8BITMIME", *starttls):
                self.say(f"250-{offered}")
            self.say("250 AUTH PLAIN")

        def on_starttls(self, line: str) -> None:
            self.say("220 go ahead")
            self.request = context.wrap_socket(self.request, server_side=True)
            self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb", 0)
            self.is_encrypted = True

        def on_auth(self, line: str) -> None:
            _, user, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")
            kept.logins.append((user, password, self.is_encrypted))
            self.say("235 welcome" if password == "right" else f"535 {user} has another password")

        def on_mail(self, line: str) -> None:
            if kept.busy_times:
                kept.busy_times -= 1
                return self.say("451 try again")
            self.say("250 ok")

        def on_rcpt(self, line: str) -> None:
            recipient = line.partition("<")[2].partition(">")[0]
            if recipient in kept.refused:
                return self.say(f"550 no such user {recipient}")
            kept.recipients.append(recipient)
            self.say("250 ok")

        def on_data(self, line: str) -> None:
            self.say("354 go on")
            lines = []
            while (given := self.rfile.readline()) != b".\r\n":
                lines.append(given.removeprefix(b".") if given.startswith(b"..") else given)
            kept.mails.append(email.message_from_bytes(b"".join(lines), policy=email.policy.default))
            self.say("250 taken")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A client that refuses the certificate leaves."""

    server = Server(("127.0.0.1", 0), Handler)
    kept.port = server.server_address[1]
    with _serving(server):
        yield kept


@contextlib.contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate of 127.0.0.1 that nobody has signed, and the context of a server that has it."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl, to make a certificate")
    key, made = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(made)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    return made, context
