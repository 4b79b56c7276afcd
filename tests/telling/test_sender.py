"""What webhooks are told, and when: written with the event, sent by nobody whom a job waits for, again and again with
one id, and by one sender at a time. With real receivers, which are down, slow, gone or replayed."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from sqlalchemy import Engine, func, insert, select, text, update
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from jobs import deliveries, schema
from jobs.database import DATABASE_ERRORS
from jobs.deliveries import JITTER, PAUSES, DeliveryLog, Outcome
from jobs.errors import WebhookConflict
from jobs.sealing import Sealer
from jobs.states import EventType
from jobs.store import JobStore
from jobs.webhooks import Change, NewWebhook, Webhook, WebhookStore
from telling.kind import Means
from telling.kinds.webhook import signed
from telling.message import Message
from telling.posting import Posting
from telling.sender import Sender
from tests.cli.service import free_port
from tests.store.making import DIVERGED, at_once, claimed, count, created, new_job, publication
from tests.support.sink import Received, Sink, sink
from tests.support.waiting import wait_for
from tests.telling.conftest import SECRETS, ended, make_due, tried

Hook = Callable[..., Webhook]
IDS = "webhook-id"
MANY = """
    INSERT INTO deliveries (id, tenant, webhook_id, job_id, seq, type, attempt, data, occurred_at)
    SELECT 'dlv_' || webhooks.id || i, webhooks.tenant, webhooks.id, :job, i, 'job.cancelled', 0, '{}', now()
      FROM webhooks, generate_series(1000, 4000) AS i
