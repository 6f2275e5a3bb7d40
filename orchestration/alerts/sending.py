"""What all channels share: how a failure is told without a secret, what is tried again, and how a text is cut."""

from __future__ import annotations

import socket
import ssl
import time
import urllib.error
from collections.abc import Callable, Sequence

SECONDS_TO_ANSWER = 10.0
SECONDS_BETWEEN_TRIES: Sequence[float] = (1.0, 4.0)
"""How long is waited after each try but the last."""

_CUT = "…"


class ChannelError(Exception):
    """A channel has not taken a message. The text is for a person and holds no secret.

    `may_pass`: try again. `is_taken`: some have got it, so do not.
    """

    def __init__(self, text: str, *, may_pass: bool = False, is_taken: bool = False) -> None:
        super().__init__(text)
        self.may_pass = may_pass
        self.is_taken = is_taken


def try_again(send: Callable[[], None], sleep: Callable[[float], None] = time.sleep) -> None:
    """Send, and again after a while where the failure may pass by itself.

    Raises:
        ChannelError: that of the last try.
    """
    for seconds in SECONDS_BETWEEN_TRIES:
        try:
            return send()
        except ChannelError as error:
            if not error.may_pass:
                raise
        sleep(seconds)
    return send()


def why(error: BaseException) -> str:
    """Why nothing came through, in words that quote neither address nor answer."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, TimeoutError):
        return f"no answer within {SECONDS_TO_ANSWER:g} seconds"
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its certificate was refused: {reason.verify_message}"
    if isinstance(reason, socket.gaierror):
        return "its name cannot be resolved"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return type(reason).__name__


def shortened(text: str, size: int) -> str:
    """The text within `size` bytes of UTF-8, cut at the end of a line where there is one."""
    data = text.encode()
    if len(data) <= size:
        return text
    cut = data[: size - len(f"\n{_CUT}".encode())].decode(errors="ignore")
    whole = cut.rpartition("\n")[0] or cut
    return f"{whole}\n{_CUT}"
