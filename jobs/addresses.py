"""Addresses that settings name of what is told: hosts that may be told, this service as others reach it, a mail
server, a sender. What is said of a wrong one shows nothing of it that may be a password."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*", re.ASCII)
"""A host name in small letters, of labels of up to 63 letters, digits and dashes; an international one as
``xn--...``."""
MAIL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@([A-Za-z0-9.-]+)", re.ASCII)
"""An address without quotation marks, comments or anything that could be a second one."""


def check_hosts(entries: tuple[str, ...]) -> tuple[str, ...]:
    """Return host names, addresses and networks, in small letters.

    Raises:
        ValueError: for an entry that is none of these.
    """
    found = []
    for entry in (each.lower() for each in entries):
        try:
            ipaddress.ip_network(entry)
        except ValueError:
            if not HOST.fullmatch(entry) or re.fullmatch(r"[\d.]+", entry):
                raise ValueError(
                    f"{entry!r} is no host name, address or network, such as hooks.internal or 10.0.0.0/24"
                ) from None
        found.append(entry)
    return tuple(found)


def check_public_url(url: str) -> str:
    """Return the URL of this service, without a slash at its end.

    Raises:
        ValueError: for one that is none.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must be a URL such as https://lethe.example")
    return url.rstrip("/")


def check_smtp_url(url: str) -> str:
    """Return the URL of a mail server.

    Raises:
        ValueError: for one that cannot be read as it was meant.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("smtp", "smtps") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.path.strip("/") or parts.query or parts.fragment or url.count("@") > 1:
        raise ValueError("cannot be read: smtps://USER:PASSWORD@HOST:465 or smtp://USER:PASSWORD@HOST:587")
    return url


def check_mail_address(address: str) -> str:
    """Return one mail address.

    Raises:
        ValueError: for anything else.
    """
    found = MAIL.fullmatch(address)
    if found is None or len(address) > 254 or not HOST.fullmatch(found[2].lower()):
        raise ValueError(f"{address[:100]!r} is no mail address such as ops@example.org")
    return address
