"""The client against the real api: what it sends, what it gives back, what it raises, and what it sends again."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from api import client_types
from cli.tables import reasons, report_table
from client import (
    ApiError,
    BadAnswer,
    Conflict,
    Forbidden,
    Gone,
    Interval,
    InvalidRequest,
    Lethe,
    NotFound,
    Refused,
    Report,
    Unauthenticated,
    Unavailable,
    Unreachable,
    reports,
)
from client.answers import read
from jobs.states import Status
from sfd_core.evaluation.criteria import CRITERIA
from sfd_core.evaluation.probes import probes_for
from tests.cli.proxy import Line, proxy
from tests.cli.service import CONCEPTS, Service, claim, free_port, publish
from tests.support.sample_report import sample_report
from tests.support.waiting import wait_for

FORGET = {"Sneaker": "Sandal"}
UNID = "job_" + "0" * 32


def test_base_models(lethe: Lethe) -> None:
    (model,) = lethe.base_models()
    assert (model.name, model.concepts, model.license) == ("fashion", CONCEPTS, "MIT")
    assert model.judge is not None
    assert model.judge.accuracy == 0.93
    assert lethe.base_model("fashion") == model


def test_submit_sends_everything_and_gives_the_job(lethe: Lethe) -> None:
    job = lethe.submit(
        "fashion",
        {"Sneaker": "Sandal", "Bag": {"random": True}},
        images=640,
        seconds=30,
        until="budget",
        recipe={"alpha": 1.1},
        thresholds={"unlearning_accuracy": 0.9},
        evaluation={"images_per_concept": 50},
        seed=7,
        metadata={"ticket": "T-123"},
    )
    assert (job.status, job.verdict, job.finished, job.passed) == ("queued", None, False, False)
    assert [(item.concept, item.override) for item in job.forget] == [("Sneaker", "Sandal"), ("Bag", {"random": True})]
    assert job.budget == {"images": 640, "seconds": 30.0, "until": "budget"}
    assert (job.seed, job.metadata) == (7, {"ticket": "T-123"})
    assert job.raw["recipe"]["alpha"] == 1.1
    assert job.raw["thresholds"] == {name: spec.default for name, spec in CRITERIA.items()} | {
        "unlearning_accuracy": 0.9
    }
    assert job.raw["evaluation"]["images_per_concept"] == 50
    assert job.created_at is not None
    assert job.created_at.tzinfo is not None
    assert lethe.job(job.id) == job


def test_an_answer_that_is_lost_makes_one_job(api: Service, lethe: Lethe, key: str) -> None:
    with proxy(api.url, [Line(cut_after=0), Line(cut_after=30)]) as bad, Lethe(bad.url, key) as client:
        job = client.submit("fashion", FORGET, images=640)
        assert bad.connections == 3
    assert [each.id for each in lethe.jobs()] == [job.id]


def test_each_call_makes_a_job_unless_the_key_is_given(lethe: Lethe) -> None:
    first, second = (lethe.submit("fashion", FORGET, images=640) for _ in range(2))
    assert first.id != second.id
    third, again = (lethe.submit("fashion", FORGET, images=640, idempotency_key="k1") for _ in range(2))
    assert third.id == again.id
    with pytest.raises(InvalidRequest) as refused:
        lethe.submit("fashion", FORGET, images=641, idempotency_key="k1")
    assert refused.value.code == "idempotency_conflict"


def test_a_read_survives_broken_connections(api: Service, lethe: Lethe, key: str) -> None:
    job = lethe.submit("fashion", FORGET, images=640)
    with proxy(api.url, [Line(cut_after=0), Line(cut_after=100)]) as bad, Lethe(bad.url, key) as client:
        assert client.job(job.id) == job


def test_a_retry_of_a_job_is_not_sent_twice(api: Service, lethe: Lethe, key: str) -> None:
    """It may have been done already: the second would be refused, or queue the job once more."""
    job = lethe.submit("fashion", FORGET, images=640)
    lethe.cancel(job.id)
    with (
        proxy(api.url, [Line(cut_after=0)]) as bad,
        Lethe(bad.url, key) as client,
        pytest.raises(Unreachable, match="no answer from"),
    ):
        client.retry(job.id)
    assert bad.connections == 1
    wait_for(lambda: lethe.job(job.id).status == "queued")


def test_503_and_retry_after_are_heeded(api: Service, key: str) -> None:
    busy = b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with proxy(api.url, [Line(says=busy)]) as bad, Lethe(bad.url, key) as client:
        began = time.monotonic()
        assert len(client.base_models()) == 1
        assert 1.0 <= time.monotonic() - began < 10


def test_503_to_the_end_is_unavailable(api: Service, key: str) -> None:
    busy = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with (
        proxy(api.url, [Line(says=busy)] * 2) as bad,
        Lethe(bad.url, key, retries=1) as client,
        pytest.raises(Unavailable, match="HTTP 503 from something in front of it"),
    ):
        client.base_models()
    assert bad.connections == 2


def test_nothing_listens() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with Lethe(url, retries=1) as client, pytest.raises(Unreachable, match=f"no answer from {url}"):
        client.base_models()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\nConnection: close\r\n\r\n<html",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]",
        b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 3\r\nConnection: close\r\n\r\nnot",
        b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    ],
)
def test_something_else_listens(api: Service, answer: bytes) -> None:
    with (
        proxy(api.url, [Line(says=answer)]) as other,
        Lethe(other.url) as client,
        pytest.raises(BadAnswer, match="is the URL that of a Lethe service"),
    ):
        client.base_model("fashion")


def test_answers_that_lack_a_field_name_it(api: Service) -> None:
    body = b'{"object": "job", "id": "job_1"}'
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with (
        proxy(api.url, [Line(says=head + body)]) as old,
        Lethe(old.url) as client,
        pytest.raises(BadAnswer, match="sent a Job that this client cannot read: status: "),
    ):
        client.job("job_1")


@pytest.mark.parametrize("url", ["localhost:8321", "ftp://127.0.0.1", "http://[", "http://h:99999", "nonsense"])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(Refused, match="is not a URL such as"):
        Lethe(url)


def test_a_key_that_cannot_be_sent() -> None:
    with pytest.raises(Refused, match="characters that no key has"):
        Lethe("http://127.0.0.1", "léthé")


def test_every_wrong_field_is_named(lethe: Lethe) -> None:
    with pytest.raises(InvalidRequest) as refused:
        lethe.submit("fashion", {"Sneakers": "Sandal", "Bag": "Bag"}, images=640, recipe={"alpa": 1}, seed=-1)
    assert (refused.value.status, refused.value.code) == (422, "invalid_request")
    lines = str(refused.value).splitlines()
    assert lines[0].startswith("The request is not valid: ")
    assert lines[1].startswith(
        "  /forget/0/concept: unknown concept 'Sneakers' (did you mean 'Sneaker'?); known: T-shirt, "
    )
    assert [line.split(":")[0] for line in lines[2:]] == ["  /forget/1/override", "  /recipe/alpa", "  /seed"]
    assert list(lethe.jobs()) == []


def test_a_wrong_query_says_that_it_is_one(lethe: Lethe) -> None:
    with pytest.raises(InvalidRequest, match=r"/status \(query\): "):
        list(lethe.jobs(status="done"))


def test_not_found_conflict_and_keys(api: Service, lethe: Lethe, tenant: str) -> None:
    with pytest.raises(NotFound, match="There is no such job") as missing:
        lethe.job(UNID)
    assert missing.value.code == "job_not_found"
    assert missing.value.request_id
    with pytest.raises(NotFound):
        lethe.job("../../metrics?x=1#y")  # one path segment, whatever it holds
    job = lethe.submit("fashion", FORGET, images=640)
    with pytest.raises(Conflict, match="queued"):
        lethe.report(job.id)
    with pytest.raises(Conflict, match="only a job that failed or was cancelled can be retried"):
        lethe.retry(job.id)
    with Lethe(api.url, api.key(tenant, "read")) as reader, pytest.raises(Forbidden):
        reader.submit("fashion", FORGET, images=640)
    with Lethe(api.url, "lethe_wrong") as stranger, pytest.raises(Unauthenticated):
        stranger.base_models()
    with Lethe(api.url, api.key("another-tenant")) as other, pytest.raises(NotFound):
        other.job(job.id)


def test_jobs_are_iterated_over_pages(lethe: Lethe) -> None:
    submitted = [lethe.submit("fashion", FORGET, images=640, seed=i).id for i in range(7)]
    assert [job.id for job in lethe.jobs(page_size=3)] == submitted[::-1]
    lethe.cancel(submitted[2])
    assert [job.id for job in lethe.jobs(status="cancelled", page_size=1)] == [submitted[2]]
    assert list(lethe.jobs(base_model="another")) == []


def test_cancel_and_retry(lethe: Lethe) -> None:
    job = lethe.submit("fashion", FORGET, images=640)
    cancelled = lethe.cancel(job.id)
    assert (cancelled.status, cancelled.finished) == ("cancelled", True)
    assert lethe.cancel(job.id) == cancelled
    assert lethe.retry(job.id).status == "queued"


def test_report_and_its_files(api: Service, lethe: Lethe) -> None:
    job = lethe.submit("fashion", FORGET, images=640)
    publish(api, claim(api.store, job.id))
    report = lethe.report(job.id)
    assert report.verdict == "pass"
    assert report.unlearning[0].accuracy.value == 0.997
    assert report.retained_accuracy is not None
    assert report.retained_accuracy.base_model.value == 0.9
    (quality,) = report.quality
    assert quality.against_real is not None
    assert quality.against_real.fd == Interval(value=1.5, low=1.4, high=1.6, n=4500)
    assert report.probes.results.relearning[0].statement == "It comes back [slowly]."
    assert report.cost is not None
    assert report.cost.seconds["training"] == 60.0
    assert report.raw["from_the_future"] == {"x": 1}
    assert lethe.report_html(job.id).startswith("<!doctype html>")
    assert lethe.report_file(job.id, "pairs.png") == b"\x89PNG pairs"
    with pytest.raises(NotFound, match=r"it has: pairs\.png, report\.html"):
        lethe.report_file(job.id, "strip.png")


@pytest.mark.parametrize("per_concept", [500, 10])
def test_a_report_as_the_evaluation_writes_it(per_concept: int) -> None:
    """With too few images there is no distance, and a criterion that was held against nothing."""
    report = read(Report, sample_report(per_concept=per_concept))
    assert report.probes.asked == tuple(probes_for("classes"))
    assert all(getattr(report.probes.results, name)[0].concept == "Sneaker" for name in report.probes.asked)
    shown = Console(width=200)
    with shown.capture() as capture:
        shown.print(report_table(report))
    table = capture.get()
    few = per_concept == 10
    assert ("FD-EffLite0-320" in table) == (not few)
    (distance,) = [criterion for criterion in report.criteria if criterion.name == "frechet_distance_ratio"]
    assert (distance.measured is None) == few
    lines = reasons(report)
    assert len(lines) == len(report.criteria) + len(report.probes.asked)
    assert all("\n" not in line for line in lines)


def test_the_types_of_a_report_are_those_of_its_schema() -> None:
    assert Path(reports.__file__).read_text("utf-8") == client_types.text(), (
        "run: python -m api.client_types > client/reports.py"
    )


def test_a_report_of_another_version_is_refused_and_what_is_new_in_this_one_is_no_trouble() -> None:
    with pytest.raises(BadAnswer, match="schema_version: Input should be 5"):
        read(Report, sample_report() | {"schema_version": 4})
    newer = sample_report() | {"beauty": 0.9}
    newer["evaluators"].append({"name": "an oracle", "role": "oracle", "digest": "sha256:" + "0" * 64, "age": 3})
    report = read(Report, newer)
    assert report.raw["beauty"] == 0.9
    assert report.evaluators[-1].role == "oracle"


def test_generators_and_download(api: Service, lethe: Lethe, tmp_path: Path) -> None:
    job = lethe.submit("fashion", FORGET, images=640)
    publish(api, claim(api.store, job.id))
    job = lethe.job(job.id)
    assert job.passed
    (generator,) = lethe.generators()
    assert (generator.id, generator.job, generator.status) == (job.generator, job.id, "published")
    assert lethe.generator(generator.id) == generator
    folder = lethe.download(generator.id, tmp_path / "deep" / "generator")
    assert (folder / "model_index.json").read_text() == "{}"
    assert (folder / "unet" / "weights.bin").stat().st_size == generator.files["unet/weights.bin"].size
    assert (folder / "evaluation" / "report.html").read_text() == lethe.report_html(job.id)
    assert (folder / "unlearning-record.json").read_text() == lethe.record(generator.id)
    archive = lethe.download(generator.id, tmp_path / "generator.zip")
    assert archive.read_bytes()[:2] == b"PK"
    for there in (folder, archive):
        with pytest.raises(Refused, match="is there already"):
            lethe.download(generator.id, there)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "generator.zip"]


def test_a_download_that_breaks_off_leaves_nothing(api: Service, lethe: Lethe, key: str, tmp_path: Path) -> None:
    job = lethe.submit("fashion", FORGET, images=640)
    publish(api, claim(api.store, job.id))
    generator = lethe.job(job.id).generator
    assert generator is not None
    # One connection carries both answers: the generator's description, then the archive, which breaks off.
    with (
        proxy(api.url, [Line(cut_after=60_000)]) as bad,
        Lethe(bad.url, key, retries=0) as client,
        pytest.raises(Unreachable),
    ):
        client.download(generator, tmp_path / "generator")
    assert list(tmp_path.iterdir()) == []


def test_what_is_withheld_is_not_handed_out(api: Service, lethe: Lethe, tmp_path: Path) -> None:
    job = lethe.submit("fashion", FORGET, images=640)
    publish(api, claim(api.store, job.id), "fail")
    job = lethe.job(job.id)
    assert (job.status, job.verdict, job.passed) == ("succeeded", "fail", False)
    assert job.generator is not None
    for refused in (lambda: lethe.download(job.generator, tmp_path / "g"), lambda: lethe.sample(job.generator, "Bag")):
        with pytest.raises(Conflict, match="the verdict is fail: unlearning accuracy of Sneaker") as conflict:
            refused()
        assert conflict.value.code == "generator_withheld"


def test_a_deletion(api: Service, lethe: Lethe, tenant: str) -> None:
    job = lethe.submit("fashion", FORGET, images=640)
    with Lethe(api.url, api.key(tenant, "admin")) as admin:
        with pytest.raises(Conflict, match="cancel it first"):
            admin.delete_job(job.id, "the contract has ended")
        publish(api, claim(api.store, job.id))
        generator = lethe.job(job.id).generator
        assert generator is not None
        with pytest.raises(Forbidden, match="`admin`"):
            lethe.delete_generator(generator, "the contract has ended")
        stored = admin.storage()["published"]["bytes"]
        made = [admin.delete_generator(generator, "the contract has ended"), admin.delete_job(job.id, "as above: T-1")]
        assert admin.storage()["published"]["bytes"] < stored
    assert [each.deleted for each in made] == [generator, job.id]
    assert list(lethe.tombstones(page_size=1)) == made[::-1]
    assert lethe.tombstone(job.id) == made[1]
    assert (list(lethe.jobs()), list(lethe.generators())) == ([], [])
    with pytest.raises(Gone, match="as above: T-1") as gone:
        lethe.job(job.id)
    assert gone.value.code == "deleted"
    assert gone.value.extra["tombstone"] == made[1].raw


def test_a_release(api: Service, lethe: Lethe, tenant: str, tmp_path: Path) -> None:
    job = lethe.submit("fashion", FORGET, images=640)
    publish(api, claim(api.store, job.id), "inconclusive")
    generator = lethe.job(job.id).generator
    assert generator is not None
    before = lethe.record(generator)
    with pytest.raises(Forbidden, match="`admin`"):
        lethe.release(generator, "reviewed by hand")
    with Lethe(api.url, api.key(tenant, "admin")) as admin:
        with pytest.raises(InvalidRequest, match="/reason: "):
            admin.release(generator, "because")
        released = admin.release(generator, "reviewed by hand")
        with pytest.raises(Conflict, match="it was released at"):
            admin.release(generator, "reviewed by hand, again")
    assert lethe.generator(generator) == released
    assert (released.status, released.verdict) == ("published", "inconclusive")
    assert released.release is not None
    assert released.release.reason == "reviewed by hand"
    folder = lethe.download(generator, tmp_path / "generator")
    assert (folder / "unlearning-record.json").read_text() == lethe.record(generator) != before


def test_many_threads_share_a_client(lethe: Lethe) -> None:
    ids: list[str] = []
    threads = [
        threading.Thread(target=lambda: ids.append(lethe.submit("fashion", FORGET, images=640).id)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(ids) == sorted(job.id for job in lethe.jobs())
    assert len(set(ids)) == 8


def test_errors_are_one_family() -> None:
    error = ApiError(500, "internal", "Something went wrong", "the log has the cause", request_id="req-1")
    assert str(error) == "Something went wrong: the log has the cause\n  request id: req-1"


def test_wait_returns_the_job_at_its_end(api: Service, lethe: Lethe) -> None:
    job = lethe.submit("fashion", FORGET, images=640)
    seen: list[str] = []
    lethe.cancel(job.id)
    assert lethe.wait(job.id, on_progress=lambda event: seen.append(event.type)).status == Status.CANCELLED
    assert seen == ["job.queued", "job.cancelled"]
