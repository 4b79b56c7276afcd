"""Why the training of a run ended, as its page says it."""

from __future__ import annotations

from typing import Any

import pytest

from sfd_core.report.page.training_end import training_end
from sfd_core.report.report import from_json
from tests.support.sample_report import foreign_report, sample_report

CHECK = {"step": 64, "images": 4096, "seconds": 12.5, "made": 3800, "missing": ["variety"]}


@pytest.mark.parametrize(
    ("ended", "until", "changes", "says"),
    [
        ("passed_check", "pass", {}, "passed its own check after 4 096 of at most 6 400 images"),
        ("images", "budget", {}, "used up its budget of images, after 4 096 images"),
        ("seconds", "budget", {}, "used up its budget of seconds, after 4 096 images"),
        (
            "images",
            "pass",
            {"checks": [CHECK]},
            "used up its budget of images, after 4 096 images: its last check, after 4 096, did not pass (variety)",
        ),
        (
            "images",
            "pass",
            {"checks": []},
            "used up its budget of images, after 4 096 images: its quick evaluations were not good enough, or came too "
            "late, for a check of its own",
        ),
        (
            "images",
            "pass",
            {"checks": [], "curves": []},
            "used up its budget of images, after 4 096 images: no judge of the base model's own knows what is "
            "forgotten, so nothing could end it sooner",
        ),
    ],
)
def test_it_says_what_ended_it(ended: str, until: str, changes: dict[str, Any], says: str) -> None:
    report = sample_report() | changes
    report["budget"] = {"images": 6400, "seconds": None, "until": until}
    report["cost"] = {**report["cost"], "images": 4096, "ended": ended}
    assert training_end(from_json(report)).replace("\u202f", " ") == says


def test_of_a_generator_that_no_run_made_it_says_nothing() -> None:
    assert training_end(from_json(foreign_report())) == ""
