"""``lethe keys`` and ``lethe migrate``: on a database that is named, and on the embedded one of a data folder."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from client import Lethe, Unauthenticated
from jobs import keys
from jobs.database import head, revision
from jobs.errors import InvalidKey
from tests.cli.conftest import Command
from tests.cli.service import Service
from tests.support.waiting import wait_for


@pytest.fixture
def on(database_url: str) -> Command:
    """Runs ``lethe`` on a database of this test's own."""
    return Command({"LETHE_DATABASE_URL": database_url})


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data folder that Postgres gets to as another user."""
    folder = Path(tempfile.mkdtemp(prefix="lethe-keys-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder / "data"
    shutil.rmtree(folder)


def test_create_list_revoke(on: Command, engine: Engine) -> None:
    made = on("keys", "create", "--name", "ci [bot]", "--scope", "read", "--tenant", "acme", "--days", "30")
    assert made.exit_code == 0
    secret = made.stdout.strip()
    key = keys.authenticate(engine, secret)
    assert (key.name, key.tenant, sorted(key.scopes)) == ("ci [bot]", "acme", ["read"])
    assert key.expires_at is not None
    assert timedelta(days=29) < key.expires_at - datetime.now(UTC) < timedelta(days=31)
    assert secret not in made.stderr
    assert "shown once" in made.stderr

    listed = on("keys", "list").stdout
    assert key.id in listed
    assert "ci [bot]" in listed
    assert secret not in listed
    assert f"valid until {key.expires_at:%Y-%m-%d}" in listed
    assert "acme" not in on("keys", "list", "--tenant", "another").stdout

    assert on("keys", "revoke", key.id).stdout == f"{key.id} (ci [bot]): revoked\n"
    assert f"revoked {datetime.now(UTC):%Y-%m-%d}" in on("keys", "list").stdout
    with pytest.raises(InvalidKey):
        keys.authenticate(engine, secret)


def test_by_default_a_key_may_submit_and_read(on: Command, engine: Engine) -> None:
    key = keys.authenticate(engine, on("keys", "create", "--name", "laptop").stdout.strip())
    assert (key.tenant, sorted(key.scopes), key.expires_at) == ("default", ["read", "submit"], None)


def test_what_is_refused(on: Command) -> None:
    result = on("keys", "revoke", "key_1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "there is no API key 'key_1'" in result.stderr
    assert on("keys", "create", "--name", "x", "--scope", "everything").exit_code == 2
    assert on("keys", "create", "--name", "x", "--days", "0").exit_code == 2
    for wrong in (("--name", "x", "--tenant", "a b"), ("--name", "two\nlines")):
        refused = on("keys", "create", *wrong)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert "characters" in refused.stderr or "a tenant has 1 to 64 letters" in refused.stderr


def test_the_key_opens_the_service(api: Service) -> None:
    on = Command(dict(api.settings))
    secret = on("keys", "create", "--name", "laptop", "--tenant", "keys-test").stdout.strip()
    with Lethe(api.url, secret) as lethe:
        assert list(lethe.jobs()) == []
    revoked = re.search(r"key_[0-9a-f]{32}", on("keys", "list", "--tenant", "keys-test").stdout)
    assert revoked is not None
    on("keys", "revoke", revoked[0])
    with Lethe(api.url, secret) as lethe:
        wait_for(lambda: refused(lethe))  # what the service remembers of a good key, it forgets within seconds


def refused(lethe: Lethe) -> bool:
    """Whether the service no longer takes the key."""
    try:
        list(lethe.jobs())
    except Unauthenticated:
        return True
    return False


def test_keys_of_the_embedded_database(data_dir: Path) -> None:
    """Started for as long as the command needs it; the key is there when `lethe up` comes."""
    on = Command({"LETHE_DATABASE_URL": "", "LETHE_DATA_DIR": str(data_dir)})
    made = on("keys", "create", "--name", "first")
    assert made.exit_code == 0
    assert made.stdout.startswith("lethe_")
    assert "first" in on("keys", "list").stdout


def test_migrate(empty_database_url: str) -> None:
    on = Command({"LETHE_DATABASE_URL": empty_database_url})
    result = on("keys", "list")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "run `lethe migrate`" in result.stderr
    assert on("migrate").stdout.splitlines()[-1] == f"empty -> {head()}"
    assert revision(empty_database_url) == head()
    assert on("migrate").stdout.splitlines()[-1] == f"the schema is at {head()} already"
    assert on("keys", "list").exit_code == 0


def test_migrate_without_a_database() -> None:
    result = Command({"LETHE_DATABASE_URL": ""})("migrate")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "LETHE_DATABASE_URL is not set" in result.stderr
    result = Command({"LETHE_DATABASE_URL": "postgresql://lethe@127.0.0.1:1/lethe"})("migrate")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "the database cannot be used: " in result.stderr


@pytest.mark.parametrize("variable", ["LETHE_DATABASE_URL", "LETHE_PORT", "LETHE_HOST"])
def test_wrong_settings(variable: str) -> None:
    wrong = {"LETHE_DATABASE_URL": "mysql://x", "LETHE_PORT": "99999", "LETHE_HOST": "0.0.0.0"}
    result = Command({variable: wrong[variable]})("migrate")
    assert (result.exit_code, result.stdout) == (2, "")
    assert variable in result.stderr
