"""Webhooks, as the client's methods: who is told of what becomes of jobs, and whether it was delivered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from client.answers import Delivery, Webhook, read
from client.transport import Transport

PATH = "/v1/webhooks"


class WebhookCalls:
    """The methods of :class:`client.Lethe` for webhooks. They take a key with the scope ``admin``."""

    _transport: Transport

    def create_webhook(
        self, url: str, *, kind: str | None = None, events: Sequence[str] | None = None, description: str | None = None
    ) -> Webhook:
        """Make a webhook that is told of every job, by default of the ends alone. Its ``secret`` is in this answer and
        in no other.

        Args:
            kind: ``webhook``, the default, ``slack``, or ``email`` with ``mailto:ops@example.org`` for a URL.
        """
        body = {"url": url, "kind": kind, "events": events, "description": description}
        return read(Webhook, self._transport.json("POST", PATH, repeatable=False, json=_given(body)))

    def webhooks(self, *, job: str | None = None, page_size: int = 50) -> Iterator[Webhook]:
        """Yield every webhook, newest first; with ``job``, that of this job alone."""
        return (read(Webhook, entry) for entry in self._transport.pages(PATH, {"job": job, "limit": page_size}))

    def webhook(self, webhook_id: str) -> Webhook:
        """Return one webhook."""
        return read(Webhook, self._transport.json("GET", _webhook(webhook_id), repeatable=True))

    def update_webhook(
        self,
        webhook_id: str,
        *,
        url: str | None = None,
        events: Sequence[str] | None = None,
        description: str | None = None,
        disabled: bool | None = None,
    ) -> Webhook:
        """Change what is given of a webhook; the rest and its secret stay."""
        body = _given({"url": url, "events": events, "description": description, "disabled": disabled})
        return read(Webhook, self._transport.json("PATCH", _webhook(webhook_id), repeatable=True, json=body))

    def delete_webhook(self, webhook_id: str) -> None:
        """Delete a webhook. What was not delivered will not be."""
        self._transport.request("DELETE", _webhook(webhook_id), repeatable=False)

    def rotate_webhook_secret(self, webhook_id: str, overlap_hours: float | None = None) -> Webhook:
        """Replace a webhook's secret; the new one is in this answer and in no other. For a while deliveries are signed
        with both."""
        path, body = f"{_webhook(webhook_id)}/rotate", _given({"overlap_hours": overlap_hours})
        return read(Webhook, self._transport.json("POST", path, repeatable=False, json=body))

    def deliveries(self, webhook_id: str, *, status: str | None = None, page_size: int = 50) -> Iterator[Delivery]:
        """Yield what the webhook was told or is to be told, newest first."""
        wanted = {"status": status, "limit": page_size}
        entries = self._transport.pages(f"{_webhook(webhook_id)}/deliveries", wanted)
        return (read(Delivery, entry) for entry in entries)

    def redeliver(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Have a delivery sent again now, with the same id."""
        path = f"{_webhook(webhook_id)}/deliveries/{quote(delivery_id, safe='')}/redeliver"
        return read(Delivery, self._transport.json("POST", path, repeatable=True))


def _webhook(webhook_id: str) -> str:
    return f"{PATH}/{quote(webhook_id, safe='')}"


def _given(body: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if name == "events" else value for name, value in body.items() if value is not None}
