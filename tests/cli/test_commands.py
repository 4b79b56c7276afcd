"""The ``lethe`` command against the real api: what it prints, where, and with which exit status."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import resource
import signal
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path

import pytest

from client import Lethe
from jobs.job import JobError
from sfd_core.display.numbers import SPACE
from sfd_core.evaluation.verdict import Verdict
from tests.cli.conftest import Command
from tests.cli.service import Service, claim, free_port, publish, train
from tests.support.plain import plain
from tests.support.waiting import wait_for

SUBMIT = ("submit", "--base", "fashion", "--forget", "Sneaker=Sandal", "--images", "6400")
LETHE = (sys.executable, "-m", "cli")


def finish_next(api: Service, lethe: Lethe, verdict: Verdict = "pass") -> threading.Thread:
    """A worker that takes the next job of this tenant, trains and publishes it."""

    def work() -> None:
        (job,) = wait_for(lambda: list(lethe.jobs()), 30)
        taken = claim(api.store, job.id)
        train(api.store, taken, steps=4)
        publish(api, taken, verdict)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    return worker


def processor_seconds(command: list[str]) -> tuple[str, float]:
    """What a command says, and what it takes of the processor: what else runs on this machine does not count."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return shown.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_help_is_quick() -> None:
    shown, taken = processor_seconds([*LETHE, "--help"])
    for command in (
        "up",
        "demo",
        "migrate",
        "models",
        "submit",
        "watch",
        "jobs",
        "cancel",
        "report",
        "sample",
        "release",
        "delete",
        "keys",
        "webhooks",
    ):
        assert f" {command} " in shown
    # Little more than its own libraries take to import. The service's take three times as long, torch ten times.
    _, least = processor_seconds([sys.executable, "-c", "import typer, rich.console, httpx"])
    assert taken < 2 * least


@pytest.mark.parametrize("heavy", ["httpx", "pydantic", "sqlalchemy", "torch", "rich.progress", "jobs", "client"])
def test_the_command_line_imports_nothing_heavy(heavy: str) -> None:
    code = f"import sys, cli.main; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_models(run: Command) -> None:
    result = run("models")
    assert result.exit_code == 0
    assert "fashion" in result.stdout
    assert "Clothes [32x32]" in result.stdout
    assert "resnet (93.0 %)" in plain(result.stdout)
    assert json.loads(run("models", "--json").stdout)["name"] == "fashion"


def test_submit_sends_what_was_said(run: Command, lethe: Lethe) -> None:
    result = run(
        *SUBMIT,
        *("--forget", "Bag=random", "--seconds", "60", "--seed", "7", "--until", "budget"),
        *("--recipe", "alpha=1.1", "--recipe", "compile=true", "--threshold", "unlearning_accuracy=0.9", "--json"),
        *("--threshold", "frechet_distance_ratio=4", "--probe", "relearning", "--probe", "image_to_image"),
    )
    assert result.exit_code == 0
    (job,) = lethe.jobs()
    assert json.loads(result.stdout) == job.raw
    assert [(item.concept, item.override) for item in job.forget] == [("Sneaker", "Sandal"), ("Bag", {"random": True})]
    assert job.budget == {"images": 6400, "seconds": 60.0, "until": "budget"}
    assert job.seed == 7
    assert (job.raw["recipe"]["alpha"], job.raw["recipe"]["compile"]) == (1.1, True)
    assert job.raw["thresholds"]["unlearning_accuracy"] == 0.9
    assert job.raw["thresholds"]["frechet_distance_ratio"] == 4
    assert job.raw["evaluation"]["probes"] == ["relearning", "image_to_image"]


def test_jobs_are_found_by_what_they_were_submitted_with(run: Command, lethe: Lethe) -> None:
    for ticket in ("T-1", "T-2"):
        assert run(*SUBMIT, "--metadata", f"ticket={ticket}", "--metadata", "note=a=b").exit_code == 0
    (second, first) = lethe.jobs()
    assert first.metadata == {"ticket": "T-1", "note": "a=b"}

    def found(*options: str) -> list[str]:
        return [json.loads(line)["id"] for line in run("jobs", "--json", *options).stdout.splitlines()]

    assert found("--metadata", "ticket=T-1", "--metadata", "note=a=b") == [first.id]
    assert found("--concept", "Sneaker") == [second.id, first.id]
    assert found("--concept", "Bag") == found("--verdict", "pass") == []
    assert found("--id", second.id[-10:]) == [second.id]
    assert found("--created-after", "2020-01-01", "--created-before", "2020-02-01") == []
    assert found("--created-after", "2020-01-01") == [second.id, first.id]
    assert [job.id for job in lethe.jobs(created_after=first.created_at, metadata={"ticket": "T-1"})] == [first.id]


