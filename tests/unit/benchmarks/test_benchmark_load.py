"""The load's generator, its readers and the bare service: what they count is what happened."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx
import pytest

from benchmarks.shared import wrk
from benchmarks.shared.bare import EVENT_SECONDS, EVENTS, Answer, bare
from benchmarks.shared.listeners import listen, percentiles
from benchmarks.shared.wrk import Load, Request

CONTENT = b'{"id": "job_1"}\n'
ANSWERS = [
    Answer.of("POST", "/v1/jobs", 202, "application/json", CONTENT),
    Answer.of("GET", "/broken", 500, "text/plain", b"no"),
]


def test_figures_are_read() -> None:
    found = wrk.read_figures("figures [1000, 3, 2000000, 1500, 2500, 10000]")
    assert found == Load(1000, 3, 500.0, 1.5, 2.5, 10.0)


def test_rounds_are_added_and_their_times_are_medians() -> None:
    rounds = [Load(10, 0, 5.0, 1.0, 2.0, 3.0), Load(20, 1, 9.0, 9.0, 9.0, 9.0), Load(30, 0, 7.0, 2.0, 4.0, 6.0)]
    assert Load.over(rounds) == Load(60, 1, 7.0, 2.0, 4.0, 6.0)


def test_percentiles() -> None:
    assert percentiles([float(i) for i in range(100, 0, -1)]) == (51.0, 96.0, 100.0)
    assert percentiles([3.0]) == (3.0, 3.0, 3.0)


def test_without_wrk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match="apt-get install wrk"):
        wrk.check_wrk()


def test_the_bare_service_answers_the_same_bytes_and_tells_its_readers(tmp_path: Path) -> None:
    with bare(ANSWERS, tmp_path) as url:
        answer = httpx.post(f"{url}/v1/jobs", json={"x": 1})
        assert (answer.status_code, answer.content) == (202, CONTENT)
        heard = listen(url + EVENTS, readers=3, seconds=4 * EVENT_SECONDS)
    assert heard.broken == 0
    assert heard.events >= heard.fewest * 3 > 0
    assert 0 <= heard.p50 <= heard.p99


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_wrk_counts_answers_and_errors(tmp_path: Path) -> None:
    with bare(ANSWERS, tmp_path) as url:
        fine = wrk.load(url, Request("/v1/jobs", {"says": 'a "quoted" word'}), 2, 1)
        broken = wrk.load(url, Request("/broken"), 2, 1)
    assert fine.requests > 0
    assert fine.failed == 0
    assert broken.failed == broken.requests > 0
    assert 0 < fine.p50 <= fine.p95 <= fine.p99
