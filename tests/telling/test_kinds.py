"""The kinds beside the signed one: a line for a channel, and mail by a real server. And the key that seals."""

from __future__ import annotations

import dataclasses
import ssl
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MessageHandler
from cryptography.fernet import Fernet
from sqlalchemy import Engine

from jobs.sealing import Sealer, Unsealable
from jobs.store import JobStore
from jobs.webhooks import Webhook
from telling.addresses import AddressRefused
from telling.kind import Destination, Means
from telling.kinds import KINDS
from telling.message import Message as Told
from telling.sender import Sender
from tests.cli.service import free_port
from tests.store.making import DIVERGED, claimed
from tests.support.sink import sink
from tests.support.tls import certificates
from tests.telling.conftest import ended, make_due, tried

Hook = Callable[..., Webhook]


class Mailbox(MessageHandler):
    """A mailbox that keeps what comes; ``refuses``: whom it takes nothing for."""

    def __init__(self) -> None:
        super().__init__()
        self.mails: list[Message] = []
        self.refuses = ""

    def handle_message(self, message: Message) -> None:
        self.mails.append(message)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address == self.refuses:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def mail(mailbox: Mailbox, means: Means) -> Iterator[Means]:
    """Means with a mail server on loopback that speaks no TLS."""
    server = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    server.start()
    url = f"smtp://127.0.0.1:{server.port}"
    yield dataclasses.replace(means, smtp_url=url, smtp_from="lethe@studio.example")
    server.stop()


def test_mail(engine: Engine, store: JobStore, hook: Hook, sealer: Sealer, mail: Means, mailbox: Mailbox) -> None:
    """One that is sent twice has one Message-ID, so that a mailbox shows it once."""
    hook("mailto:ops@studio.example", "job.failed", kind="email")
    claim = claimed(store)
    store.give_up(claim.job.id, claim.attempt, DIVERGED, 3)
    sender = Sender(engine, sealer, mail, "https://lethe.example")
    mailbox.refuses = "ops@studio.example"
    (refused,) = tried(sender, engine)
    assert (refused.status, refused.response) == ("pending", 550)
    assert refused.error == "the mail server answered 550 to this recipient"
    mailbox.refuses = ""
    make_due(engine)
    (sent,) = tried(sender, engine)
    assert (sent.status, sent.response) == ("delivered", 250)
    (got,) = mailbox.mails
    assert (got["from"], got["to"]) == ("lethe@studio.example", "ops@studio.example")
    assert " ".join(got["subject"].split()) == f"Lethe: job {claim.job.id} failed (training_diverged)"
    assert got["message-id"] == f"<{sent.id}@studio.example>"
    assert f"https://lethe.example/v1/jobs/{claim.job.id}" in got.get_payload()


def told(engine: Engine, store: JobStore, hook: Hook) -> Told:
    from jobs import deliveries

    hook("http://127.0.0.1:1/")
    ended(store)
    return Told.of(deliveries.take_due(engine, 1, 60)[0].delivery)


def test_a_password_is_sent_by_tls_or_not_at_all(
    engine: Engine, store: JobStore, hook: Hook, mail: Means, mailbox: Mailbox, tmp_path: Path
) -> None:
    message, send = told(engine, store, hook), KINDS["email"].send
    to = Destination("mailto:ops@studio.example")
    by_password = dataclasses.replace(mail, smtp_url=str(mail.smtp_url).replace("//", "//lethe:secret@"))
    assert send(message, to, by_password).error == "the mail server cannot be used: SMTPNotSupportedError"
    _, certificate = certificates(tmp_path)  # of an authority that nobody here believes
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = Controller(mailbox, hostname="127.0.0.1", port=free_port(), tls_context=context)
    server.start()
    try:
        untrusted = dataclasses.replace(mail, smtp_url=f"smtp://lethe:secret@127.0.0.1:{server.port}")
        assert send(message, to, untrusted).error == "the mail server cannot be used: SSLCertVerificationError"
    finally:
        server.stop()
    assert send(message, to, dataclasses.replace(mail, smtp_url=None)).error == "this service sends no mail any more"
    assert mailbox.mails == []


@pytest.mark.parametrize(
    "url",
    [
        *(
            "ops@studio.example",
            "mailto:",
            "mailto:ops",
            "mailto:a@b.example,c@d.example",
            "mailto:a@b.example?bcc=c@d",
        ),
        *("mailto:a@b.example\r\nBcc: c@d.example", "mailto:<a@b.example>", "mailto:a@-", "https://a.example/"),
    ],
)
def test_what_is_no_mail_address(mail: Means, url: str) -> None:
    with pytest.raises(AddressRefused, match=r"mail address|mailto"):
        KINDS["email"].check(url, mail)


def test_without_a_mail_server_there_is_no_mail(means: Means) -> None:
    with pytest.raises(AddressRefused, match="LETHE_SMTP_URL"):
        KINDS["email"].check("mailto:ops@studio.example", means)


def test_a_line_for_a_channel(sender: Sender, engine: Engine, store: JobStore, hook: Hook, means: Means) -> None:
    """What follows the host may be a secret: it is not shown."""
    with sink() as channel:
        for kind in ("slack", "webhook"):
            assert KINDS[kind].check(f"{channel.url}?token=t", means) == channel.url.replace("/hook", "/...")
        hook(channel.url, kind="slack")
        job = ended(store)
        (sent,) = tried(sender, engine)
        assert (sent.status, sent.response) == ("delivered", 204)
        (received,) = channel.received
    assert orjson.loads(received.body) == {"text": f"Lethe: job {job.id} cancelled\njob: /v1/jobs/{job.id}"}
    assert not any(name.startswith("webhook-") for name in received.headers)


def test_a_seal_needs_its_key(tmp_path: Path) -> None:
    path = tmp_path / "new" / "webhook.key"
    with pytest.raises(Unsealable, match="there is no key file"):
        Sealer(path).open("x")
    with ThreadPoolExecutor(8) as pool:  # as many processes, each with the file still to be made
        sealed = list(pool.map(lambda i: Sealer(path).seal(f"secret {i}"), range(8)))
    assert [Sealer(path).open(each) for each in sealed] == [f"secret {i}" for i in range(8)]
    assert not any("secret" in each for each in sealed)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["webhook.key"]
    old = path.read_text()
    path.write_bytes(Fernet.generate_key() + b"\n")
    with pytest.raises(Unsealable, match="a key that is not in"):
        Sealer(path).open(sealed[0])
    path.write_bytes(Fernet.generate_key() + b"\n" + old.encode())  # a new one before it
    assert Sealer(path).open(sealed[0]) == "secret 0"
    path.write_text("nonsense")
    with pytest.raises(Unsealable, match="Fernet keys, one a line"):
        Sealer(path).seal("x")