def test_a_case_and_a_priority(run: Command, lethe: Lethe) -> None:
    case = ("--ticket", "T-[1]", "--requester", "Ada", "--received", "2026-11-01T09:30:00+01:00", "--due", "2020-02-01")
    refused = run(*SUBMIT, *case, "--priority", "now")
    assert refused.exit_code == 2
    pointers = [line.partition(":")[0].strip() for line in refused.stderr.splitlines()[1:]]
    assert pointers == ["/case/due_at", "/priority"]
    case = (*case[:4], "--received", "2020-01-01", *case[6:], "--basis", "GDPR Art. 17", "--note", "x")
    assert run(*SUBMIT, *case, "--priority", "urgent").exit_code == 0
    (job,) = lethe.jobs()
    assert job.case is not None
    assert (job.case.ticket, job.case.basis, job.priority, job.overdue) == ("T-[1]", "GDPR Art. 17", "urgent", True)
    end_of_day = datetime(2020, 2, 1, 23, 59, 59).astimezone()
    assert (job.case.received_at, job.case.due_at) == (datetime(2020, 1, 1).astimezone(), end_of_day)
    run(*SUBMIT)

    def found(*options: str) -> list[str]:
        return [json.loads(line)["id"] for line in run("jobs", "--json", *options).stdout.splitlines()]

    assert found("--ticket", "T-[1]") == found("--overdue") == found("--due-before", "2020-02-02") == [job.id]
    assert found("--due-before", "2020-02-01") == found("--ticket", "T-2") == []
    (row,) = [line for line in run("jobs", COLUMNS="200").stdout.splitlines() if job.id in line]
    for said in ("queued, urgent", "T-[1]", "2020-02-0", ", overdue"):
        assert said in row
    corrected = lethe.correct_case(job.id, {"due_at": "2199-01-01T00:00:00Z", "note": None})
    assert corrected.case is not None
    assert (corrected.case.note, corrected.case.ticket, corrected.overdue) == (None, "T-[1]", False)
    assert lethe.correct_case(job.id, None).case is None


def test_a_decision(api: Service, run: Command, lethe: Lethe, tmp_path: Path) -> None:
    job = lethe.submit("fashion", {"Sneaker": "Sandal"}, images=6400, case={"ticket": "T-[7]"}, priority="low")
    early = run("decision", job.id)
    assert (early.exit_code, early.stdout) == (2, "")
    assert "ask again in 60 s" in early.stderr
    publish(api, claim(api.store, job.id), "fail")
    page = tmp_path / "decision.html"
    result = run("decision", job.id, "--html", str(page))
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "ticket: T-[7]"
    assert any(line.startswith("outcome: fail. Not passed.") for line in lines)
    assert any(line.startswith("record: sha256 ") and line.endswith("signed by nobody") for line in lines)
    assert page.read_text().startswith("<!doctype html>")
    assert json.loads(run("decision", job.id, "--json").stdout)["outcome"] == "fail"


def test_generators(api: Service, run: Command, lethe: Lethe) -> None:
    made = []
    for ticket, verdict in (("T-1", "pass"), ("T-2", "fail")):
        job = lethe.submit(
            "fashion", {"Sneaker": "Sandal"}, images=6400, case={"ticket": ticket}, metadata={"a": ticket}
        )
        made.append(publish(api, claim(api.store, job.id), verdict).generator_id)

    def found(*options: str) -> list[str]:
        return [json.loads(line)["id"] for line in run("generators", "list", "--json", *options).stdout.splitlines()]

    assert found() == made[::-1]
    assert found("--ticket", "T-1") == found("--verdict", "pass") == found("--status", "published") == [made[0]]
    assert found("--metadata", "a=T-2") == found("--id", str(made[1])[-8:]) == [made[1]]
    assert found("--concept", "Bag") == found("--base", "emoji") == found("--created-before", "2020-01-01") == []
    assert found("--concept", "Sneaker", "--created-after", "2020-01-01", "-n", "1") == [made[1]]
    assert str(made[0]) in run("generators", "list").stdout
    shown = run("generators", "show", str(made[1])).stdout
    assert shown.startswith(f"{made[1]}: withheld, verdict fail")
    assert json.loads(run("generators", "show", str(made[0]), "--json").stdout)["id"] == made[0]
    assert [each.id for each in lethe.generators(ticket="T-2")] == [made[1]]


