"""Before a job runs and after it has not passed: ``submit --dry-run``, ``--like``, ``--change`` and ``advise``."""

from __future__ import annotations

import json
import re
import shlex

import pytest
from rich.console import Console

from cli.job_watch import show
from cli.run_view import RunView
from client import Event, Lethe, NotFound
from jobs import workers
from jobs.workers import Worker
from tests.cli.conftest import Command
from tests.cli.service import Service, claim, publish, train
from tests.support.plain import plain

ASKED = ("--base", "fashion", "--forget", "Sneaker=Sandal", "--images", "6400")


def test_dry_run_prints_an_estimate_and_submits_nothing(api: Service, lethe: Lethe, run: Command) -> None:
    workers.state(api.engine, Worker("worker-1", "0.1.0", "host", "CPU", 16 * 10**9))
    said = run("submit", *ASKED, "--dry-run")
    assert said.exit_code == 0, said.output
    lines = plain(said.stdout).splitlines()
    for phase in ("preparing", "training", "evaluating", "publishing", "total"):
        assert any(line.startswith(phase) and "(" in line and " to " in line for line in lines), phase
    assert "based on    a first guess: no job has ended on CPU" in lines
    assert any(line.startswith("memory      not known; the largest worker has 16.0 GB") for line in lines)
    assert any(re.match(r"queue       number \d+; starts in \d", line) for line in lines)
    assert not any(line.startswith("cost") for line in lines)
    as_json = json.loads(run("submit", *ASKED, "--dry-run", "--json").stdout)
    assert as_json["object"] == "estimate"
    assert list(lethe.jobs()) == []
    refused = run("submit", "--base", "fashion", "--forget", "Snaeker=Sandal", "--dry-run")
    assert refused.exit_code != 0
    assert "did you mean" in refused.output


def test_like_and_advise(api: Service, lethe: Lethe, run: Command) -> None:
    first = lethe.submit("fashion", {"Sneaker": "Sandal"}, images=6400, metadata={"ticket": "T-1"})
    taken = claim(api.store, first.id)
    train(api.store, taken, 2)
    publish(api, taken, "fail")
    (advice, *_) = lethe.advice(first.id)
    said = run("advise", first.id)
    assert said.exit_code == 0, said.output
    assert advice.why in said.stdout
    line = next(line.strip() for line in said.stdout.splitlines() if "lethe submit" in line)
    _, *typed = shlex.split(line)
    again = run(*typed, "--metadata", "by=me", "--json")
    assert again.exit_code == 0, again.output
    job = json.loads(again.stdout)
    assert job["metadata"] == {"ticket": "T-1", "by": "me"}
    for group, changed in advice.change.items():
        assert group == "forget" or {**job[group], **changed} == job[group]
    assert job["id"] != first.id
    listed = [json.loads(each) for each in run("advise", first.id, "--json").stdout.splitlines()]
    assert [each["request"]["like"] for each in listed] == [first.id] * len(listed)
    with pytest.raises(NotFound):
        lethe.submit_request({"like": "job_" + "0" * 32})


def test_nothing_is_advised_on_what_passed(api: Service, lethe: Lethe, run: Command) -> None:
    job = lethe.submit("fashion", {"Sneaker": "Sandal"}, images=640)
    publish(api, claim(api.store, job.id))
    assert f"{job.id}: nothing to change" in run("advise", job.id).stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--like", "job_1", "--file", "x.json"), "not both"),
        (("--change", "{}", *ASKED), "say --like"),
        (("--like", "job_1", "--change", "{"), "is not JSON"),
        (("--like", "job_1", "--change", "[]"), "must be an object"),
        (("--like", "job_1"), "there is no job"),
        (("--like", "job_1", "--words", "pistol=gun"), "say more of a --forget"),
    ],
)
def test_what_is_refused(run: Command, options: tuple[str, ...], said: str) -> None:
    refused = run("submit", *options)
    assert refused.exit_code != 0
    assert said in " ".join(plain(refused.output).replace("│", " ").split())


def test_the_time_that_is_left_stays_over_the_phases() -> None:
    console = Console(record=True, force_terminal=False, width=200)
    with RunView(console) as view:
        show(view, Event(1, "job.started"))
        show(view, Event(2, "job.progress", {"eta_seconds": 90.0, "share": 0.0}))
        show(view, Event(3, "job.phase", {"phase": "training"}))
        show(view, Event(4, "job.progress", {"images": 64, "of": 640, "eta_seconds": 80.0, "share": 0.1}))
        show(view, Event(5, "job.phase", {"phase": "evaluating"}))
        show(view, Event(6, "job.progress", {"evaluated": 1, "evaluated_of": 9, "eta_seconds": 30.0, "share": 0.6}))
        task = view._bar.tasks[0]
        assert (task.completed, task.total) == (0.6, 1.0)
        show(view, Event(7, "job.phase", {"phase": "publishing"}))
        assert view._bar.tasks[0].completed == 0.6
    said = plain(console.export_text())
    assert "ETA 1 min 20 s" in said
    assert "evaluating  1 of 9 images  ETA 30 s" in said
