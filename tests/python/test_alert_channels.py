"""Channels of alerts: each takes its own form, with its own signature, and what fails is told without a secret."""

from __future__ import annotations

import contextlib
import socket
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from alert_servers import MailServer, Robots, certificate, mail_server, robots

from orchestration.alerts import sending, webhooks
from orchestration.alerts.channels import VARIABLES, Channels
from orchestration.alerts.mail import Mail
from orchestration.alerts.sending import ChannelError, shortened, try_again
from orchestration.alerts.texts import Message
from orchestration.alerts.webhooks import Webhook, dingtalk, feishu, slack, wecom
from orchestration.settings import ROOT

MESSAGE = Message("【店铺】数据刷新失败", ("测试 a < b & c（orders）未通过，查出 3 行。", "第二行"))
NOW = 1_700_000_000.123


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "SECONDS_BETWEEN_TRIES", (0.0, 0.0))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def chats() -> Iterator[Robots]:
    with robots() as kept:
        yield kept


# Signatures. The expected ones are openssl's:
#   printf '1700000000123\nSECtest0123456789' | openssl dgst -sha256 -hmac SECtest0123456789 -binary | base64
#   printf '' | openssl dgst -sha256 -mac HMAC -macopt key:"$(printf '1700000000\nfeishu-test-secret')" -binary | base64


def test_dingtalk_is_signed_in_the_address_by_milliseconds_under_the_secret() -> None:
    url, body = dingtalk("https://oapi.example/robot/send?access_token=abc", "SECtest0123456789", "hello", NOW)
    assert url == (
        "https://oapi.example/robot/send?access_token=abc&timestamp=1700000000123"
        "&sign=Fu23Ue8IkFmlxFpmeItlgyo2GpWW6M6MFH5DnuAvYg8%3D"
    )
    assert body == {"msgtype": "text", "text": {"content": "hello"}}


def test_feishu_is_signed_in_the_body_by_nothing_under_seconds_and_secret() -> None:
    url, body = feishu("https://open.example/hook/abc", "feishu-test-secret", "hello", NOW)
    assert url == "https://open.example/hook/abc"
    assert body == {
        "timestamp": "1700000000",
        "sign": "e3MJ8Q5llVxGJ8pVkGPBhexDAgjvYqpjPP1GkY9XceI=",
        "msg_type": "text",
        "content": {"text": "hello"},
    }


def test_without_a_secret_nothing_is_signed() -> None:
    assert (
        dingtalk("https://oapi.example/?access_token=a", "", "hello", NOW)[0] == "https://oapi.example/?access_token=a"
    )
    assert "sign" not in feishu("https://open.example/", "", "hello", NOW)[1]


def test_no_text_calls_people_or_is_taken_for_a_sign_of_the_chat() -> None:
    text = '<!channel> <@all> <at user_id="all"></at> R&D'
    assert (
        slack("", "", text, NOW)[1]["text"]
        == '&lt;!channel&gt; &lt;@all&gt; &lt;at user_id="all"&gt;&lt;/at&gt; R&amp;D'
    )
    assert "<" not in wecom("", "", text, NOW)[1]["text"]["content"]
    assert "<" not in feishu("", "", text, NOW)[1]["content"]["text"]
    assert "at" not in dingtalk("", "", text, NOW)[1], "only `at` calls people in DingTalk"


def test_wecom_takes_2048_bytes_cut_at_the_end_of_a_line() -> None:
    lines = "\n".join(f"第 {number} 行" for number in range(1000))
    cut = wecom("", "", lines, NOW)[1]["text"]["content"]
    assert len(cut.encode()) <= 2048
    *whole, last = cut.split("\n")
    assert last == "…" and whole == lines.split("\n")[: len(whole)] and len(whole) > 100
    assert shortened("行" * 1000, 100).startswith("行" * 31)
    assert shortened("short", 2048) == "short"


# Robots


@pytest.mark.parametrize("name", ["DingTalk", "Feishu", "WeCom", "Slack"])
def test_a_robot_is_sent_the_message_in_its_form(chats: Robots, name: str) -> None:
    channel = Webhook(name, name.lower(), chats.url(name), "secret" if name in ("DingTalk", "Feishu") else "")
    channel.send(MESSAGE)
    [(_, query, body)] = chats.asked
    expected = MESSAGE.text.replace("<", "＜")
    if name == "Slack":
        assert body == {"text": MESSAGE.text.replace("&", "&amp;").replace("<", "&lt;")}
    elif name == "Feishu":
        assert (body["msg_type"], body["content"]) == ("text", {"text": expected})
        assert body["sign"] and body["timestamp"].isdigit()
    else:
        content = MESSAGE.text if name == "DingTalk" else expected
        assert body == {"msgtype": "text", "text": {"content": content}}
    given = urllib.parse.parse_qs(query)
    assert given["access_token"] == ["t0ken"]
    assert sorted(given) == (["access_token", "sign", "timestamp"] if name == "DingTalk" else ["access_token"])


