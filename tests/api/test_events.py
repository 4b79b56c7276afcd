"""A job's events: in pages, and as a stream that breaks and is taken up again."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest

from jobs.states import EventType
from tests.api.making import advance, failed, is_problem, pointers, publish, submitted, train
from tests.support.serving import Service
from tests.support.waiting import wait_for

STREAM = {"accept": "text/event-stream"}


@contextmanager
def streaming(
    service: Service, job_id: str, last: int | None = None, headers: dict[str, str] | None = None
) -> Iterator[tuple[httpx.Response, Iterator[str]]]:
    """The open stream of a job's events, by line."""
    sent = STREAM | (headers or {}) | ({} if last is None else {"last-event-id": str(last)})
    with (
        httpx.Client(base_url=service.url, timeout=20) as http,
        http.stream("GET", f"/v1/jobs/{job_id}/events", headers=sent) as answer,
    ):
        yield answer, answer.iter_lines()


def events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The events in a stream's lines; each one's fields agree with each other."""
    fields: dict[str, str] = {}
    for line in lines:
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif not line and "data" in fields:
            event = json.loads(fields["data"])
            assert fields["id"] == str(event["seq"])
            assert fields["event"] == event["type"]
            yield event
            fields = {}


def test_pages(service: Service) -> None:
    job_id = submitted(service)
    train(service.store, job_id, 1024)
    page = service.http.get(f"/v1/jobs/{job_id}/events", params={"limit": 3}).json()
    assert [event["seq"] for event in page["data"]] == [1, 2, 3]
    assert [event["type"] for event in page["data"]] == ["job.queued", "job.started", "job.phase"]
    assert (page["has_more"], page["next"]) == (True, "3")
    rest = service.http.get(f"/v1/jobs/{job_id}/events", params={"after": page["next"]}).json()
    assert [event["seq"] for event in rest["data"]] == [4, 5, 6, 7]
    assert rest["data"][-1]["data"]["images"] == 1024
    assert (rest["has_more"], rest["next"]) == (False, None)


@pytest.mark.parametrize("params", [{"limit": 501}, {"after": -1}, {"after": "x"}, {"after": 2**31}, {"since": 1}])
def test_a_query_that_is_wrong(service: Service, params: dict[str, Any]) -> None:
    is_problem(service.http.get(f"/v1/jobs/{submitted(service)}/events", params=params), 422, "invalid_request")


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "", "9" * 30, "²"])
def test_a_last_event_id_that_is_none(service: Service, last: str) -> None:
    headers = [*STREAM.items(), ("last-event-id", last.encode())]
    answer = service.http.get(f"/v1/jobs/{submitted(service)}/events", headers=headers)  # type: ignore[arg-type]
    assert pointers(is_problem(answer, 422, "invalid_request")) == ["/Last-Event-ID"]


def test_a_stream_brings_what_was_and_what_comes_and_ends_with_the_job(service: Service, tmp_path: Any) -> None:
    job_id = submitted(service)
    attempt = train(service.store, job_id, 256)
    with streaming(service, job_id) as (answer, lines):
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        coming = events(lines)
        assert [next(coming)["type"] for _ in range(4)] == ["job.queued", "job.started", "job.phase", "job.metrics"]
        began = time.monotonic()
        advance(service.store, job_id, attempt, 512)
        assert next(coming)["data"]["images"] == 512
        assert time.monotonic() - began < 3
        publish(service, job_id, attempt, tmp_path)
        assert [event["type"] for event in coming] == ["job.phase", "job.succeeded"]  # and the stream is over
    with streaming(service, job_id, last=7) as (answer, _):
        assert answer.status_code == 204
    with streaming(service, job_id, last=6) as (_, lines):
        assert [event["type"] for event in events(lines)] == ["job.succeeded"]


def test_a_stream_goes_on_past_an_end_that_was_retried(service: Service) -> None:
    job_id = submitted(service)
    failed(service.store, job_id)
    service.store.retry(job_id)
    with streaming(service, job_id) as (_, lines):
        coming = events(lines)
        types = [next(coming)["type"] for _ in range(6)]
        assert types[-2:] == ["job.failed", "job.retried"]
        service.store.request_cancel(job_id)
        assert [event["type"] for event in coming] == ["job.cancelled"]


def test_a_stream_cut_at_random_places_misses_and_repeats_nothing(
    service: Service, full: bool, figure: Callable[[str], None]
) -> None:
    job_id = submitted(service)
    attempt = train(service.store, job_id, 256)
    total = 10_000 if full else 3000

    def write() -> None:
        for i in range(0, total, 100):
            told = [(EventType.PROGRESS, {"images": i + j}) for j in range(100)]
            service.store.progress(job_id, attempt, {"images": i, "of": total}, told)
        service.store.request_cancel(job_id)
        service.store.cancelled(job_id, attempt)

    writer = threading.Thread(target=write)
    writer.start()
    chance = random.Random(7)
    seen: list[int] = []
    cuts = 0
    while True:
        left = chance.randint(1, 900)  # also beyond what a stream reads at once
        with streaming(service, job_id, last=seen[-1] if seen else None) as (_, lines):
            for event in events(lines):
                seen.append(event["seq"])
                left -= 1
                if left == 0:
                    break
            else:
                break
        cuts += 1
    writer.join()
    assert cuts > 3
    assert seen == list(range(1, service.store.get(job_id).last_seq + 1))
    assert len(seen) > total
    figure(f"{len(seen)} events, {cuts} cuts: 0 missing, 0 repeated")


def test_many_streams_hold_neither_threads_nor_connections(service: Service) -> None:
    job_id = submitted(service)
    pool = service.app.state.services.engine.pool
    gauge = "lethe_event_streams "

    def opened() -> int:
        text = service.http.get("/metrics").text
        return int(float(next(line for line in text.splitlines() if line.startswith(gauge)).split()[1]))

    before = opened()
    with ExitStack() as streams:
        opened_lines = []  # a stream whose reader is forgotten is closed
        for _ in range(60):  # more than the server has threads or connections
            _, lines = streams.enter_context(streaming(service, job_id))
            opened_lines.append(lines)
            assert next(events(lines))["type"] == "job.queued"
        assert opened() == before + 60
        wait_for(lambda: pool.checkedout() == 0)
        assert service.http.get(f"/v1/jobs/{job_id}").status_code == 200
    wait_for(lambda: opened() == before)


def test_a_silent_stream_pings(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.streams.PING_SECONDS", 0.3)
    monkeypatch.setattr("api.streams.LOOK_UP_SECONDS", 0.1)
    with streaming(service, submitted(service)) as (_, lines):
        assert [line for line, _ in zip((line for line in lines if line == ": ping"), range(2), strict=False)]
