"""Robots of group chats that take a message by HTTP: DingTalk, Feishu, WeCom and Slack.

The forms are those of the documentation of each: https://open.dingtalk.com/document/robots/custom-robot-access,
https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot,
https://developer.work.weixin.qq.com/document/path/91770, https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestration.alerts.sending import SECONDS_TO_ANSWER, ChannelError, shortened, why
from orchestration.alerts.texts import Message

# busy, and (of Feishu) too many messages at the hour
_PASSING_CODES = (-1, 11232)
_PASSING_STATUSES = (408, 425, 429)
_LONGEST_ANSWER = 65_536

Request = tuple[str, Mapping[str, Any]]
"""The address that is asked, and the JSON that is sent."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An address that moves is not followed: it would be asked by GET, and a secret would go elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


@dataclass(frozen=True)
class Webhook:
    """A robot; `url` and `secret` are secrets. Its kind says the form of what it takes."""

    name: str
    kind: str
    url: str = field(repr=False)
    secret: str = field(default="", repr=False)

    def send(self, message: Message) -> None:
        """Send a message once.

        Raises:
            ChannelError: it was not taken; the text holds nothing secret.
        """
        url, body = FORMS[self.kind](self.url, self.secret, message.text, time.time())
        self._check(_post(url, body))

    def _check(self, answer: bytes) -> None:
        """See that the robot has taken the message: those of China answer 200 to what they refuse, too."""
        if self.kind == "slack":
            return
        try:
            told = json.loads(answer)
            codes = [int(told[name]) for name in ("errcode", "code", "StatusCode") if name in told]
        except (ValueError, TypeError):
            codes = []
        if not codes:
            raise ChannelError("the answer is none of such a robot")
        if any(codes):
            code = next(code for code in codes if code)
            raise ChannelError(f"refused with the code {code}", may_pass=code in _PASSING_CODES)


def dingtalk(url: str, secret: str, text: str, now: float) -> Request:
    """A text for DingTalk, signed in the address: HMAC-SHA256 under the secret of milliseconds, line break, secret."""
    body = {"msgtype": "text", "text": {"content": shortened(text, 18_000)}}
    if not secret:
        return url, body
    moment = str(round(now * 1000))
    digest = hmac.new(secret.encode(), f"{moment}\n{secret}".encode(), hashlib.sha256).digest()
    signed = urllib.parse.urlencode({"timestamp": moment, "sign": base64.b64encode(digest).decode()})
    return f"{url}{'&' if '?' in url else '?'}{signed}", body


def feishu(url: str, secret: str, text: str, now: float) -> Request:
    """A text for Feishu, signed in the body: HMAC-SHA256 of nothing under seconds, line break, secret."""
    body: dict[str, Any] = {"msg_type": "text", "content": {"text": shortened(_without_tags(text), 18_000)}}
    if not secret:
        return url, body
    moment = str(int(now))
    digest = hmac.new(f"{moment}\n{secret}".encode(), b"", hashlib.sha256).digest()
    return url, {"timestamp": moment, "sign": base64.b64encode(digest).decode(), **body}


def wecom(url: str, secret: str, text: str, now: float) -> Request:
    """A text for WeCom, which takes 2,048 bytes and no signature: the key is in the address."""
    return url, {"msgtype": "text", "text": {"content": shortened(_without_tags(text), 2_048)}}


def slack(url: str, secret: str, text: str, now: float) -> Request:
    """A text for Slack, which reads &, < and > as its own signs; the key is in the address."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return url, {"text": shortened(escaped, 12_000)}


FORMS: Mapping[str, Callable[[str, str, str, float], Request]] = {
    "dingtalk": dingtalk,
    "feishu": feishu,
    "wecom": wecom,
    "slack": slack,
}


def _without_tags(text: str) -> str:
    # <@all> and <at user_id="all"> call people
    return text.replace("<", "＜")


def _post(url: str, body: Mapping[str, Any]) -> bytes:
    data = json.dumps(body, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "stickiness"}
    try:
        request = urllib.request.Request(url, data, headers, method="POST")
        with _OPENER.open(request, timeout=SECONDS_TO_ANSWER) as answer:
            return answer.read(_LONGEST_ANSWER)
    except urllib.error.HTTPError as error:
        with error:
            passing = error.code >= 500 or error.code in _PASSING_STATUSES
        raise ChannelError(f"answered with the HTTP status {error.code}", may_pass=passing) from None
    # what these say may quote the address
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ChannelError(why(error), may_pass=isinstance(error, OSError)) from None
