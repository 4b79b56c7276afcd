"""When a generator is served: its verdict is ``pass``, or an administrator has released it and said why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from api.auth import Identity
from api.logs import log
from api.problems import Problem
from api.services import Services
from jobs.errors import RecordNotTrusted, SigningKeyMissing
from jobs.generators import Generator
from jobs.record import RecordMismatch, released
from jobs.record.statement import Release


def served(use: Services, generator_id: str, tenant: str) -> Generator:
    """Find a generator that may be sampled and handed out.

    Raises:
        GeneratorNotFound: there is none, or it is another tenant's.
        Problem: ``generator_withheld``, with what its evaluation found.
    """
    generator = use.generators.get(generator_id, tenant)
    if generator.status == "published":
        return generator
    reasons = reasons_of(use.generators.report(generator.job_id, tenant).report)
    detail = f"the verdict is {generator.verdict}: " + ("; ".join(reasons) or "see the report")
    raise Problem("generator_withheld", detail, verdict=generator.verdict, reasons=reasons)


def reasons_of(report: Mapping[str, Any]) -> list[str]:
    """Say why a report does not say pass: the reason of each criterion that failed or could not be decided."""
    return [str(each["reason"]) for each in report.get("criteria", ()) if each.get("decision") != "pass"]


def release(use: Services, who: Identity, generator_id: str, reason: str) -> Generator:
    """Serve a withheld generator from now on, and write by whom, why and when into a new record. The verdict stays.

    Raises:
        GeneratorNotFound, GeneratorNotWithheld: as ``GeneratorStore.release``.
        SigningKeyMissing: its record is signed, and this process has no key for the new one.
        RecordNotTrusted: its record is not what a known key signed.
    """
    generator = use.generators.get(generator_id, who.tenant)
    record = generator.to_release()
    if use.signer is None and json.loads(record)["signatures"]:
        raise SigningKeyMissing("the record is signed, and so must the new one be: give the api LETHE_SIGNING_KEY")
    # What is written into the record must be known before the database is asked, so this is the api's own clock.
    made = Release(who.named(), reason, datetime.now(UTC).isoformat(timespec="seconds"))
    # A generator is released once and its record changes by that alone: the store refuses whoever comes second, and
    # with them the record that was made of the same one before.
    try:
        new_record = released(record, made, use.signer, use.trusted_keys)
    except RecordMismatch as error:
        hint = "if another key signed it before, name that in LETHE_RETIRED_KEYS"
        raise RecordNotTrusted(f"the record so far does not hold: {error}; {hint}") from None
    generator = use.generators.release(generator_id, who.tenant, asdict(made), new_record, who.actor)
    log.warning("generator_released", generator=generator_id, by=made.by, verdict=generator.verdict)
    return generator
