"""``lethe webhooks`` and the client's methods, against the real api."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from client import Conflict, Forbidden, InvalidRequest, Lethe, NotFound
from tests.cli.conftest import Command
from tests.cli.service import Service
from tests.support.waiting import wait_for

URL = "https://hooks.example/lethe"
SHOWN = "https://hooks.example/..."


@pytest.fixture
def admin(api: Service, tenant: str) -> Iterator[Lethe]:
    """A client that may everything of this test's tenant."""
    with Lethe(api.url, api.key(tenant, "admin")) as client:
        yield client


@pytest.fixture
def run_admin(api: Service, tenant: str) -> Command:
    """Runs ``lethe`` with such a key."""
    return Command({"LETHE_URL": api.url, "LETHE_API_KEY": api.key(tenant, "admin")})


def test_the_commands(run_admin: Command, admin: Lethe) -> None:
    run = run_admin
    created = run("webhooks", "create", URL, "--event", "job.finished", "--description", "the studio's")
    assert created.exit_code == 0
    assert created.stdout.startswith("whsec_")
    (hook,) = admin.webhooks()
    assert created.stderr.startswith(f"{hook.id}: told of job.succeeded, job.failed, job.cancelled. Keep the secret")
    assert created.stdout.strip() not in created.stderr
    listed = run("webhooks", "list").stdout
    assert all(each in listed for each in (hook.id, SHOWN, "the studio's", "enabled"))
    updated = run("webhooks", "update", hook.id, "--event", "job.cancelled", "--url", URL + "/2")
    assert updated.stdout == f"{hook.id}: webhook, {SHOWN}, job.cancelled; enabled\n"
    rotated = run("webhooks", "rotate", hook.id, "--overlap", "2")
    assert rotated.stdout.startswith("whsec_")
    assert rotated.stdout != created.stdout
    assert "the secret before is good until" in rotated.stderr
    assert "has ended" in run("webhooks", "rotate", hook.id, "--overlap", "0").stderr
    admin.cancel(admin.submit("fashion", {"Sneaker": "Sandal"}).id)
    (delivery,) = wait_for(lambda: [each for each in admin.deliveries(hook.id) if each.tries])
    told = run("webhooks", "deliveries", hook.id)
    assert all(each in told.stdout for each in (delivery.id, "job.cancelled", "the host's name cannot be resolved"))
    assert json.loads(run("webhooks", "deliveries", hook.id, "--json", "-n", "1").stdout)["id"] == delivery.id
    assert run("webhooks", "redeliver", hook.id, delivery.id).stdout == f"{delivery.id}: pending\n"
    assert run("webhooks", "update", hook.id, "--disable").stdout.endswith("; disabled\n")
    refused = run("webhooks", "redeliver", hook.id, delivery.id)
    assert (refused.exit_code, "enable it first" in refused.stderr) == (2, True)
    assert json.loads(run("webhooks", "show", hook.id, "--json").stdout)["secret"] is None
    assert run("webhooks", "delete", hook.id).stdout == f"{hook.id}: deleted\n"
    assert list(admin.webhooks()) == []


def test_a_jobs_own_webhook(run: Command, lethe: Lethe) -> None:
    submitted = run("submit", "--base", "fashion", "--forget", "Sneaker=Sandal", "--webhook", URL)
    assert submitted.exit_code == 0
    (job,) = lethe.jobs()
    assert job.webhook is not None
    assert (job.webhook.url, job.webhook.secret) == (SHOWN, None)
    assert f"{job.webhook.id} signs with this secret, which is shown once: whsec_" in submitted.stderr
    assert "whsec_" not in submitted.stdout
    made = lethe.submit("fashion", {"Bag": "Sandal"}, webhook={"url": URL, "events": ["job.started"]})
    assert made.webhook is not None
    assert made.webhook.events == ("job.started",)
    assert str(made.webhook.secret).startswith("whsec_")
    assert "whsec_" not in repr(made)


def test_what_the_client_raises(lethe: Lethe, admin: Lethe) -> None:
    with pytest.raises(Forbidden, match="`admin`"):
        lethe.create_webhook(URL)
    with pytest.raises(InvalidRequest, match="not of the public internet"):
        admin.create_webhook("http://127.1/")
    with pytest.raises(NotFound):
        admin.webhook("hook_none")
    channel = admin.create_webhook("https://hooks.example/T0/B0", kind="slack", events=["job.failed"])
    assert (channel.url, channel.secret) == (SHOWN, None)
    with pytest.raises(Conflict, match="signs nothing"):
        admin.rotate_webhook_secret(channel.id)
    assert admin.update_webhook(channel.id, disabled=True).disabled_because == "asked"
    with pytest.raises(NotFound, match="has no delivery"):
        admin.redeliver(channel.id, "dlv_none")
    admin.delete_webhook(channel.id)
    with pytest.raises(NotFound):
        admin.delete_webhook(channel.id)
