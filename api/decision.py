"""The decision on a request for removal: what was asked, what was measured and what follows, in plain words.

Nothing of it is stored. It is made of the job, the report and the record whenever somebody asks for it, so that it says
what they say, and the words of each test are those of its criterion.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from api.problems import Problem
from api.schemas.case import CaseObject
from api.schemas.decision import AskedConcept, AskedObject, DecisionObject, MeasuredObject, Outcome, RecordObject
from api.schemas.generators import ReleaseObject
from api.services import Services
from jobs.generators import Generator
from jobs.job import Job
from jobs.record import RECORD
from jobs.states import Status
from sfd_core.display.overrides import written_in_words
from sfd_core.evaluation.criteria import CRITERIA
from sfd_core.report.page.limits import LIMITS

SUMMARIES: Mapping[Outcome, str] = {
    "pass": "Passed. Every test that was set before the run was passed, so the generator, the model that was made to "
    "forget, may be used.",
    "fail": "Not passed. At least one test that was set before the run was failed, so the generator, the model that "
    "was made to forget, is withheld: it is kept and may not be used.",
    "inconclusive": "Not decided. At least one test that was set before the run could not be decided and none was "
    "failed, so the generator, the model that was made to forget, is withheld: it is kept and may not be used.",
    "released": "Released by a person. The tests did not end in a pass, and that stays so. An administrator has "
    "decided that the generator, the model that was made to forget, may be used, and gave the reason below.",
    "deleted": "Deleted since. The tests were made, and say what they say below. The generator, the model that was "
    "made to forget, has been deleted with its record, and may not be used.",
    "failed": "No result. The job stopped with an error: no generator was made and nothing was measured.",
    "cancelled": "No result. The job was cancelled before it ended: no generator was made and nothing was measured.",
}
NOTHING_PROVED = (
    "Nothing was measured, so this says nothing of the concept. What the job started from is as it was, and still "
    "makes it."
)
EARLIER = "a concept that was forgotten earlier"
"""In place of its name: that is of another request than the one that is answered."""
ASK_AGAIN_SECONDS = 60
LONGEST_WAIT = 3600


def decision(use: Services, job: Job) -> DecisionObject:
    """Tell what became of ``job``.

    Raises:
        Problem: ``decision_not_ready`` while it is not over, with when to ask again.
    """
    if not job.terminal:
        raise _not_over(job)
    generator = report = None
    if job.status is Status.SUCCEEDED:
        generator = use.generators.for_job(job.id, job.tenant)
        report = use.generators.report(job.id, job.tenant).report
    release = None if generator is None or not generator.release else ReleaseObject.model_validate(generator.release)
    outcome = _outcome(job, generator)
    assert job.finished_at is not None
    decided_at = job.finished_at if release is None else release.at
    served = generator is not None and generator.status == "published"
    due = job.case.due_at
    parent = job.request.get("parent")
    kept = frozenset(parent["kept"]) if parent else frozenset()
    return DecisionObject(
        job=job.id,
        generator=job.generator_id,
        outcome=outcome,
        verdict=job.verdict,
        summary=SUMMARIES[outcome] + (f" {job.error.message}" if job.error else ""),
        served=served,
        decided_at=decided_at,
        answered_at=decided_at if served else None,
        in_time=decided_at <= due if served and due is not None else None,
        as_of=datetime.now(UTC).replace(microsecond=0),
        case=CaseObject.of(job.case),
        asked=AskedObject(
            base_model=job.base_model,
            base_model_digest=job.base_model_digest,
            parent=parent["generator"] if parent else None,
            forget=[
                AskedConcept(concept=item["concept"], override=written_in_words(item["override"]))
                for item in job.request["forget"]
                if item["concept"] not in kept
            ],
            submitted_at=job.created_at,
        ),
        measured=[] if report is None else _measured(report, kept),
        release=release,
        record=None if generator is None else _record(generator),
        verification=_verification_of_deleted(job) if outcome == "deleted" else _verification(generator),
        limits=[NOTHING_PROVED] if report is None else [str(limit) for limit in report.get("limits") or LIMITS],
    )


def _not_over(job: Job) -> Problem:
    left = job.progress.get("eta_seconds") if job.held else None
    seconds = ASK_AGAIN_SECONDS if left is None else min(max(ASK_AGAIN_SECONDS, math.ceil(left)), LONGEST_WAIT)
    detail = f"the job is {job.status}: there is a decision once it is over; ask again in {seconds} s"
    return Problem("decision_not_ready", detail, headers={"Retry-After": str(seconds)}, job_status=str(job.status))


def _outcome(job: Job, generator: Generator | None) -> Outcome:
    if job.status is not Status.SUCCEEDED:
        return "failed" if job.status is Status.FAILED else "cancelled"
    if generator is None:
        return "deleted"
    return "released" if generator.release else generator.verdict


def _measured(report: Mapping[str, Any], kept: Collection[str]) -> list[MeasuredObject]:
    """Each criterion of a report in the words of its own file; those first that failed, then those not decided. What is
    about a concept that is ``kept`` forgotten says so without its name, and without the figures, which have it."""
    criteria: Sequence[Mapping[str, Any]] = report.get("criteria", ())
    order = ("fail", "inconclusive", "pass")
    judged = report.get("judge", True) is not None
    return [
        MeasuredObject(
            statement=_statement(each, judged, kept),
            decision=each["decision"],
            figures="" if each.get("about") in kept else each["reason"],
        )
        for each in sorted(criteria, key=lambda each: order.index(each["decision"]))
    ]


def _statement(criterion: Mapping[str, Any], judged: bool, kept: Collection[str]) -> str:
    spec = CRITERIA.get(criterion["name"])
    if spec is None:  # a report of a version that knew another
        return str(criterion["name"]).replace("_", " ").capitalize()
    headline = spec.headlines[criterion["decision"]] if judged else spec.unmeasured
    about = criterion.get("about") or "the concept"
    said = headline.format(about=EARLIER if about in kept else about)
    domain = criterion.get("domain")
    return said if domain is None else f"{str(domain).capitalize()}: {said}"


def _record(generator: Generator) -> RecordObject:
    return RecordObject(
        path=f"/v1/generators/{generator.id}/record",
        sha256=hashlib.sha256(generator.record.encode()).hexdigest(),
        signed_by=_signed_by(generator),
    )


def _signed_by(generator: Generator) -> str | None:
    """The key that the record names; whether the signature holds, who has the public key finds out."""
    signatures = json.loads(generator.record)["signatures"]
    return cast("str", signatures[0]["keyid"]) if signatures else None


def _verification_of_deleted(job: Job) -> list[str]:
    return [
        f"Fetch the tombstone, /v1/tombstones/{job.generator_id}: it names the digest of the record, and why it went."
    ]


def _verification(generator: Generator | None) -> list[str]:
    """The steps for whoever has the service's public key, which must not come along with what it signed."""
    if generator is None:
        return []
    fetch = f"Fetch the record, /v1/generators/{generator.id}/record, and keep it as {RECORD}."
    compare = f"Compare its digest with the one above: `sha256sum {RECORD}`."
    if _signed_by(generator) is None:
        unsigned = (
            "The record is unsigned: the service had no key, and anybody could have written it. "
            f"`lethe record verify {RECORD} --unsigned` still compares what it states."
        )
        return [fetch, compare, unsigned]
    verify = (
        f"Check the signature: `lethe record verify {RECORD} --key signing-key.pub`, with the public key that the "
        "operator gave you by another way. It needs neither the service nor a network; docs/record.md does the same "
        "with openssl alone."
    )
    means = (
        "A valid signature says that whoever holds the key signed exactly this record. It does not say that the "
        "signer was honest, nor when it was signed."
    )
    return [fetch, compare, verify, means]
