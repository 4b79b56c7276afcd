"""URLs of other servers, as they are read and checked at start. What is said of a wrong one never shows any part of it:
it may hold a password, and what is taken for a port or a host may be half of one."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

ESCAPED = "in a user or a password write % as %25, / as %2F, @ as %40, : as %3A, # as %23, ? as %3F, [ as %5B, ] as %5D"
TLS_WORDS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
"""What the query of a ``rediss://`` URL may name, all of them files: the authorities that are believed, a certificate
of our own and its key."""


def check_database_url(url: str) -> str:
    """Return the URL of a Postgres, which is SQLAlchemy's.

    Raises:
        ValueError: for one that cannot be read as it was meant.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        readable = _is_host(make_url(url).host) and _has_one_host(url)
    except (ArgumentError, ValueError):
        readable = False
    if not readable:
        several = "; several hosts are written ?host=HOST1:PORT&host=HOST2:PORT" if "," in url else ""
        raise ValueError(f"cannot be read: postgresql+psycopg://USER:PASSWORD@HOST:PORT/DATABASE; {ESCAPED}{several}")
    return url


def check_broker_url(url: str) -> str:
    """Return the URL of a Valkey or Redis, which is Celery's.

    Raises:
        ValueError: for one that cannot be read as it was meant, words of TLS that are not known, or files of it that
            are not there.
    """
    try:
        parts = urlsplit(url)
        number = parts.path.strip("/")
        by_socket = url.startswith("redis+socket://") and bool(number)
        by_host = bool(parts.hostname) and _is_host(parts.hostname) and (not number or number.isdecimal())
        readable = (by_socket or by_host) and parts.port != 0 and not parts.fragment and _has_one_host(url)
    except ValueError:
        readable = False
    if not readable:
        raise ValueError(f"cannot be read: redis://:PASSWORD@HOST:PORT/NUMBER; {ESCAPED}")
    if is_tls(url):
        for name, path in tls_settings(url).items():
            if name in TLS_WORDS and not Path(path).is_file():
                raise ValueError(f"{name}: no such file")
    return url


def check_artifacts_url(url: str) -> str:
    """Return the URL of a store of files, which is fsspec's.

    Raises:
        ValueError: for one of an unknown kind, or whose driver is not installed.
    """
    import fsspec

    kind = url.partition("://")[0]
    try:
        fsspec.get_filesystem_class(kind)
    except ImportError as error:
        missing = "pip install 'lethe[s3]'" if kind in ("s3", "s3a") else str(error)
        raise ValueError(f"{kind}:// needs what is not installed: {missing}") from None
    except ValueError:
        raise ValueError(f"{kind}:// is no store that fsspec knows: file:///folder, s3://bucket/prefix") from None
    return url


def redis_url(url: str) -> str:
    """Return Celery's URL of a broker, as redis-py writes it: it has another form for a Unix socket."""
    if not url.startswith("redis+socket://"):
        return url
    parts = urlsplit(url)
    database = parse_qs(parts.query).get("virtual_host", ["0"])[0]
    return f"unix://{parts.path}?db={database.lstrip('/')}"


def is_tls(url: str) -> bool:
    """Return whether a broker is spoken to by TLS."""
    return url.startswith("rediss://")


def tls_settings(url: str) -> dict[str, Any]:
    """Return how redis-py is to speak TLS with a broker: its certificate is verified, by the system's authorities or
    those of ``ssl_ca_certs``.

    Raises:
        ValueError: for a word in the URL's query that is none of ``TLS_WORDS``.
    """
    words = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    if unknown := sorted(set(words) - set(TLS_WORDS)):
        raise ValueError(f"{', '.join(unknown)}: of TLS a URL may say {', '.join(TLS_WORDS)}; it is always verified")
    return {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True, **words}


def _has_one_host(url: str) -> bool:
    """Whether the place between scheme and path is one host, with at most one user before it."""
    place = url.partition("://")[2].partition("?")[0].partition("/")[0]
    return place.count("@") <= 1 and "," not in place


def _is_host(host: str | None) -> bool:
    """Whether nothing of a password has become part of the host; none is a socket's."""
    return not set(host or "") & set("@/#?[, ")
