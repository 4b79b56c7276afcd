"""API keys: the table gives no key away, and a key that ended opens nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from jobs import keys
from jobs.errors import InvalidKey, KeyConflict, KeyNotFound

NOW = datetime.now(UTC)


def test_a_key_opens_its_tenant(engine: Engine) -> None:
    key, secret = keys.create(engine, "acme", "ci", ["submit", "read"], NOW + timedelta(days=1))
    assert re.fullmatch(r"lethe_[A-Za-z0-9_-]{40}", secret)
    found = keys.authenticate(engine, secret)
    assert (found.id, found.tenant, found.name, found.scopes) == (key.id, "acme", "ci", frozenset({"submit", "read"}))
    assert secret.startswith(key.prefix)
    assert [k.id for k in keys.list_keys(engine, "acme")] == [key.id]
    assert keys.list_keys(engine, "other") == []


def test_a_dump_of_the_table_holds_no_usable_key(engine: Engine) -> None:
    secrets = [keys.create(engine, "acme", f"key {i}", ["read"])[1] for i in range(5)]
    with engine.connect() as connection:
        dump = "\n".join(connection.execute(text("SELECT api_keys::text FROM api_keys")).scalars())
    for secret in secrets:
        assert secret not in dump
        assert secret[len("lethe_") + 6 :][:8] not in dump
    # Nothing in the dump, taken for a secret, opens anything.
    for word in re.findall(r"[A-Za-z0-9_-]{8,}", dump):
        for guess in (word, f"lethe_{word}"):
            with pytest.raises(InvalidKey):
                keys.authenticate(engine, guess)


def test_two_keys_are_never_alike(engine: Engine) -> None:
    assert len({keys.create(engine, "acme", "same", ["read"])[1] for _ in range(20)}) == 20


@pytest.mark.parametrize("secret", ["", "lethe_", "lethe_" + "A" * 40, "\0", "\ud800", "x" * 10_000])
def test_an_unknown_key(engine: Engine, secret: str) -> None:
    with pytest.raises(InvalidKey) as caught:
        keys.authenticate(engine, secret)
    assert (caught.value.extra["reason"], caught.value.kind.status) == ("unknown", 401)


def test_an_expired_key(engine: Engine) -> None:
    _, secret = keys.create(engine, "acme", "old", ["read"], NOW - timedelta(seconds=1))
    with pytest.raises(InvalidKey, match="expired") as caught:
        keys.authenticate(engine, secret)
    assert caught.value.extra["reason"] == "expired"


def test_a_revoked_key_is_refused_at_once(engine: Engine) -> None:
    key, secret = keys.create(engine, "acme", "leaked", ["read"])
    keys.authenticate(engine, secret)
    revoked = keys.revoke(engine, key.id, "acme")
    with pytest.raises(InvalidKey, match="revoked"):
        keys.authenticate(engine, secret)
    assert keys.revoke(engine, key.id).revoked_at == revoked.revoked_at, "revoking again keeps the first time"
    assert keys.list_keys(engine)[0].revoked_at == revoked.revoked_at


def test_another_tenants_key_cannot_be_revoked(engine: Engine) -> None:
    key, secret = keys.create(engine, "acme", "ci", ["read"])
    for key_id, tenant in ((key.id, "other"), ("key_" + "0" * 32, None), ("\0", None)):
        with pytest.raises(KeyNotFound):
            keys.revoke(engine, key_id, tenant)
    assert keys.authenticate(engine, secret).id == key.id


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        (["submit"], {"submit"}),
        (["read"], {"read"}),
        (["submit", "read"], {"submit", "read"}),
        (["admin"], {"submit", "read", "admin"}),
        (["metrics"], {"metrics"}),
    ],
)
def test_scopes(engine: Engine, scopes: list[str], allowed: set[str]) -> None:
    key, _ = keys.create(engine, "acme", "k", scopes)
    all_scopes: list[keys.Scope] = ["submit", "read", "admin", "metrics"]
    assert {scope for scope in all_scopes if key.allows(scope)} == allowed


@pytest.mark.parametrize("scopes", [[], ["root"], ["read", "write"]])
def test_scopes_that_are_none(engine: Engine, scopes: list[str]) -> None:
    with pytest.raises(ValueError, match="scopes must be"):
        keys.create(engine, "acme", "k", scopes)


@pytest.mark.parametrize(
    "tenant", ["", "a" * 65, "acme\n", "a b", ".acme", "\N{LATIN SMALL LETTER A WITH ACUTE}cme", "acme/x"]
)
def test_tenants_that_are_none(engine: Engine, tenant: str) -> None:
    with pytest.raises(ValueError, match="a tenant has 1 to 64 letters"):
        keys.create(engine, tenant, "name", ["read"])


@pytest.mark.parametrize("name", ["", "n" * 101, "two\nlines", "a\x00b", "a\u202eb"])
def test_names_that_are_none(engine: Engine, name: str) -> None:
    with pytest.raises(ValueError, match="name has 1 to 100 characters"):
        keys.create(engine, "acme", name, ["read"])


def test_an_expiry_needs_a_time_zone(engine: Engine) -> None:
    with pytest.raises(ValueError, match="time zone"):
        keys.create(engine, "acme", "k", ["read"], datetime(2030, 1, 1))


def test_last_use_is_noted_once_a_minute(engine: Engine) -> None:
    key, secret = keys.create(engine, "acme", "k", ["read"])
    assert key.last_used_at is None
    keys.authenticate(engine, secret)
    first = keys.list_keys(engine)[0].last_used_at
    assert first is not None
    keys.authenticate(engine, secret)
    assert keys.list_keys(engine)[0].last_used_at == first
    with engine.begin() as connection:
        connection.execute(text("UPDATE api_keys SET last_used_at = last_used_at - interval '2 minutes'"))
    keys.authenticate(engine, secret)
    last = keys.list_keys(engine)[0].last_used_at
    assert last is not None
    assert last > first - timedelta(minutes=1)


def test_a_key_is_rotated_with_overlap(engine: Engine) -> None:
    old, before = keys.create(engine, "acme", "ci", ["submit", "read"])
    new, ending, after = keys.rotate(engine, "ci", "acme", timedelta(hours=24))
    assert (new.tenant, new.name, new.scopes, new.expires_at) == ("acme", "ci", old.scopes, None)
    assert (ending.id, ending.replaced_by) == (old.id, new.id)
    assert ending.expires_at is not None
    assert timedelta(hours=23) < ending.expires_at - NOW < timedelta(hours=25)
    assert keys.authenticate(engine, before).id == old.id
    assert keys.authenticate(engine, after).id == new.id
    with engine.begin() as connection:
        connection.execute(text("UPDATE api_keys SET expires_at = expires_at - interval '25 hours'"))
    with pytest.raises(InvalidKey, match="expired"):
        keys.authenticate(engine, before)
    assert keys.authenticate(engine, after).id == new.id


def test_the_newest_of_a_name_is_rotated(engine: Engine) -> None:
    keys.create(engine, "acme", "ci", ["read"])
    first = keys.rotate(engine, "ci", "acme", timedelta(hours=1))[0]
    second, old, _ = keys.rotate(engine, "ci", "acme", timedelta(hours=1))
    assert old.id == first.id
    assert keys.rotate(engine, second.id, "any", timedelta(0))[1].id == second.id


def test_a_key_lives_as_long_as_the_one_before(engine: Engine) -> None:
    old, secret = keys.create(engine, "acme", "ci", ["read"], NOW + timedelta(days=30))
    with engine.begin() as connection:
        days = "interval '29 days'"
        moved = f"created_at = created_at - {days}, expires_at = expires_at - {days}"
        connection.execute(text(f"UPDATE api_keys SET {moved}"))
    new, ending, _ = keys.rotate(engine, old.id, "acme", timedelta(days=7))
    assert new.expires_at is not None
    assert timedelta(days=29) < new.expires_at - NOW < timedelta(days=31)
    assert ending.expires_at is not None
    assert ending.expires_at - NOW < timedelta(days=2), "it does not live longer for being replaced"
    assert keys.authenticate(engine, secret).id == old.id


def test_without_overlap_the_old_key_ends_at_once(engine: Engine) -> None:
    _, secret = keys.create(engine, "acme", "leaked", ["read"])
    keys.rotate(engine, "leaked", "acme", timedelta(0))
    with pytest.raises(InvalidKey, match="expired"):
        keys.authenticate(engine, secret)


def test_what_cannot_be_rotated(engine: Engine) -> None:
    hour = timedelta(hours=1)
    twins = [keys.create(engine, "acme", "twin", ["read"])[0] for _ in range(2)]
    with pytest.raises(KeyConflict, match=f"several API keys have the name 'twin': .*{twins[0].id}"):
        keys.rotate(engine, "twin", "acme", hour)
    for which, tenant in (("twin", "other"), ("nothing", "acme"), ("key_" + "0" * 32, "acme"), ("", "acme")):
        with pytest.raises(KeyNotFound, match="there is no API key"):
            keys.rotate(engine, which, tenant, hour)
    new = keys.rotate(engine, twins[0].id, "acme", hour)[0]
    with pytest.raises(KeyConflict, match=f"was replaced by {new.id}"):
        keys.rotate(engine, twins[0].id, "acme", hour)
    keys.revoke(engine, twins[1].id)
    with pytest.raises(KeyConflict, match="has ended"):
        keys.rotate(engine, twins[1].id, "acme", hour)
    for overlap in (timedelta(hours=-1), timedelta(days=367)):
        with pytest.raises(ValueError, match="the overlap must be from 0 to 8784 hours"):
            keys.rotate(engine, new.id, "acme", overlap)
    assert len(keys.list_keys(engine)) == 3, "what is refused makes no key"
