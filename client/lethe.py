"""The service as an object: a method for each thing that it does."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from client import download, event_stream
from client.answers import (
    Advice,
    AuditEntry,
    BaseModel,
    Decision,
    Estimate,
    Event,
    Generator,
    Job,
    Override,
    Samples,
    Tombstone,
    read,
)
from client.reports import Report
from client.transport import Transport
from client.webhooks import WebhookCalls

DEFAULT_URL = "http://127.0.0.1:8321"
SAMPLES_A_REQUEST = 64
"""The most that the service draws in one request."""
SAMPLES_SECONDS = 90.0
"""Longer than the service itself waits for a sampler, so that it is the one to say that none came."""


class Lethe(WebhookCalls):
    """A Lethe service at ``url`` (``LETHE_URL``, else this machine) with ``api_key`` (``LETHE_API_KEY``).

    ``timeout``: seconds that one step of a request may take. ``retries``: how often a request that met a broken
    connection, 429 or 503 is sent again, after a pause that grows and is never shorter than ``Retry-After`` asks
    for. Safe to share between threads; use it as a context manager, or call :meth:`close`.

    Every method raises :class:`client.LetheError`.
    """

    def __init__(
        self, url: str | None = None, api_key: str | None = None, timeout: float = 30.0, *, retries: int = 4
    ) -> None:
        self.url = url or os.environ.get("LETHE_URL") or DEFAULT_URL
        self._transport = Transport(self.url, api_key or os.environ.get("LETHE_API_KEY"), timeout, retries)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._transport.close()

    # What can be unlearned from

    def base_models(self) -> list[BaseModel]:
        """List the registered base models."""
        return [read(BaseModel, entry) for entry in self._pages("/v1/base-models", {})]

    def refused_models(self) -> Mapping[str, str]:
        """Return why the service refuses a model that it was given, by the name of its folder."""
        return {entry["name"]: entry["reason"] for entry in self._get("/v1/base-models").get("refused", ())}

    def base_model(self, name: str) -> BaseModel:
        """Return one base model."""
        return read(BaseModel, self._get(f"/v1/base-models/{_segment(name)}"))

    # Jobs

    def submit(
        self,
        base_model: str,
        forget: Mapping[str, Override],
        *,
        images: int | None = None,
        seconds: float | None = None,
        until: str | None = None,
        recipe: Mapping[str, Any] | None = None,
        thresholds: Mapping[str, float] | None = None,
        evaluation: Mapping[str, Any] | None = None,
        seed: int | None = None,
        metadata: Mapping[str, str] | None = None,
        webhook: Mapping[str, Any] | None = None,
        case: Mapping[str, str] | None = None,
        priority: str | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Submit a job. ``forget``: {concept: what overrides it}. ``images``, ``seconds``: the budget, the most that
        training may take; ``until``: "pass" or "budget". ``webhook``: told of this job, such as
        ``{"url": "https://hooks.example/lethe", "events": ["job.finished"]}``. ``case``: the request for removal that
        it answers, any of "ticket", "requester", "received_at", "due_at", "basis" and "note", times as RFC 3339 writes
        them. ``priority``: "low", "normal" or "urgent".

        What is left out is the service's default. Each call makes one job, however often its request has to be
        sent: it carries an idempotency key, a fresh one unless ``idempotency_key`` is given.
        """
        budget: dict[str, Any] = {"images": images, "seconds": seconds, "until": until}
        optional = {
            "recipe": recipe,
            "thresholds": thresholds,
            "evaluation": evaluation,
            "seed": seed,
            "metadata": metadata,
            "webhook": webhook,
            "case": case,
            "priority": priority,
        }
        body = {
            "base_model": base_model,
            "forget": [{"concept": concept, "override": override} for concept, override in forget.items()],
            "budget": {name: value for name, value in budget.items() if value is not None},
            **{name: value for name, value in optional.items() if value is not None},
        }
        return self.submit_request(body, idempotency_key=idempotency_key)

    def submit_request(self, body: Mapping[str, Any], *, idempotency_key: str | None = None) -> Job:
        """Submit a whole request, as the API takes it: one with words and prompts, one that was kept in a file, or the
        changes to that of the job which ``like`` names."""
        headers = {"idempotency-key": idempotency_key or uuid.uuid4().hex}
        return read(Job, self._transport.json("POST", "/v1/jobs", repeatable=True, json=body, headers=headers))

    def estimate(self, body: Mapping[str, Any]) -> Estimate:
        """Say what a request, as :meth:`submit_request` takes it, would take. It is checked in full, as if it were
        submitted, and nothing is kept."""
        return read(Estimate, self._transport.json("POST", "/v1/estimates", repeatable=True, json=body))

    def advice(self, job_id: str) -> list[Advice]:
        """Say what to try after a job that did not pass. Raises ``Conflict`` while it has no report."""
        return [read(Advice, entry) for entry in self._get(f"{_job(job_id)}/advice")["data"]]

    def job(self, job_id: str) -> Job:
        """Return the job as it is now."""
        return read(Job, self._get(_job(job_id)))

    def jobs(
        self,
        *,
        status: str | None = None,
        base_model: str | None = None,
        verdict: str | None = None,
        concept: str | None = None,
        ticket: str | None = None,
        metadata: Mapping[str, str] | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        id: str | None = None,
        overdue: bool = False,
        due_before: datetime | None = None,
        page_size: int = 50,
    ) -> Iterator[Job]:
        """Yield every job of which all is so that is given; pages are fetched as they are needed. Newest first, or,
        where what is due is asked for, earliest due first.

        Args:
            concept: one that it forgets.
            ticket: its case's.
            metadata: values by key, such as ``{"team": "trust"}``.
            created_after, created_before, due_before: with a time zone.
            id: its id, or the last 6 characters or more.
            overdue: only those whose case is due and of which no generator is served.
        """
        wanted = {
            "status": status,
            **_found_by(base_model, verdict, concept, ticket, metadata, created_after, created_before, id),
            "overdue": "true" if overdue else None,
            "due_before": _time(due_before),
            "limit": page_size,
        }
        return (read(Job, entry) for entry in self._pages("/v1/jobs", wanted))

    def correct_case(self, job_id: str, changes: Mapping[str, str | None] | None) -> Job:
        """Change the case of a job: what is given replaces what is there, None removes it, what is left out stays.
        ``changes`` None: removes the whole case."""
        body = {"case": None if changes is None else dict(changes)}
        return read(Job, self._transport.json("PATCH", _job(job_id), repeatable=True, json=body))

    def cancel(self, job_id: str) -> Job:
        """Ask a job to stop. One that waits is cancelled at once; asking twice changes nothing."""
        return read(Job, self._transport.json("POST", f"{_job(job_id)}/cancel", repeatable=True))

    def retry(self, job_id: str) -> Job:
        """Put a job that failed or was cancelled back into the queue. Raises ``Conflict`` for any other."""
        return read(Job, self._transport.json("POST", f"{_job(job_id)}/retry", repeatable=False))

    def events(self, job_id: str, after: int = 0) -> Iterator[Event]:
        """Yield the job's events after sequence number ``after``, each as it happens, until the job is over.

        A connection that breaks is opened again where it broke: no event is missing, none comes twice.
        """
        return event_stream.follow(self._transport, f"{_job(job_id)}/events", after)

    def wait(self, job_id: str, on_progress: Callable[[Event], None] | None = None) -> Job:
        """Wait until the job is over and return it. ``on_progress`` is called with every event on the way."""
        seen = 0
        while True:
            for event in self.events(job_id, seen):
                seen = event.seq
                if on_progress is not None:
                    on_progress(event)
            if (job := self.job(job_id)).finished:  # somebody may have retried it since
                return job

    # What came of them

    def report(self, job_id: str) -> Report:
        """Return what the evaluation found. Raises ``Conflict`` while there is no report."""
        return read(Report, self._get(f"{_job(job_id)}/report"))

    def report_html(self, job_id: str) -> str:
        """Return the report as a page that stands alone."""
        headers = {"accept": "text/html"}
        return self._transport.request("GET", f"{_job(job_id)}/report", repeatable=True, headers=headers).text

    def report_file(self, job_id: str, name: str) -> bytes:
        """Fetch a picture of the report, by the name that the report gives, such as ``pairs.png``."""
        path = f"{_job(job_id)}/report"
        return self._transport.request("GET", path, repeatable=True, params={"file": name}).content

    def decision(self, job_id: str) -> Decision:
        """Return what became of the request that a job answers. Raises ``Conflict`` while the job is not over."""
        return read(Decision, self._get(f"{_job(job_id)}/decision"))

    def decision_html(self, job_id: str) -> str:
        """Return the decision as a page that stands alone, for one sheet of paper."""
        headers = {"accept": "text/html"}
        return self._transport.request("GET", f"{_job(job_id)}/decision", repeatable=True, headers=headers).text

    def generators(
        self,
        *,
        status: str | None = None,
        base_model: str | None = None,
        verdict: str | None = None,
        concept: str | None = None,
        ticket: str | None = None,
        metadata: Mapping[str, str] | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        id: str | None = None,
        page_size: int = 50,
    ) -> Iterator[Generator]:
        """Yield every generator, newest first, of which all is so that is given, as of :meth:`jobs`: ticket, metadata
        and concept are its job's. ``status``: "published" or "withheld"."""
        wanted = {
            "status": status,
            **_found_by(base_model, verdict, concept, ticket, metadata, created_after, created_before, id),
            "limit": page_size,
        }
        return (read(Generator, entry) for entry in self._pages("/v1/generators", wanted))

    def generator(self, generator_id: str) -> Generator:
        """Return one generator."""
        return read(Generator, self._get(_generator(generator_id)))

    def record(self, generator_id: str) -> str:
        """Return the generator's unlearning record, as it was signed. ``lethe record verify`` checks one."""
        return self._transport.request("GET", f"{_generator(generator_id)}/record", repeatable=True).text

    def release(self, generator_id: str, reason: str) -> Generator:
        """Have a withheld generator served although it did not pass; needs a key with the scope ``admin``. ``reason``
        goes into a new record. Raises ``Conflict`` for one that is not withheld."""
        path = f"{_generator(generator_id)}/release"
        return read(Generator, self._transport.json("POST", path, repeatable=False, json={"reason": reason}))

    def download(self, generator_id: str, target: str | Path) -> Path:
        """Fetch a generator's diffusers folder with its evaluation and its record: into ``target``, or as it comes if
        ``target`` ends in ``.zip``.

        ``target`` appears only once it is complete and every file has its digest. Raises ``Refused`` rather than
        overwrite anything.
        """
        target = Path(target)
        download.check_target(target)
        digests = download.named_in(self.record(generator_id))
        with self._transport.reading(f"{_generator(generator_id)}/archive") as chunks:
            return download.save(chunks, target, digests)

    def sample(
        self,
        generator_id: str,
        concept: str | None = None,
        n: int = 1,
        seed: int = 0,
        *,
        prompt: str | None = None,
    ) -> list[bytes]:
        """Draw ``n`` images of ``concept``, or of a text-to-image generator's ``prompt``, as PNG files, in as many
        requests as it takes. Image i depends on ``seed + i`` alone, whatever ``n`` is."""
        images: list[bytes] = []
        for first in range(0, n, SAMPLES_A_REQUEST):
            some = min(SAMPLES_A_REQUEST, n - first)
            images += [
                image.png for image in self.draw(generator_id, concept, some, seed + first, prompt=prompt).images
            ]
        return images

    def draw(
        self,
        generator_id: str,
        concept: str | None = None,
        n: int = 1,
        seed: int = 0,
        *,
        prompt: str | None = None,
    ) -> Samples:
        """Draw the same in one request, at most 64 images, with whether it names what the generator has forgotten."""
        return read(Samples, self._draw(generator_id, concept, prompt, n, seed, "json").json())

    def sample_grid(
        self,
        generator_id: str,
        concept: str | None = None,
        n: int = 16,
        seed: int = 0,
        *,
        prompt: str | None = None,
    ) -> bytes:
        """Draw the same images on one sheet, as one PNG. At most 64."""
        return self._draw(generator_id, concept, prompt, n, seed, "grid").content

    def _draw(
        self, generator_id: str, concept: str | None, prompt: str | None, n: int, seed: int, form: str
    ) -> httpx.Response:
        what = {name: value for name, value in (("concept", concept), ("prompt", prompt)) if value is not None}
        body = {**what, "n": n, "seed": seed, "format": form}
        path = f"{_generator(generator_id)}/samples"
        return self._transport.request("POST", path, repeatable=True, json=body, read_timeout=SAMPLES_SECONDS)

    # What was deleted, and what is stored

    def delete_job(self, job_id: str, reason: str) -> Tombstone:
        """Delete a job that is over, and its generator with it; needs a key with the scope ``admin``. ``reason`` stays
        in the tombstone. Deleting it again answers the same. Raises ``Conflict`` for one that waits or runs."""
        return self._delete(_job(job_id), reason)

    def delete_generator(self, generator_id: str, reason: str) -> Tombstone:
        """Delete a generator; its job and report stay. Otherwise as :meth:`delete_job`."""
        return self._delete(_generator(generator_id), reason)

    def tombstones(self, *, page_size: int = 50) -> Iterator[Tombstone]:
        """Yield the tombstone of every job and generator that was deleted, newest first."""
        return (read(Tombstone, entry) for entry in self._pages("/v1/tombstones", {"limit": page_size}))

    def tombstone(self, deleted: str) -> Tombstone:
        """Return what is kept of a job or a generator, by the id that it had."""
        return read(Tombstone, self._get(f"/v1/tombstones/{_segment(deleted)}"))

    def tombstone_record(self, deleted: str) -> str:
        """Return the tombstone as it was signed. ``lethe record verify`` checks one."""
        path = f"/v1/tombstones/{_segment(deleted)}/record"
        return self._transport.request("GET", path, repeatable=True).text

    def storage(self) -> Mapping[str, Mapping[str, int]]:
        """Return what the tenant has stored: ``objects`` and ``bytes`` by kind; needs a key with the scope
        ``admin``."""
        answer = self._get("/v1/storage")
        return {kind: stored for kind, stored in answer.items() if kind != "object"}

    def _delete(self, path: str, reason: str) -> Tombstone:
        return read(Tombstone, self._transport.json("DELETE", path, repeatable=True, json={"reason": reason}))

    # Who did what

    def audit_log(
        self,
        *,
        action: str | None = None,
        actor: str | None = None,
        object_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        oldest_first: bool = False,
        page_size: int = 50,
    ) -> Iterator[AuditEntry]:
        """Yield every entry of the tenant's audit log, newest first, of which all is so that is given; needs a key with
        the scope ``admin``.

        Args:
            action: such as ``generator.release``.
            actor: the id of an API key, or ``operator``, ``service`` or ``anybody``.
            object_id: the id of what it is about.
            since, until: with a time zone.
        """
        wanted = {
            "action": action,
            "actor": actor,
            "object_id": object_id,
            "since": None if since is None else since.isoformat(),
            "until": None if until is None else until.isoformat(),
            "order": "oldest" if oldest_first else None,
            "limit": page_size,
        }
        return (read(AuditEntry, entry) for entry in self._pages("/v1/audit", wanted))

    # How lists and single things are fetched

    def _get(self, path: str) -> dict[str, Any]:
        return self._transport.json("GET", path, repeatable=True)

    def _pages(self, path: str, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        return self._transport.pages(path, params)


def _found_by(
    base_model: str | None,
    verdict: str | None,
    concept: str | None,
    ticket: str | None,
    metadata: Mapping[str, str] | None,
    created_after: datetime | None,
    created_before: datetime | None,
    id: str | None,
) -> dict[str, str | None]:
    """What lists of jobs and of generators can both be asked for, as parameters."""
    return {
        "base_model": base_model,
        "verdict": verdict,
        "concept": concept,
        "ticket": ticket,
        "created_after": _time(created_after),
        "created_before": _time(created_before),
        "id": id,
        **{f"metadata.{key}": value for key, value in (metadata or {}).items()},
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _job(job_id: str) -> str:
    return f"/v1/jobs/{_segment(job_id)}"


def _generator(generator_id: str) -> str:
    return f"/v1/generators/{_segment(generator_id)}"


def _segment(name: str) -> str:
    """One path segment, whatever the name holds."""
    return quote(name, safe="")
