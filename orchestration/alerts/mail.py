"""E-mail by SMTP, encrypted from the start (TLS) or from the first command on (STARTTLS)."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from orchestration.alerts.sending import SECONDS_TO_ANSWER, ChannelError, why
from orchestration.alerts.texts import Message

TLS, STARTTLS, PLAIN = "tls", "starttls", "none"


@dataclass(frozen=True)
class Mail:
    """A mail server and who is written to; `user` may be empty where the server asks for none."""

    name: str
    host: str = field(repr=False)
    port: int
    security: str
    sender: str = field(repr=False)
    recipients: tuple[str, ...] = field(repr=False)
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def send(self, message: Message) -> None:
        """Send a message once.

        Raises:
            ChannelError: some recipient did not get it; the text holds nothing secret.
        """
        try:
            with self._connected() as server:
                if self.user:
                    server.login(self.user, self.password)
                refused = server.send_message(self._mail(message))
        # what servers say may name who was written to
        except smtplib.SMTPResponseException as error:
            code = error.smtp_code
            raise ChannelError(f"refused with the SMTP code {code}", may_pass=400 <= code < 500) from None
        except smtplib.SMTPRecipientsRefused as error:
            raise self._refused(error.recipients, is_taken=False) from None
        except smtplib.SMTPServerDisconnected:
            raise ChannelError("the server ended the connection", may_pass=True) from None
        except smtplib.SMTPNotSupportedError:
            raise ChannelError("the server offers no STARTTLS, or no way to log in") from None
        except smtplib.SMTPException as error:
            raise ChannelError(type(error).__name__) from None
        except (OSError, ValueError) as error:
            raise ChannelError(why(error), may_pass=isinstance(error, OSError)) from None
        if refused:
            raise self._refused(refused, is_taken=True)

    @contextlib.contextmanager
    def _connected(self):
        context = ssl.create_default_context()
        # the name of this machine is nobody's business
        options = {"local_hostname": self._domain, "timeout": SECONDS_TO_ANSWER}
        if self.security == TLS:
            server = smtplib.SMTP_SSL(self.host, self.port, context=context, **options)
        else:
            server = smtplib.SMTP(self.host, self.port, **options)
        try:
            if self.security == STARTTLS:
                server.starttls(context=context)
            yield server
            # what was sent was taken, however the server says goodbye
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.quit()
        finally:
            server.close()

    @property
    def _domain(self) -> str:
        return self.sender.rpartition("@")[2]

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = message.title
        mail["From"] = self.sender
        mail["To"] = ", ".join(self.recipients)
        mail["Date"] = formatdate(localtime=False)
        mail["Message-ID"] = make_msgid(domain=self._domain)
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content("\n".join(message.lines) or message.title)
        return mail

    def _refused(self, refused: dict, *, is_taken: bool) -> ChannelError:
        told = f"the server refused {len(refused)} of {len(self.recipients)} recipients"
        return ChannelError(told, is_taken=is_taken)
