"""A webhook as it comes in a request: its URL checked by its kind, and what is secret sealed before it is stored."""

from __future__ import annotations

from collections.abc import Sequence

from api.services import Services
from jobs.webhooks import NewWebhook, named_events
from telling.kinds import KINDS
from telling.kinds.webhook import new_secret


def new_webhook(
    use: Services, kind: str, url: str, events: Sequence[str], description: str = ""
) -> tuple[NewWebhook, str | None]:
    """Make a webhook, and its secret where its kind signs.

    Raises:
        AddressRefused: for a URL that nothing is sent to.
        ValueError: for an unknown event.
    """
    secret = new_secret() if KINDS[kind].signs else None
    named = named_events(events)
    shown, sealed = sealed_url(use, kind, url)
    sealed_secret = None if secret is None else use.sealer.seal(secret)
    return NewWebhook(kind, shown, sealed, sealed_secret, named, description), secret


def sealed_url(use: Services, kind: str, url: str) -> tuple[str, str]:
    """Return a URL as it may be shown, and sealed as it is used.

    Raises:
        AddressRefused: for one that nothing is sent to.
    """
    return KINDS[kind].check(url, use.means), use.sealer.seal(url)