def test_submit_says_how_to_go_on(run: Command, lethe: Lethe) -> None:
    result = run(*SUBMIT)
    (job,) = lethe.jobs()
    assert (result.exit_code, result.stdout) == (0, f"submitted {job.id}\nlethe watch {job.id}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*SUBMIT[:-2], "--until"), "requires an argument"),
        ((*SUBMIT, "--stop-when-unlearned"), "No such option"),
        (
            ("submit", "--base", "fashion", "--forget", "Sneaker", "--images", "1"),
            "must be written like Sneaker=Sandal",
        ),
        ((*SUBMIT, "--forget", "Sneaker=Bag"), "'Sneaker' is named twice"),
        ((*SUBMIT, "--threshold", "unlearning_accuracy=high"), "must be a number"),
        ((*SUBMIT, "--recipe", "alpha"), "must be written like alpha=1.2"),
        ((*SUBMIT, "--images", "many"), "--images"),
        ((*SUBMIT, "--metadata", "T-1"), "must be written like ticket=T-123"),
        ((*SUBMIT, "--metadata", "a=1", "--metadata", "a=2"), "'a' is given twice"),
        (("jobs", "--metadata", "T-1"), "must be written like ticket=T-123"),
        (("jobs", "--created-after", "yesterday"), "--created-after"),
        ((*SUBMIT, "--due", "soon"), "is no time such as 2026-12-01"),
        (("jobs", "--due-before", "soon"), "is no time such as 2026-12-01"),
        (("generators", "list", "--metadata", "T-1"), "must be written like ticket=T-123"),
        (("wach", "job_1"), "No such command 'wach'"),
        (("sample", "nowhere", "--concept", "Bag"), "is no folder"),
        (("jobs", "-n", "0"), "-n"),
    ],
)
def test_wrong_usage(run: Command, lethe: Lethe, arguments: tuple[str, ...], said: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in " ".join(result.stderr.replace("│", " ").split())
    assert list(lethe.jobs()) == []


def test_what_the_service_refuses(run: Command, lethe: Lethe) -> None:
    result = run(*SUBMIT, "--forget", "Shoe=Sneaker", "--recipe", "alpa=1", "--probe", "hope")
    assert (result.exit_code, result.stdout) == (2, "")
    lines = result.stderr.splitlines()
    assert lines[0].startswith("lethe: The request is not valid: ")
    pointers = [line.partition(":")[0].strip() for line in lines[1:]]
    assert pointers == ["/forget/1/concept", "/forget/1/override", "/recipe/alpa", "/evaluation/probes/0"]
    assert "unknown probe 'hope'; known: relearning, benign_fine_tuning, image_to_image, " in lines[-1]
    assert list(lethe.jobs()) == []


def test_nothing_listens(run: Command) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    for arguments in (("jobs",), ("watch", "job_1"), SUBMIT):
        result = run("--url", url, *arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"no answer from {url}" in result.stderr
        assert "lethe up" in result.stderr


def test_without_a_key(run: Command) -> None:
    result = run("jobs", LETHE_API_KEY="")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "LETHE_API_KEY" in result.stderr
    assert "lethe keys create" in result.stderr


def test_no_traceback_in_a_process_of_its_own(api: Service) -> None:
    environment = {**os.environ, "LETHE_URL": "nonsense"}
    ended = subprocess.run([*LETHE, "jobs"], env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "lethe: 'nonsense' is not a URL such as http://127.0.0.1:8321\n"


def test_submit_and_watch_to_a_pass(api: Service, run: Command, lethe: Lethe) -> None:
    worker = finish_next(api, lethe)
    result = run(*SUBMIT, "--watch")
    worker.join(20)
    (job,) = lethe.jobs()
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == f"submitted {job.id}"
    assert lines[-1] == f"{job.id}: passed; generator {job.generator}"
    assert {"waiting", "preparing", "training"} <= set(lines)
    assert "training  6 400 of 6 400 images  50 images/s  ETA 57 s  UA 90.0 %  RA 90.0 %" in map(plain, lines)


@pytest.mark.parametrize("verdict", ["fail", "inconclusive"])
def test_a_verdict_that_is_no_pass_is_1(api: Service, run: Command, lethe: Lethe, verdict: Verdict) -> None:
    job = lethe.submit("fashion", {"Sneaker": "Sandal"}, images=6400)
    publish(api, claim(api.store, job.id), verdict)
    result = run("watch", job.id)
    assert result.exit_code == 1
    assert f"the job ran, the verdict is {verdict}" in result.stderr


def test_a_job_that_failed_is_1(api: Service, run: Command, lethe: Lethe) -> None:
    job = lethe.submit("fashion", {"Sneaker": "Sandal"}, images=6400)
    for message, retryable in (("the worker died", True), ("loss is NaN at step 12", False)):
        code = "training_crashed" if retryable else "training_diverged"
        taken = claim(api.store, job.id)
        api.store.give_up(job.id, taken.attempt, JobError(code, message, retryable), 3)
    result = run("watch", job.id, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["code"] == "training_diverged"
    assert "attempt 1 was lost (the worker died): trying again" in result.stderr
    assert f"{job.id}: failed with training_diverged: loss is NaN at step 12" in result.stderr


def test_a_cancelled_job_is_1(run: Command, lethe: Lethe) -> None:
    job = lethe.submit("fashion", {"Sneaker": "Sandal"}, images=6400)
    result = run("cancel", job.id)
    assert (result.exit_code, result.stdout) == (0, f"{job.id}: cancelled\n")
    result = run("watch", job.id)
    assert (result.exit_code, result.stderr) == (1, f"{job.id}: cancelled\n")


def test_an_interrupted_watch_leaves_the_job(api: Service, lethe: Lethe, key: str) -> None:
    job = lethe.submit("fashion", {"Sneaker": "Sandal"}, images=6400)
    claim(api.store, job.id)
    environment = {**os.environ, "LETHE_URL": api.url, "LETHE_API_KEY": key, "PYTHONUNBUFFERED": "1"}
    # A suite that a shell runs in the background was told to ignore Ctrl-C, and its children with it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        watch = subprocess.Popen(
            [*LETHE, "watch", job.id], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert watch.stdout is not None
    assert watch.stdout.readline() == b"waiting\n"
    watch.send_signal(signal.SIGINT)
    _, stderr = watch.communicate(timeout=20)
    assert watch.returncode == 130
    assert f"the job goes on: lethe watch {job.id}" in stderr.decode()
    assert lethe.job(job.id).status == "running"


def test_a_terminal_gets_a_bar(api: Service, lethe: Lethe, key: str) -> None:
    job = lethe.submit("fashion", {"Sneaker": "Sandal"}, images=6400)
    taken = claim(api.store, job.id)
    train(api.store, taken, steps=2)
    controller, terminal = pty.openpty()
    environment = {**os.environ, "LETHE_URL": api.url, "LETHE_API_KEY": key, "TERM": "xterm", "COLUMNS": "120"}
    watch = subprocess.Popen([*LETHE, "watch", job.id], env=environment, stdout=terminal, stderr=subprocess.DEVNULL)
    os.close(terminal)
    shown = b""
    while f"6{SPACE}400 of 6{SPACE}400 images".encode() not in shown:
        shown += os.read(controller, 4096)
    publish(api, taken)
    while b"passed; generator" not in shown:
        shown += os.read(controller, 4096)
    os.close(controller)
    assert watch.wait(20) == 0
    assert b"50 images/s" in shown
    assert f"UA 90.0{SPACE}%".encode() in shown


def test_jobs(api: Service, run: Command, lethe: Lethe) -> None:
    ids = [lethe.submit("fashion", {"Sneaker": "Sandal"}, images=6400).id for _ in range(3)]
    train(api.store, claim(api.store, ids[0]), steps=2)
    publish(api, claim(api.store, ids[1]))
    result = run("jobs")
    rows = [line for line in result.stdout.splitlines() if "job_" in line]
    assert [id_ in row for id_, row in zip(reversed(ids), rows, strict=True)] == [True] * 3
    assert "training" in rows[2]
    assert "6 400 of 6 400" in plain(rows[2])
    assert "succeeded" in rows[1]
    assert "pass" in rows[1]
    assert "Sneaker -> Sandal" in rows[0]
    lines = run("jobs", "--status", "queued", "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [ids[2]]
    assert len(run("jobs", "-n", "2", "--json").stdout.splitlines()) == 2


def test_report(api: Service, run: Command, lethe: Lethe, tmp_path: Path) -> None:
    job = lethe.submit("fashion", {"Sneaker": "Sandal"}, images=6400)
    result = run("report", job.id)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "The job has no report" in result.stderr
    publish(api, claim(api.store, job.id))
    result = run("report", job.id, "--html", str(tmp_path / "report.html"))
    assert result.exit_code == 0
    assert "verdict: pass" in result.stdout
    assert "Sneaker -> Sandal" in result.stdout
    assert "99.70 % (99.20–100.00 %)" in plain(result.stdout)
    assert "all that remain" in result.stdout
    (distance,) = [line for line in result.stdout.splitlines() if "FD-judge-96" in line]
    assert "1.5 (1.4–1.6)" in distance
    assert "0.75, floor 0.25" in distance
    assert "relearning, Sneaker: It comes back [slowly].\n" in result.stdout
    assert "50 times as fast" in result.stdout
    assert "pass: unlearning accuracy of Sneaker is 0.9970 [0.9934, 0.9986] on 2000 images" in result.stdout
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    assert json.loads(run("report", job.id, "--json").stdout)["from_the_future"] == {"x": 1}
    result = run("report", job.id, "--html", str(tmp_path / "missing" / "report.html"))
    assert result.exit_code == 2
    assert "No such file or directory" in result.stderr


def test_release(api: Service, run: Command, lethe: Lethe, tenant: str) -> None:
    job = lethe.submit("fashion", {"Sneaker": "Sandal"}, images=6400)
    generator = publish(api, claim(api.store, job.id), "fail").generator_id
    assert generator is not None
    command = ("release", generator, "--reason", "What the judge sees are boots.")
    refused = run(*command)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "this API key does not have the scope `admin`" in refused.stderr
    admin = api.key(tenant, "admin")
    assert "Missing option '--reason'" in run("release", generator, LETHE_API_KEY=admin).stderr
    assert "/reason: " in run("release", generator, "--reason", "why not", LETHE_API_KEY=admin).stderr
    released = run(*command, LETHE_API_KEY=admin)
    assert (released.exit_code, released.stdout) == (0, f"{generator}: released; its verdict stays fail\n")
    again = run(*command, LETHE_API_KEY=admin)
    assert again.exit_code == 2
    assert again.stderr.startswith("lethe: The generator is not withheld: ")
    assert lethe.generator(generator).status == "published"


def test_delete(api: Service, run: Command, lethe: Lethe, tenant: str, tmp_path: Path) -> None:
    job = lethe.submit("fashion", {"Sneaker": "Sandal"}, images=6400)
    generator = publish(api, claim(api.store, job.id), "fail").generator_id
    assert generator is not None
    copy, admin = tmp_path / "record.json", api.key(tenant, "admin")
    copy.write_text(lethe.record(generator))
    command = ("delete", generator, job.id, "--reason", "the contract has ended")
    for refused, said in (
        (run(*command, LETHE_API_KEY=admin), "nobody is there to ask"),
        (run(*command, "--yes"), "does not have the scope `admin`"),
        (run("delete", generator, "--yes", LETHE_API_KEY=admin), "Missing option '--reason'"),
        (run("delete", generator, "--yes", "--reason", "why not", LETHE_API_KEY=admin), "/reason: "),
        (run("delete", "fashion", "--yes", "--reason", "why not", LETHE_API_KEY=admin), "fashion: give ids, such as"),
    ):
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert said in refused.stderr
    assert lethe.generator(generator).status == "withheld"
    done = run(*command, "--yes", LETHE_API_KEY=admin)
    assert done.exit_code == 0
    assert [line.split(": deleted at ")[0] for line in done.stdout.splitlines()] == [generator, job.id]
    again = run(*command, "--yes", "--json", LETHE_API_KEY=admin)
    assert [json.loads(line)["deleted"] for line in again.stdout.splitlines()] == [generator, job.id]
    gone = run("watch", job.id)
    assert gone.exit_code == 2
    assert gone.stderr.startswith("lethe: It was deleted: ")
    tombstone = tmp_path / "tombstone.json"
    tombstone.write_text(lethe.tombstone_record(generator))
    told = run("record", "verify", str(tombstone), "--unsigned")
    assert told.exit_code == 0
    assert f"deleted: {generator}, at " in told.stdout
    assert "the contract has ended" in told.stdout
    assert f"record: sha256 {hashlib.sha256(copy.read_bytes()).hexdigest()}" in told.stdout
    assert "UNSIGNED" in told.stdout


def test_delete_asks_first() -> None:
    """On a terminal; nothing is deleted, nor is a service asked, where the answer is no."""
    ours, theirs = pty.openpty()
    command = [*LETHE, "--url", "http://127.0.0.1:1", "delete", "job_1", "--reason", "the contract has ended"]
    with subprocess.Popen(command, stdin=theirs, stderr=subprocess.PIPE, text=True) as process:
        os.write(ours, b"n\n")
        _, said = process.communicate(timeout=30)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 1
    assert "Delete job_1? It cannot be undone" in said
    assert "no answer" not in said
