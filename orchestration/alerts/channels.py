"""Where alerts go, as the environment says: every address and every secret comes from there alone."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from orchestration.alerts.mail import PLAIN, STARTTLS, TLS, Mail
from orchestration.alerts.texts import Message
from orchestration.alerts.webhooks import Webhook
from orchestration.errors import SettingsError, shown

DINGTALK_URL = "STICKINESS_ALERT_DINGTALK_URL"
DINGTALK_SECRET = "STICKINESS_ALERT_DINGTALK_SECRET"
FEISHU_URL = "STICKINESS_ALERT_FEISHU_URL"
FEISHU_SECRET = "STICKINESS_ALERT_FEISHU_SECRET"
WECOM_URL = "STICKINESS_ALERT_WECOM_URL"
SLACK_URL = "STICKINESS_ALERT_SLACK_URL"
SMTP_HOST = "STICKINESS_ALERT_SMTP_HOST"
SMTP_PORT = "STICKINESS_ALERT_SMTP_PORT"
SMTP_SECURITY = "STICKINESS_ALERT_SMTP_SECURITY"
SMTP_USER = "STICKINESS_ALERT_SMTP_USER"
SMTP_PASSWORD = "STICKINESS_ALERT_SMTP_PASSWORD"
MAIL_FROM = "STICKINESS_ALERT_MAIL_FROM"
MAIL_TO = "STICKINESS_ALERT_MAIL_TO"

VARIABLES: Mapping[str, str] = {
    DINGTALK_URL: "address of a DingTalk robot, with its access_token",
    DINGTALK_SECRET: "its secret, if it checks signatures (begins with SEC)",
    FEISHU_URL: "address of a Feishu robot",
    FEISHU_SECRET: "its secret, if it checks signatures",
    WECOM_URL: "address of a WeCom robot, with its key",
    SLACK_URL: "address of a Slack incoming webhook",
    SMTP_HOST: "mail server; without it no e-mail is sent",
    SMTP_PORT: "its port; 587 without it, or 465 with tls, or 25 with none",
    SMTP_SECURITY: "starttls (as without it), tls, or none, which only a server on this machine may be asked with",
    SMTP_USER: "user to log in as, where the server wants one",
    SMTP_PASSWORD: "password of that user",
    MAIL_FROM: "address that the e-mail is from",
    MAIL_TO: "addresses that it goes to, with commas between",
}
"""What each variable holds, as docs/operations.md says too."""

_PORTS = {STARTTLS: 587, TLS: 465, PLAIN: 25}
_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")
# no list, no name beside the address, nothing that ends a line
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


class Channel(Protocol):
    """Where messages go. Its name is shown and remembered."""

    @property
    def name(self) -> str:
        """What a person calls it."""

    def send(self, message: Message) -> None:
        """Send a message once; ChannelError, without a secret, where it was not taken."""


@dataclass(frozen=True)
class Channels:
    """The channels that the environment configures, and a sentence on each that it configures wrongly."""

    usable: tuple[Channel, ...]
    problems: tuple[str, ...]

    @staticmethod
    def from_environ(environ: Mapping[str, str]) -> Channels:
        """Those of the environment; none of its values is in a problem's text but ports and words."""
        usable: list[Channel] = []
        problems: list[str] = []
        for make in _MAKERS:
            try:
                channel = make(environ)
            except SettingsError as error:
                problems.append(str(error))
                continue
            if channel is not None:
                usable.append(channel)
        return Channels(tuple(usable), tuple(problems))


Maker = Callable[[Mapping[str, str]], Channel | None]
"""Makes a channel from the environment; None where it configures none."""


def _webhook(name: str, kind: str, url_name: str, secret_name: str = "") -> Maker:
    def make(environ: Mapping[str, str]) -> Channel | None:
        url = environ.get(url_name, "").strip()
        if not url:
            return None
        if not _is_address_of_a_robot(url):
            raise SettingsError(
                f"{url_name} is no address that begins with https:// and has no spaces. Copy it from the settings of "
                f"the robot."
            )
        return Webhook(name, kind, url, environ.get(secret_name, "").strip() if secret_name else "")

    return make


def _is_address_of_a_robot(url: str) -> bool:
    if not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return False
    # what is not encrypted tells the address, and so the key, to whoever listens
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in _THIS_MACHINE))


def _mail(environ: Mapping[str, str]) -> Channel | None:
    host = environ.get(SMTP_HOST, "").strip()
    if not host:
        return None
    security = environ.get(SMTP_SECURITY, "").strip().lower() or STARTTLS
    if security not in _PORTS:
        raise SettingsError(f"{SMTP_SECURITY} is {shown(security)}; expected {', '.join(_PORTS)}.")
    if security == PLAIN and host not in _THIS_MACHINE:
        raise SettingsError(
            f"{SMTP_SECURITY} is {PLAIN}, but the mail server is another machine; expected {STARTTLS} or {TLS}."
        )
    port = environ.get(SMTP_PORT, "").strip() or str(_PORTS[security])
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise SettingsError(f"{SMTP_PORT} is {shown(port)}; expected a number such as 587.")
    sender = environ.get(MAIL_FROM, "").strip()
    recipients = tuple(text.strip() for text in environ.get(MAIL_TO, "").split(",") if text.strip())
    for name, addresses in ((MAIL_FROM, [sender]), (MAIL_TO, recipients)):
        if not addresses or not all(_ADDRESS.fullmatch(address) for address in addresses):
            raise SettingsError(f"{name} is missing or no plain address such as data@example.com.")
    user, password = environ.get(SMTP_USER, "").strip(), environ.get(SMTP_PASSWORD, "")
    return Mail("e-mail", host, int(port), security, sender, recipients, user, password)


_MAKERS: tuple[Maker, ...] = (
    _mail,
    _webhook("DingTalk", "dingtalk", DINGTALK_URL, DINGTALK_SECRET),
    _webhook("Feishu", "feishu", FEISHU_URL, FEISHU_SECRET),
    _webhook("WeCom", "wecom", WECOM_URL),
    _webhook("Slack", "slack", SLACK_URL),
)