"""


@pytest.fixture
def receiver() -> Sink:
    with sink() as made:
        yield made


def verified(received: Received, secret: str = SECRETS[0]) -> dict[str, object]:
    """What a receiver makes of it with the library of the specification."""
    found: dict[str, object] = Verifier(secret).verify(received.body, dict(received.headers))
    return found


def test_a_job_that_ends_is_told_and_verified(
    sender: Sender, engine: Engine, store: JobStore, hook: Hook, receiver: Sink
) -> None:
    hook(receiver.url)
    claim = claimed(store)
    done = store.publish(claim.job.id, claim.attempt, publication("fail"))
    (sent,) = tried(sender, engine)
    assert (sent.status, sent.response, sent.error, sent.tries) == ("delivered", 204, None, 1)
    (received,) = receiver.received
    told = verified(received)
    assert received.headers[IDS] == sent.id
    assert received.headers["content-type"] == "application/json"
    assert told["type"] == "job.succeeded"
    assert told["data"] == {
        "object": "job",
        "id": done.id,
        "status": "succeeded",
        "verdict": "fail",
        "attempt": 1,
        "seq": 3,
        "generator": done.generator_id,
        "error": None,
        "links": {
            "job": f"/v1/jobs/{done.id}",
            "report": f"/v1/jobs/{done.id}/report",
            "generator": f"/v1/generators/{done.generator_id}",
        },
    }
    assert b"Sneaker" not in received.body


def test_what_was_changed_or_is_old_is_refused_by_receivers(
    sender: Sender, engine: Engine, store: JobStore, hook: Hook, receiver: Sink, figure: Callable[[str], None]
) -> None:
    hook(receiver.url)
    ended(store)
    tried(sender, engine)
    (received,) = receiver.received
    verified(received)
    with pytest.raises(WebhookVerificationError):
        verified(Received("/", received.headers, received.body.replace(b"cancelled", b"succeeded")))
    with pytest.raises(WebhookVerificationError):
        verified(received, SECRETS[1])
    for minutes, said in ((-6, "too old"), (6, "too new")):
        at = datetime.now(UTC) + timedelta(minutes=minutes)
        replayed = Received("/", signed("dlv_1", received.body, [SECRETS[0]], at), received.body)
        with pytest.raises(WebhookVerificationError, match=said):
            verified(replayed)
    figure("changed, of another secret, six minutes old: refused by the standard verifier")


def test_a_receiver_that_is_down_is_told_when_it_is_back(
    sender: Sender, engine: Engine, store: JobStore, hook: Hook, log: DeliveryLog, figure: Callable[[str], None]
) -> None:
    """With the same id in every try and redelivery, signed anew each time."""
    port = free_port()
    made = hook(f"http://127.0.0.1:{port}/hook")
    ended(store)
    (first,) = tried(sender, engine)
    assert (first.status, first.error, first.response) == ("pending", "cannot connect", None)
    assert tried(sender, engine) == [], "not before its pause is over"
    with sink(port=port) as receiver:
        receiver.status = 500
        make_due(engine)
        (second,) = tried(sender, engine)
        assert (second.status, second.error, second.response) == ("pending", "answered 500", 500)
        receiver.status = 204
        make_due(engine)
        (third,) = tried(sender, engine)
        assert (third.status, third.tries) == ("delivered", 3)
        assert log.redeliver("acme", made.id, third.id).status == "pending"
        (fourth,) = tried(sender, engine)
        assert (fourth.status, fourth.tries, fourth.tries_before) == ("delivered", 4, 3)
        assert [each.headers[IDS] for each in receiver.received] == [first.id] * 3
        assert len({each.body for each in receiver.received}) == 1
        for each in receiver.received:
            verified(each)
    figure("4 tries and a redelivery: 1 webhook-id")


def test_pauses_grow_for_three_days_and_then_it_has_failed(
    sender: Sender, engine: Engine, store: JobStore, hook: Hook, receiver: Sink
) -> None:
    receiver.status = 503
    hook(receiver.url)
    ended(store)
    pauses = []
    for _ in range(len(PAUSES)):
        make_due(engine)
        (pending,) = tried(sender, engine)
        assert pending.next_try_at is not None
        assert pending.tried_at is not None
        pauses.append((pending.next_try_at - pending.tried_at).total_seconds())
    for pause, planned in zip(pauses, PAUSES, strict=True):
        assert planned * (1 - JITTER) <= pause <= planned * (1 + JITTER) + 5
    assert 3 <= sum(PAUSES) / 86400 <= 5
    make_due(engine)
    (last,) = tried(sender, engine)
    assert (last.status, last.tries, last.next_try_at) == ("failed", len(PAUSES) + 1, None)
    assert deliveries.undelivered(engine) == (0, 0.0)


def test_retry_after_is_waited_for(sender: Sender, engine: Engine, store: JobStore, hook: Hook, receiver: Sink) -> None:
    receiver.status, receiver.fields = 429, {"Retry-After": "7200"}
    hook(receiver.url)
    ended(store)
    (pending,) = tried(sender, engine)
    assert pending.next_try_at is not None
    assert 7195 <= (pending.next_try_at - datetime.now(UTC)).total_seconds() <= 7205


def test_a_receiver_that_is_gone_is_told_nothing_more(
    sender: Sender,
    engine: Engine,
    store: JobStore,
    hook: Hook,
    hooks: WebhookStore,
    log: DeliveryLog,
    receiver: Sink,
    figure: Callable[[str], None],
) -> None:
    receiver.status = 410
    made = hook(receiver.url)
    for _ in range(3):
        ended(store)
    (gone,) = tried(sender, engine)
    assert (gone.status, gone.response) == ("failed", 410)
    found = hooks.get("acme", made.id)
    assert (found.disabled_because, found.disabled_at is None) == ("gone", False)
    assert {each.status for each in log.list("acme", made.id).data} == {"failed"}
    ended(store)
    make_due(engine)
    assert tried(sender, engine) == []
    assert len(receiver.received) == 1
    with pytest.raises(WebhookConflict, match="enable it first"):
        log.redeliver("acme", made.id, gone.id)
    hooks.update("acme", made.id, Change(disabled=False))
    receiver.status = 200
    assert log.redeliver("acme", made.id, gone.id).status == "pending"
    assert [each.status for each in tried(sender, engine)] == ["delivered"]
    figure("410 once, with 3 more to tell: 1 request")


def test_no_job_waits_for_a_receiver(
    engine: Engine,
    store: JobStore,
    hook: Hook,
    receiver: Sink,
    sealer: Sealer,
    means: Means,
    full: bool,
    figure: Callable[[str], None],
) -> None:
    """While one answers nothing, jobs are submitted, claimed and published as they were without it."""

    def jobs(n: int) -> float:
        began = time.perf_counter()
        for _ in range(n):
            claim = claimed(store)
            assert store.publish(claim.job.id, claim.attempt, publication()).status == "succeeded"
        return (time.perf_counter() - began) / n * 1000

    patient = Posting(means.guard, means.posting.tls, seconds=50)  # for as long as this takes on a busy machine
    sender = Sender(engine, sealer, Means(patient))
    times = 50 if full else 10
    jobs(2)
    before = jobs(times)
    hook(receiver.url)
    receiver.go.clear()
    sender.start()
    try:
        first = claimed(store)
        store.publish(first.job.id, first.attempt, publication())
        wait_for(lambda: receiver.received)
        meanwhile = jobs(times)
        assert len(receiver.received) == 1, "still the first, which was not answered"
        receiver.go.set()
        wait_for(lambda: len(receiver.received) == times + 1, 60)
    finally:
        sender.stop()
    assert len({each.headers[IDS] for each in receiver.received}) == times + 1
    figure(
        f"{times} jobs beside a receiver that hangs: {before:.0f} ms a job in the store without, {meanwhile:.0f} with"
    )


def test_a_slow_receiver_costs_its_time_and_no_more(engine: Engine, store: JobStore, hook: Hook, means: Means) -> None:
    """One that sends a byte now and then never meets the limit of a single step."""
    listening = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def drip() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            with contextlib.suppress(OSError):
                for _ in range(100):
                    connection.sendall(b"x")
                    if over.wait(0.05):
                        break

    threading.Thread(target=drip, daemon=True).start()
    short = Posting(means.guard, means.posting.tls, seconds=0.5)
    began = time.monotonic()
    outcome = short.post(short.guard.check(f"http://127.0.0.1:{listening.getsockname()[1]}/"), {}, b"{}")
    over.set()
    listening.close()
    assert outcome.error == "no answer within 0.5 s"
    assert time.monotonic() - began < 3


def test_many_senders_send_nothing_twice(engine: Engine, store: JobStore, hook: Hook) -> None:
    for i in range(6):
        hook(f"http://127.0.0.1:{i + 1}/")
    ended(store)
    taken = [due for some in at_once(6, lambda _: deliveries.take_due(engine, 8, 60)) for due in some]
    while more := deliveries.take_due(engine, 8, 60):
        taken += more
    assert len(taken) == 4, "of one tenant at once"
    assert len({due.delivery.id for due in taken}) == len({due.delivery.webhook_id for due in taken}) == 4
    assert deliveries.finish(engine, taken[0], Outcome(204)) is not None
    assert deliveries.finish(engine, taken[0], Outcome(204)) is None
    other, *none = deliveries.take_due(engine, 8, 60)
    assert none == []
    assert other.delivery.webhook_id not in {due.delivery.webhook_id for due in taken}


def test_one_tenants_slow_receivers_are_not_in_anothers_way(
    engine: Engine, store: JobStore, hook: Hook, hooks: WebhookStore, new: Callable[..., NewWebhook]
) -> None:
    for i in range(10):
        hook(f"http://127.0.0.1:{i + 1}/")
    ended(store)
    assert len(deliveries.take_due(engine, 8, 60)) == 4
    hooks.create("other", new("http://127.0.0.1:99/"))
    ended(store, "other")
    (due,) = deliveries.take_due(engine, 8, 60)
    assert due.delivery.tenant == "other"


def test_a_tenant_is_served_while_the_receivers_of_others_hang(
    engine: Engine, store: JobStore, hooks: WebhookStore, new: Callable[..., NewWebhook]
) -> None:
    """Two tenants have all places of a sender, and what waits for them has waited for longer: the next is another's."""
    for tenant in ("a", "b"):
        for i in range(8):
            hooks.create(tenant, new(f"http://127.0.0.1:{i + 1}/"))
        ended(store, tenant)
    hanging = list(deliveries.take_due(engine, 8, 60))
    assert Counter(due.delivery.tenant for due in hanging) == {"a": 4, "b": 4}
    hooks.create("c", new("http://127.0.0.1:99/"))
    ended(store, "c")
    deliveries.finish(engine, hanging[0], Outcome(204))
    (due,) = deliveries.take_due(engine, 1, 60)
    assert due.delivery.tenant == "c"


