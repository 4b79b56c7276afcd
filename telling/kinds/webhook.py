"""A signed POST of JSON, as the Standard Webhooks specification has it: any library of that verifies it."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

from jobs.deliveries import Outcome
from telling.kind import AGENT, Destination, Kind, Means
from telling.message import Message

_SECRET_BYTES = 32


def new_secret() -> str:
    """Make a secret: ``whsec_`` and 32 random bytes."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}"


def signed(message_id: str, body: bytes, keys: Sequence[str], at: datetime) -> dict[str, str]:
    """Return the header fields of a message that is sent at ``at``, with a signature by each of ``keys``."""
    signatures = [Webhook(key).sign(message_id, at, body.decode()) for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _check(url: str, means: Means) -> str:
    return means.guard.check(url).shown


def _send(message: Message, to: Destination, means: Means) -> Outcome:
    body = message.body()
    headers = {"Content-Type": "application/json", "User-Agent": AGENT}
    headers |= signed(message.id, body, to.secrets, datetime.now(UTC))
    return means.posting.post(means.guard.check(to.url), headers, body)


KIND = Kind(
    name="webhook",
    place=10,
    summary="a signed POST of JSON to a URL of http or https (Standard Webhooks)",
    signs=True,
    check=_check,
    send=_send,
)