@pytest.mark.parametrize(
    ("name", "answer", "told", "times"),
    [
        # they answer 200 to what they refuse
        ("DingTalk", (200, '{"errcode":310000,"errmsg":"sign not match t0ken"}'), "refused with the code 310000", 1),
        ("Feishu", (200, '{"code":19021,"msg":"sign match fail t0ken"}'), "refused with the code 19021", 1),
        ("WeCom", (200, '{"errcode":93000,"errmsg":"invalid webhook url t0ken"}'), "refused with the code 93000", 1),
        ("Slack", (403, "invalid_token t0ken"), "answered with the HTTP status 403", 1),
        # a login page of a proxy
        ("WeCom", (200, "<html>t0ken</html>"), "the answer is none of such a robot", 1),
        # what passes is tried again
        ("DingTalk", (200, '{"errcode":-1}'), "refused with the code -1", 3),
        ("Feishu", (200, '{"code":11232,"msg":"frequency limited"}'), "refused with the code 11232", 3),
        ("Slack", (429, "t0ken"), "answered with the HTTP status 429", 3),
        ("Slack", (503, "t0ken"), "answered with the HTTP status 503", 3),
        # an address that moves is not followed
        ("WeCom", (302, "t0ken"), "answered with the HTTP status 302", 1),
        ("WeCom", (307, "t0ken"), "answered with the HTTP status 307", 1),
    ],
)
def test_what_a_robot_refuses_is_told_without_its_words_and_tried_again_if_it_may_pass(
    chats: Robots, name: str, answer: tuple[int, str], told: str, times: int
) -> None:
    chats.answers[name] = [answer] * 3
    with pytest.raises(ChannelError) as error:
        try_again(lambda: Webhook(name, name.lower(), chats.url(name)).send(MESSAGE))
    assert str(error.value) == told
    assert [robot for robot, _, _ in chats.asked] == [name] * times