def test_what_is_due_is_found_without_a_look_at_all_that_waits(engine: Engine, store: JobStore, hook: Hook) -> None:
    for i in range(3):
        hook(f"http://127.0.0.1:{i + 1}/")
    job = ended(store)
    with engine.begin() as connection:
        connection.execute(text(MANY), {"job": job.id})
        connection.execute(text("ANALYZE deliveries"))
        asked = {"limit": 8, "most": 4}
        plan = connection.execute(text("EXPLAIN (ANALYZE) " + deliveries._DUE), asked).scalars().all()
    read = [int(rows) for line in plan if "Scan" in line for rows in re.findall(r"actual .* rows=(\d+)", line)]
    removed = [int(rows) for line in plan for rows in re.findall(r"Rows Removed by \w+: (\d+)", line)]
    assert sum(read) + sum(removed) < 50, "\n".join(plan)
    assert len(deliveries.take_due(engine, 8, 60)) == 3


def test_what_a_sender_that_died_had_is_sent_by_another(engine: Engine, store: JobStore, hook: Hook) -> None:
    hook("http://127.0.0.1:1/")
    ended(store)
    (dead,) = deliveries.take_due(engine, 8, 60)
    assert deliveries.take_due(engine, 8, 60) == ()
    with engine.begin() as connection:
        connection.execute(update(schema.deliveries).values(lease_until=func.now()))
    (again,) = deliveries.take_due(engine, 8, 60)
    assert (again.delivery.id, again.delivery.tries) == (dead.delivery.id, 2)
    assert deliveries.finish(engine, dead, Outcome(error="late")) is None, "it does not count any more"
    assert deliveries.finish(engine, again, Outcome(204)) is not None


