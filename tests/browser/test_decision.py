"""The decision, printed: one sheet of A4 whatever it has to say, and all of it readable."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from jobs.case import MAX_LINE, MAX_NOTE, MAX_TICKET
from jobs.job import JobError
from jobs.record import generate_key, load_signer, sign
from sfd_core.evaluation.criteria import CRITERIA
from sfd_core.report.page.limits import LIMITS
from tests.api.making import publish, submitted, train
from tests.support.serving import CONCEPTS, Service

LONG = "A lawyer’s long sentence about what was asked, by whom, and why it matters so much. "
REASON = (
    "unlearning accuracy of a concept with a long name is 90.00 % (88.60–91.24 %) on 2 000 images: the interval "
    "contains 90 %; about 12 345 images would decide it (by the first judge; by the second 91.00 % (89.66–92.18 %))"
)


def long_words(longest: int) -> str:
    return (LONG * (longest // len(LONG) + 1))[:longest].strip()


def worst(service: Service, folder: Path, verdict: str, how: str) -> str:
    """The id of a job whose decision has as much to say as one can have."""
    case = {
        "ticket": "W" * MAX_TICKET,
        "requester": long_words(MAX_LINE),
        "received_at": "2026-11-01T09:30:00+01:00",
        "due_at": "2026-11-02T17:00:00+01:00",
        "basis": long_words(MAX_LINE),
        "note": "line\n" * 20 + long_words(MAX_NOTE - 100),
    }
    forget = [{"concept": name, "override": CONCEPTS[-1]} for name in CONCEPTS[:-1]]
    job_id = submitted(service, case=case, forget=forget)
    if how == "failed":
        attempt = train(service.store, job_id)
        service.store.give_up(job_id, attempt, JobError.of("run_failed", long_words(2000)), 3)
        return job_id
    publish(service, job_id, train(service.store, job_id), folder, verdict)
    generate_key(folder / "key")
    signed = sign({"predicate": {}}, load_signer(folder / "key"))
    criteria = [
        {"name": name, "decision": "pass" if i % 2 and verdict != "fail" else verdict, "about": "W" * 60}
        | {"threshold": 0.9, "measured": None, "reason": REASON}
        for i, name in enumerate([*CRITERIA, *CRITERIA])
    ]
    with service.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE reports SET report = report || %s::jsonb WHERE job_id = %s",
            (json.dumps({"criteria": criteria, "limits": [*LIMITS, *LIMITS]}), job_id),
        )
        connection.exec_driver_sql("UPDATE generators SET record = %s WHERE job_id = %s", (signed, job_id))
        if how == "released":
            release = json.dumps({"by": long_words(140), "reason": long_words(2000), "at": "2026-11-03T00:00:00Z"})
            change = "UPDATE generators SET status = 'published', release = %s WHERE job_id = %s"
            connection.exec_driver_sql(change, (release, job_id))
    return job_id


def sheets(page: Page) -> int:
    """How many sheets Chromium prints it on, in the size that the page asks for."""
    printed = page.pdf(prefer_css_page_size=True)
    (kids,) = re.findall(rb"/Type\s*/Pages\s[^>]*?/Count\s+(\d+)|/Count\s+(\d+)\s[^>]*?/Type\s*/Pages", printed)[:1]
    return int(next(filter(None, kids)))


def opened(page: Page, service: Service, job_id: str) -> Any:
    page.set_extra_http_headers({"Accept": "text/html"})
    return page.goto(f"{service.url}/v1/jobs/{job_id}/decision")


@pytest.mark.parametrize(
    ("verdict", "how"),
    [("pass", ""), ("fail", ""), ("inconclusive", "released"), ("", "failed")],
)
def test_the_longest_is_one_sheet(service: Service, page: Page, tmp_path: Path, verdict: str, how: str) -> None:
    opened(page, service, worst(service, tmp_path, verdict, how))
    assert sheets(page) == 1
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_control_two_sheets_are_two(service: Service, page: Page, tmp_path: Path) -> None:
    opened(page, service, worst(service, tmp_path, "fail", ""))
    page.evaluate("document.body.append(document.body.cloneNode(true))")
    assert sheets(page) == 2
