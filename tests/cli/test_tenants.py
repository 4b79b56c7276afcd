"""``lethe tenants`` and ``lethe keys rotate``."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import Engine

from jobs import keys, tenants
from jobs.errors import InvalidKey
from jobs.store import JobStore
from jobs.tenants import LIMITS, Limits
from tests.cli.conftest import Command
from tests.store.making import created


@pytest.fixture
def on(database_url: str) -> Command:
    """Runs ``lethe`` on a database of this test's own."""
    return Command({"LETHE_DATABASE_URL": database_url, "COLUMNS": "200"})


def test_create_limit_list(on: Command, engine: Engine) -> None:
    made = on("tenants", "create", "acme", "--limit", "queued_jobs=5", "--limit", "running_jobs=2")
    assert made.stdout == "acme: queued_jobs=5, running_jobs=2. Its keys: `lethe keys create --tenant acme`\n"
    created(JobStore(engine))
    changed = on("tenants", "limit", "acme", "queued_jobs=none", "samples_per_minute=600")
    assert changed.stdout == "acme: running_jobs=2, samples_per_minute=600\n"
    assert tenants.list_tenants(engine)[0].limits == Limits(running_jobs=2, samples_per_minute=600)
    on("tenants", "create", "free")
    listed = on("tenants", "list").stdout
    (acme,) = [line for line in listed.splitlines() if "acme" in line]
    assert re.search(r"│ 1 +│ 0 of 2 +│ 0 +│ 0 +│ 0 of 600 +│", acme), listed
    assert "free" in listed
    lifted = on("tenants", "limit", "acme", "running_jobs=none", "samples_per_minute=null")
    assert lifted.stdout == "acme: no limits\n"


def test_the_help_names_every_limit(on: Command) -> None:
    for command in (("create",), ("limit",)):
        told = on("tenants", *command, "--help").stdout
        assert all(name in told for name in LIMITS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "a b"), "a tenant has 1 to 64 letters"),
        (("create", "acme"), "there is a tenant 'acme' already"),
        (("create", "x", "--limit", "speed=1"), "'speed' is no limit: there are queued_jobs"),
        (("create", "x", "--limit", "queued_jobs"), "must be written like running_jobs=2"),
        (("create", "x", "--limit", "queued_jobs=1", "--limit", "queued_jobs=2"), "given twice"),
        (("limit", "acme", "queued_jobs=-1"), "queued_jobs must be a whole number from 0"),
        (("limit", "acme", "queued_jobs=many"), "not 'many'"),
        (("limit", "acme"), "Missing argument"),
        (("limit", "nobody", "queued_jobs=1"), "there is no tenant 'nobody'"),
    ],
)
def test_what_is_refused(on: Command, engine: Engine, arguments: tuple[str, ...], said: str) -> None:
    tenants.create(engine, "acme", {"queued_jobs": 7})
    refused = on("tenants", *arguments)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert said in " ".join(re.sub("[│╭╮╰╯─]", " ", refused.stderr).split())
    assert [(each.name, each.limits) for each in tenants.list_tenants(engine)] == [("acme", Limits(queued_jobs=7))]


def test_rotate(on: Command, engine: Engine) -> None:
    before = on("keys", "create", "--name", "ci", "--scope", "read").stdout.strip()
    rotated = on("keys", "rotate", "ci", "--overlap", "48")
    assert rotated.exit_code == 0
    after = rotated.stdout.strip()
    old, new = keys.authenticate(engine, before), keys.authenticate(engine, after)
    assert (new.name, new.scopes, old.replaced_by) == ("ci", old.scopes, new.id)
    assert f"{new.id} replaces {old.id} (ci), which ends at {old.expires_at:%Y-%m-%d %H:%M} UTC" in rotated.stderr
    assert after not in rotated.stderr
    assert f"replaced, valid until {old.expires_at:%Y-%m-%d}" in on("keys", "list").stdout
    assert on("keys", "rotate", new.id, "--overlap", "0").exit_code == 0
    with pytest.raises(InvalidKey):
        keys.authenticate(engine, after)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody",), "there is no API key 'nobody' of tenant 'default'"),
        (("ci", "--tenant", "acme"), "there is no API key 'ci' of tenant 'acme'"),
        (("twin",), "several API keys have the name 'twin'"),
        (("old",), "has ended"),
        (("ci", "--overlap", "-1"), "--overlap"),
        (("ci", "--overlap", "9000"), "the overlap must be from 0 to 8784 hours"),
        (("ci", "--overlap", "nan"), "--overlap"),
    ],
)
def test_what_is_not_rotated(on: Command, engine: Engine, arguments: tuple[str, ...], said: str) -> None:
    for name in ("ci", "twin", "twin", "old"):
        keys.create(engine, "default", name, ["read"])
    keys.revoke(engine, keys.list_keys(engine)[0].id)
    refused = on("keys", "rotate", *arguments)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert said in " ".join(re.sub("[│╭╮╰╯─]", " ", refused.stderr).split())
    assert len(keys.list_keys(engine)) == 4