def test_what_is_not_committed_is_not_told(engine: Engine, store: JobStore, hook: Hook) -> None:
    hook("http://127.0.0.1:1/", "job.started")
    job = created(store)
    event = insert(schema.events).values(job_id=job.id, seq=2, type="job.started", data={}, attempt=1)
    with engine.connect() as connection, connection.begin() as transaction:
        connection.execute(event)
        assert connection.execute(select(func.count()).select_from(schema.deliveries)).scalar_one() == 1
        transaction.rollback()
    assert count(engine, "deliveries") == 0


def test_each_is_told_what_it_asked_for(
    engine: Engine, store: JobStore, hook: Hook, hooks: WebhookStore, log: DeliveryLog, new: Callable[..., NewWebhook]
) -> None:
    ends, starts, failures = (
        hook("http://a.example/"),
        hook("http://b.example/", "job.started"),
        hook("http://c.example/", "job.failed"),
    )
    hooks.create("other", new("http://d.example/", "job.finished", "job.started"))
    job, _ = store.create(new_job(webhook=new("http://e.example/", "job.started", "job.failed")))
    own = hooks.list("acme", job.id).data[0]
    assert hooks.list("acme").data == (failures, starts, ends), "without those of single jobs"
    store.give_up(job.id, claimed(store, job).attempt, DIVERGED, 3)
    ended(store)
    told = {
        made.id: [str(each.type) for each in log.list("acme", made.id).data] for made in (ends, starts, failures, own)
    }
    assert told == {
        ends.id: ["job.cancelled", "job.failed"],
        starts.id: ["job.started"],
        failures.id: ["job.failed"],
        own.id: ["job.failed", "job.started"],
    }
    assert count(engine, "deliveries") == 6
    failed = next(each for each in log.list("acme", own.id).data if each.type is EventType.FAILED)
    assert dict(failed.data) == {"error": "training_diverged"}, "its code, and nothing of its text"


def test_for_a_while_both_secrets_sign(
    sender: Sender,
    engine: Engine,
    store: JobStore,
    hook: Hook,
    hooks: WebhookStore,
    sealer: Sealer,
    receiver: Sink,
) -> None:
    made = hook(receiver.url)
    rotated = hooks.rotate("acme", made.id, sealer.seal(SECRETS[1]), timedelta(hours=1))
    assert rotated.secret_before_until is not None
    ended(store)
    tried(sender, engine)
    for secret in SECRETS:
        verified(receiver.received[0], secret)
    with engine.begin() as connection:
        connection.execute(update(schema.webhooks).values(secret_before_until=func.now()))
    ended(store)
    tried(sender, engine)
    verified(receiver.received[1], SECRETS[1])
    with pytest.raises(WebhookVerificationError):
        verified(receiver.received[1], SECRETS[0])
    hooks.rotate("acme", made.id, sealer.seal(SECRETS[0]), timedelta(0))
    ended(store)
    tried(sender, engine)
    assert len(receiver.received[2].headers["webhook-signature"].split()) == 1
    verified(receiver.received[2], SECRETS[0])


