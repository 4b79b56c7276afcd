"""URLs that cannot be read as they were meant, and that nothing of them is shown."""

from __future__ import annotations

import pytest

from jobs.settings import Settings, SettingsError, load_settings
from jobs.urls import check_artifacts_url, check_broker_url, check_database_url

DATABASE = "postgresql+psycopg://"


@pytest.mark.parametrize(
    "rest",
    [
        "u@/db?host=/tmp/sockets",
        "u:p@db.example:5432/db",
        "u:p%23%2F%40%5B@db.example/db?options=-csearch_path%3Dlethe&sslmode=verify-full",
        "u:se#c/r[e?t@db.example/db",  # SQLAlchemy reads these as they were meant
        "u@[::1]:5432/db",
        "u@/db?host=one:5432&host=two:5433",
    ],
)
def test_databases(rest: str) -> None:
    assert check_database_url(DATABASE + rest) == DATABASE + rest


@pytest.mark.parametrize(
    "rest",
    [
        "u:s@SECRET@db.example/db",
        "u:SECRET@one:1,two:2/db",
        "u:SECRET@one,two/db",
        "u:p@db.example:SECRET/db",
        "u:p@h@x",
    ],
)
def test_databases_that_are_none(rest: str) -> None:
    with pytest.raises(SettingsError, match=r"LETHE_DATABASE_URL: cannot be read: .*%40") as refused:
        load_settings({"database_url": DATABASE + rest})
    assert "SECRET" not in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert ("several hosts" in str(refused.value)) == ("," in rest)


@pytest.mark.parametrize(
    "url",
    ["redis://h", "redis://h:6379/0", "redis://:p%23@h/1", "redis://[::1]:6379/0", "redis+socket:///x?virtual_host=3"],
)
def test_brokers(url: str) -> None:
    assert check_broker_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "redis://:SECRET#1@h:6379/0",
        "redis://:SECRET/1@h:6379/0",
        "redis://:SECRET[1@h/0",
        "redis://:SECRET?1@h/0",
        "redis://:s@SECRET@h/0",
        "redis://:SECRET@h1,h2:6379/0",
        "redis://h:SECRET/0",
        "redis://h/SECRET",
        "redis+socket://",
    ],
)
def test_brokers_that_are_none(url: str) -> None:
    with pytest.raises(SettingsError, match=r"LETHE_BROKER_URL: cannot be read: .*%23") as refused:
        load_settings({"broker_url": url})
    assert "SECRET" not in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("ssl_cert_reqs=none", "ssl_cert_reqs: of TLS a URL may say ssl_ca_certs, .*; it is always verified"),
        ("ssl_check_hostname=false", "ssl_check_hostname: of TLS"),
        ("ssl_ca_certs=/nowhere/ca.pem", "ssl_ca_certs: no such file"),
    ],
)
def test_tls_that_is_refused(query: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings({"broker_url": f"rediss://h:6379/0?{query}"})


def test_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_artifacts_url("memory://x") == "memory://x"
    with pytest.raises(ValueError, match="floppy:// is no store that fsspec knows"):
        check_artifacts_url("floppy://x")
    monkeypatch.setitem(__import__("sys").modules, "s3fs", None)
    with pytest.raises(SettingsError, match=r"LETHE_ARTIFACTS_URL: s3:// needs .*pip install 'lethe\[s3\]'"):
        load_settings({"artifacts_url": "s3://bucket/prefix"})


def test_urls_are_not_shown() -> None:
    assert "SECRET" not in repr(Settings(database_url=f"{DATABASE}u:SECRET@h/db", broker_url="redis://:SECRET@h/0"))
