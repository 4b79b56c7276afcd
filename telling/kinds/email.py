"""A mail to one address, by the operator's own mail server (``LETHE_SMTP_URL``)."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from jobs.addresses import check_mail_address
from jobs.deliveries import Outcome
from telling.addresses import AddressRefused
from telling.kind import Destination, Kind, Means
from telling.message import Message

SCHEME = "mailto:"
_SECONDS = 10.0
_PORTS = {"smtp": 587, "smtps": 465}


def _check(url: str, means: Means) -> str:
    if means.smtp_url is None:
        raise AddressRefused("this service sends no mail: its operator sets LETHE_SMTP_URL and LETHE_SMTP_FROM")
    try:
        if not url.startswith(SCHEME):
            raise ValueError("must be written mailto:ops@example.org")
        check_mail_address(url.removeprefix(SCHEME))
    except ValueError as error:
        raise AddressRefused(str(error)) from None
    return url


def _send(message: Message, to: Destination, means: Means) -> Outcome:
    if means.smtp_url is None or means.smtp_from is None:
        return Outcome(error="this service sends no mail any more")
    try:
        with contextlib.closing(_connected(means.smtp_url, means.smtp_from)) as server:
            server.send_message(_mail(message, to.url.removeprefix(SCHEME), means.smtp_from))
    except smtplib.SMTPResponseException as error:
        return Outcome(error.smtp_code, f"the mail server answered {error.smtp_code}")
    except smtplib.SMTPRecipientsRefused as error:
        (code, _), *_ = error.recipients.values()
        return Outcome(code, f"the mail server answered {code} to this recipient")
    except (smtplib.SMTPException, OSError) as error:
        return Outcome(error=f"the mail server cannot be used: {type(error).__name__}")
    return Outcome(250)


def _mail(message: Message, recipient: str, sender: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, recipient, message.words()
    # The same in every try: a mailbox shows one that came twice once.
    mail["Message-ID"] = f"<{message.id}@{sender.rpartition('@')[2]}>"
    mail["Date"] = message.at
    mail["Auto-Submitted"] = "auto-generated"
    links = "\n".join(f"{name}: {link}" for name, link in message.links.items())
    mail.set_content(f"{message.words()}\n\n{links}\n")
    return mail


def _connected(url: str, sender: str) -> smtplib.SMTP:
    """The server, by TLS where it has any. A password goes by TLS or not at all."""
    parts, context = urlsplit(url), ssl.create_default_context()
    host, port, name = parts.hostname or "", parts.port or _PORTS[parts.scheme], sender.rpartition("@")[2]
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, name, timeout=_SECONDS, context=context)
    else:
        server = smtplib.SMTP(host, port, name, timeout=_SECONDS)
    try:
        server.ehlo_or_helo_if_needed()
        if parts.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=context)
        elif parts.scheme == "smtp" and parts.username is not None:
            raise smtplib.SMTPNotSupportedError("no TLS: the password is not sent")
        if parts.username is not None:
            server.login(unquote(parts.username), unquote(parts.password or ""))
    except BaseException:
        server.close()
        raise
    return server


KIND = Kind(
    name="email",
    place=30,
    summary="a mail to the address of a `mailto:` URL, where the service has a mail server",
    signs=False,
    check=_check,
    send=_send,
)
