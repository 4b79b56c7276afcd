"""A kind of webhook: how a URL of it is checked and a message sent. Each file in ``telling/kinds`` brings one; nothing
else has to know of it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

from jobs.deliveries import Outcome
from jobs.settings import Settings
from telling.addresses import Guard
from telling.message import Message
from telling.posting import Posting

AGENT = f"Lethe/{version('lethe')}"


@dataclass(frozen=True)
class Means:
    """The means to send with. ``smtp_url``, ``smtp_from``: None where there is no mail."""

    posting: Posting
    smtp_url: str | None = None
    smtp_from: str | None = None

    @property
    def guard(self) -> Guard:
        """The judge of addresses."""
        return self.posting.guard

    @classmethod
    def of(cls, settings: Settings) -> Means:
        """Make those that the settings name."""
        posting = Posting(Guard(settings.webhook_allow), ssl.create_default_context())
        return cls(posting, settings.smtp_url, settings.smtp_from)


@dataclass(frozen=True)
class Destination:
    """Where a message goes. ``secrets``: those to sign with, the newest first."""

    url: str
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
    """A kind of webhook. ``place``: among the others on a page. ``signs``: whether it has a secret.

    ``check`` returns a URL as it may be shown, and raises ``AddressRefused``. ``send`` tries once.
    """

    name: str
    place: int
    summary: str
    signs: bool
    check: Callable[[str, Means], str]
    send: Callable[[Message, Destination, Means], Outcome]