def test_a_webhook_that_is_disabled_or_deleted_fails_what_waits(
    engine: Engine, store: JobStore, hook: Hook, hooks: WebhookStore, log: DeliveryLog
) -> None:
    off, gone = hook("http://a.example/"), hook("http://b.example/")
    ended(store)
    (due, _) = deliveries.take_due(engine, 8, 60)
    hooks.update("acme", off.id, Change(disabled=True))
    hooks.delete("acme", gone.id)
    assert deliveries.finish(engine, due, Outcome(204)) is None
    assert [each.error for each in log.list("acme", off.id).data] == ["the webhook was disabled"]
    ended(store)
    assert count(engine, "deliveries") == 2
    with engine.connect() as connection:
        row = connection.execute(select(schema.webhooks).where(schema.webhooks.c.id == gone.id)).one()
    assert (row.sealed_url, row.sealed_secret) == (None, None)


def test_what_was_about_to_be_written_as_a_webhook_ended_fails(
    engine: Engine, store: JobStore, hook: Hook, hooks: WebhookStore, log: DeliveryLog
) -> None:
    """A trigger has written what is to be told, and its transaction ends after the webhook's."""
    kept, off, gone = (hook(f"http://{name}.example/") for name in "abc")
    job = created(store)
    event = insert(schema.events).values(job_id=job.id, seq=2, type="job.cancelled", data={}, attempt=0)
    with engine.begin() as connection:
        connection.execute(event)
        hooks.update("acme", off.id, Change(disabled=True))
        hooks.delete("acme", gone.id)
    assert store.forget_deliveries(3600) == 0
    with engine.connect() as connection:
        found = connection.execute(select(schema.deliveries.c.webhook_id, schema.deliveries.c.error)).all()
    assert dict(map(tuple, found)) == {
        kept.id: None,
        off.id: "the webhook was disabled",
        gone.id: "the webhook was deleted",
    }
    assert [each.status for each in log.list("acme", kept.id).data] == ["pending"]


def test_the_reaper_collects_what_is_old(engine: Engine, store: JobStore, hook: Hook, hooks: WebhookStore) -> None:
    kept, gone = hook("http://a.example/"), hook("http://b.example/")
    ended(store)
    hooks.delete("acme", gone.id)
    assert store.forget_deliveries(3600) == 0
    with engine.begin() as connection:
        connection.execute(
            update(schema.deliveries)
            .where(schema.deliveries.c.ended_at.is_not(None))
            .values(ended_at=func.now() - timedelta(1))
        )
    assert store.forget_deliveries(3600) == 1
    assert (count(engine, "deliveries"), count(engine, "webhooks")) == (1, 1), "what waits stays"
    assert hooks.list("acme").data == (kept,)


def test_a_key_that_is_lost_says_so_and_stops_nothing(
    sender: Sender, engine: Engine, store: JobStore, hook: Hook, sealer: Sealer, means: Means, tmp_path
) -> None:
    hook("http://127.0.0.1:1/")
    ended(store)
    (due,) = deliveries.take_due(engine, 8, 60)
    lost = Sender(engine, Sealer(tmp_path / "another.key"), means)
    assert "cannot open this webhook's URL or secret" in str(lost.attempt(due).error)


def test_a_sender_outlives_the_database(
    sender: Sender, engine: Engine, store: JobStore, hook: Hook, receiver: Sink, away: Callable[[], object]
) -> None:
    hook(receiver.url)
    sender.start()
    try:
        with away():  # type: ignore[attr-defined]
            with pytest.raises(DATABASE_ERRORS):
                ended(store)
            sender.nudge()
        ended(store)
        wait_for(lambda: receiver.received, 30)
    finally:
        sender.stop()


def test_the_same_bytes_every_time(engine: Engine, store: JobStore, hook: Hook) -> None:
    hook("http://127.0.0.1:1/")
    ended(store)
    (due,) = deliveries.take_due(engine, 8, 60)
    message = Message.of(due.delivery, "https://lethe.example")
    assert message.body() == Message.of(due.delivery, "https://lethe.example").body()
    assert orjson.loads(message.body())["data"]["links"]["job"].startswith("https://lethe.example/v1/jobs/job_")