def test_a_robot_that_was_busy_gets_the_message_once_it_answers(chats: Robots, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    chats.answers["Slack"] = [(503, ""), (503, "")]
    monkeypatch.setattr(sending, "SECONDS_BETWEEN_TRIES", (1.0, 4.0))
    try_again(lambda: Webhook("Slack", "slack", chats.url("Slack")).send(MESSAGE), sleep=waited.append)
    assert waited == [1.0, 4.0] and len(chats.asked) == 3


def test_a_robot_that_is_not_there_or_does_not_answer_is_told_without_its_address(
    chats: Robots, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        gone = Webhook("Slack", "slack", f"http://127.0.0.1:{port}/services/t0ken")
        with pytest.raises(ChannelError, match="^Connection refused$"):
            gone.send(MESSAGE)
        silent.listen()
        monkeypatch.setattr(webhooks, "SECONDS_TO_ANSWER", 0.05)
        with pytest.raises(ChannelError, match="^no answer within") as error:
            gone.send(MESSAGE)
    assert error.value.may_pass
    # what Python says of such an address quotes it
    for url in ("http://127.0.0.1:1/t0ken\x7f", "https://[t0ken/"):
        with pytest.raises(ChannelError) as error:
            Webhook("Slack", "slack", url).send(MESSAGE)
        assert "t0ken" not in str(error.value)


# E-mail


@contextlib.contextmanager
def trusted(folder: Path, monkeypatch: pytest.MonkeyPatch, **how: bool) -> Iterator[MailServer]:
    made, context = certificate(folder)
    monkeypatch.setenv("SSL_CERT_FILE", str(made))
    with mail_server(context, **how) as server:
        yield server


def mail(server: MailServer, security: str = "starttls", password: str = "right", to: str = "b@example.com") -> Mail:
    recipients = ("a@example.com", to)
    return Mail("e-mail", "127.0.0.1", server.port, security, "data@example.com", recipients, "bot", password)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_an_e_mail_goes_over_an_encrypted_connection_to_all_recipients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    with trusted(tmp_path, monkeypatch, from_the_start=security == "tls") as server:
        mail(server, security).send(MESSAGE)
    [sent] = server.mails
    assert (sent["Subject"], sent["From"]) == (MESSAGE.title, "data@example.com")
    assert tuple(sent.get_content().splitlines()) == MESSAGE.lines
    assert sent["Auto-Submitted"] == "auto-generated" and sent["Message-ID"].endswith("@example.com>")
    assert server.recipients == ["a@example.com", "b@example.com"]
    assert server.logins == [("bot", "right", True)]


def test_a_mail_server_that_nobody_vouches_for_or_that_offers_no_encryption_is_told_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, context = certificate(tmp_path)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with mail_server(context) as unknown, pytest.raises(ChannelError, match="certificate was refused: self-signed"):
        mail(unknown).send(MESSAGE)
    with mail_server(None) as plain, pytest.raises(ChannelError, match="offers no STARTTLS"):
        mail(plain).send(MESSAGE)
    assert (unknown.logins, plain.logins, unknown.mails, plain.mails) == ([], [], [], [])


def test_what_a_mail_server_refuses_is_told_without_names_and_tried_again_if_it_may_pass() -> None:
    with mail_server(None) as server:
        with pytest.raises(ChannelError, match="^refused with the SMTP code 535$"):
            mail(server, "none", password="wrong").send(MESSAGE)
        server.busy_times = 2
        try_again(lambda: mail(server, "none").send(MESSAGE))
        assert len(server.mails) == 1
        server.busy_times = 3
        with pytest.raises(ChannelError, match="^refused with the SMTP code 451$"):
            try_again(lambda: mail(server, "none").send(MESSAGE))
        server.refused = ("b@example.com",)
        with pytest.raises(ChannelError, match="^the server refused 1 of 2 recipients$"):
            mail(server, "none").send(MESSAGE)
        server.refused = ("a@example.com", "b@example.com")
        with pytest.raises(ChannelError, match="^the server refused 2 of 2 recipients$"):
            mail(server, "none").send(MESSAGE)


# The environment

GOOD = {
    "STICKINESS_ALERT_DINGTALK_URL": "https://oapi.dingtalk.com/robot/send?access_token=geheim",
    "STICKINESS_ALERT_DINGTALK_SECRET": "SECgeheim",
    "STICKINESS_ALERT_FEISHU_URL": "https://open.feishu.cn/open-apis/bot/v2/hook/geheim",
    "STICKINESS_ALERT_FEISHU_SECRET": "geheim",
    "STICKINESS_ALERT_WECOM_URL": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=geheim",
    "STICKINESS_ALERT_SLACK_URL": "https://hooks.slack.com/services/geheim",
    "STICKINESS_ALERT_SMTP_HOST": "geheim.example.com",
    "STICKINESS_ALERT_SMTP_USER": "geheim",
    "STICKINESS_ALERT_SMTP_PASSWORD": "geheim",
    "STICKINESS_ALERT_MAIL_FROM": "geheim@example.com",
    "STICKINESS_ALERT_MAIL_TO": "geheim@example.com, b@example.com",
}


def test_each_channel_is_what_the_environment_makes_it() -> None:
    assert Channels.from_environ({}) == Channels((), ())
    channels = Channels.from_environ(GOOD)
    assert channels.problems == ()
    assert [channel.name for channel in channels.usable] == ["e-mail", "DingTalk", "Feishu", "WeCom", "Slack"]
    assert "geheim" not in repr(channels)
    by_mail, by_dingtalk = channels.usable[:2]
    assert (by_mail.port, by_mail.security) == (587, "starttls")
    assert by_mail.recipients == ("geheim@example.com", "b@example.com")
    assert by_dingtalk.secret == "SECgeheim"
    ports = {
        security: Channels.from_environ(
            GOOD | {"STICKINESS_ALERT_SMTP_SECURITY": security, "STICKINESS_ALERT_SMTP_HOST": "127.0.0.1"}
        )
        .usable[0]
        .port
        for security in ("starttls", "TLS", "none")
    }
    assert ports == {"starttls": 587, "TLS": 465, "none": 25}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        # the address, and so its key, would be read on the way
        ("STICKINESS_ALERT_SLACK_URL", "http://hooks.slack.com/services/geheim", "https://"),
        ("STICKINESS_ALERT_SLACK_URL", "file:///etc/geheim", "https://"),
        ("STICKINESS_ALERT_WECOM_URL", "https://qyapi.weixin.qq.com/a geheim", "no spaces"),
        ("STICKINESS_ALERT_FEISHU_URL", "https://open.feishu.cn:geheim/", "https://"),
        ("STICKINESS_ALERT_DINGTALK_URL", "geheim", "https://"),
        ("STICKINESS_ALERT_SMTP_SECURITY", "none", "another machine"),
        ("STICKINESS_ALERT_SMTP_SECURITY", "ssl", "expected starttls, tls, none"),
        ("STICKINESS_ALERT_SMTP_PORT", "0", "expected a number such as 587"),
        ("STICKINESS_ALERT_MAIL_FROM", "", "data@example.com"),
        ("STICKINESS_ALERT_MAIL_TO", "a@example.com\nBcc: geheim@example.com", "data@example.com"),
        ("STICKINESS_ALERT_MAIL_TO", "Ann <geheim@example.com>", "data@example.com"),
    ],
)
def test_a_channel_that_is_configured_wrongly_is_told_by_its_variable_and_the_others_work(
    name: str, value: str, said: str
) -> None:
    channels = Channels.from_environ(GOOD | {name: value})
    assert len(channels.usable) == 4
    [problem] = channels.problems
    assert problem.startswith(name) and said in problem and "geheim" not in problem


def test_the_page_on_operations_lists_the_variables_as_the_code_does() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `STICKINESS_ALERT_")]
    assert rows == [f"| `{name}` | {meaning} |" for name, meaning in VARIABLES.items()]
