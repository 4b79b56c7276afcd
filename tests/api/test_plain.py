"""The parts that need no server: what a client accepts, the curves, what a page tells of a job."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime
from typing import Any

import pytest

from api.auth import REMEMBER_SECONDS, Authenticator, Credential
from api.dashboard.rendering import prose
from api.dashboard.story import Story
from api.negotiation import preferred
from api.problems import Problem, pointer
from jobs.errors import InvalidKey
from jobs.events import Event
from jobs.keys import ApiKey
from jobs.states import EventType

BOTH = ("application/json", "text/html")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html", "text/html"),
        ("text/*", "text/html"),
        ("text/html;q=0.5, application/json;q=0.4", "text/html"),
        ("text/html;q=0.4, */*;q=0.5", "application/json"),
        ("TEXT/HTML; charset=utf-8", "text/html"),
        ("application/json;q=0, text/html;q=0.1", "text/html"),
        ("application/json;q=x", None),
        ("image/png", None),
    ],
)
def test_preferred(accept: str | None, chosen: str | None) -> None:
    assert preferred(accept, BOTH) == chosen


def test_pointers_are_escaped() -> None:
    assert pointer(["a/b~c", 0]) == "/a~1b~0c/0"


def test_a_key_is_looked_up_again_after_two_seconds_and_a_bad_one_always() -> None:
    asked: list[str] = []
    now = [0.0]
    nothing = datetime(2026, 1, 1, tzinfo=UTC)

    def look_up(secret: str) -> ApiKey:
        asked.append(secret)
        if secret != "good":
            raise InvalidKey("the API key is not known")
        return ApiKey("key_1", "acme", "n", "p", frozenset({"read"}), nothing, None, None, None, None)

    authenticator = Authenticator(True, {"key": look_up}, lambda: now[0])
    good, bad = Credential("key", "good"), Credential("key", "bad")
    for _ in range(3):
        assert authenticator.identify(good).tenant == "acme"
        with pytest.raises(Problem):
            authenticator.identify(bad)
    assert asked == ["good", "bad", "bad", "bad"]
    now[0] = REMEMBER_SECONDS + 0.1
    authenticator.identify(good)
    authenticator.forget(good)
    authenticator.identify(good)
    assert asked.count("good") == 3
    assert "good" not in repr(good)


def metrics(seq: int, attempt: int, images: int) -> Event:
    """A quick evaluation."""
    data: dict[str, Any] = {"images": images, "unlearning_accuracy": 0.5, "loss_generator": float(attempt)}
    return Event(seq, EventType.METRICS, data, attempt, datetime.now(UTC))


def test_what_a_lost_attempt_did_beyond_its_checkpoint_is_not_drawn() -> None:
    story = Story()
    told = [(1, 100), (1, 200), (1, 300), (2, 200), (2, 300), (2, 400)]
    for seq, (attempt, images) in enumerate(told, 1):
        story.add(metrics(seq, attempt, images))
    assert [(point.images, point.loss_generator) for point in story.points] == [(100, 1), (200, 2), (300, 2), (400, 2)]


def test_a_long_curve_is_thinned_and_keeps_its_end() -> None:
    story = Story()
    for i in range(1, 5001):
        story.add(metrics(i, 1, i))
    assert 300 <= len(story.points) <= 600
    assert (story.points[0].images, story.points[-1].images) == (1, 5000)


def test_prose_is_marked_and_escaped() -> None:
    marked = prose("`<b>` is **bold** & ``code``")
    assert marked == "<code>&lt;b&gt;</code> is <strong>bold</strong> &amp; <code>code</code>"
    ElementTree.fromstring(f"<p>{marked}</p>")
