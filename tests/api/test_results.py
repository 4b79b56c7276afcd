"""What came of a job: its report, its generator, the archive; and what a generator that did not pass is kept from."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from pathlib import Path

import httpx
import pytest

from api.dashboard.rendering import distances
from jobs.generators import GeneratorStore
from jobs.ids import new_id
from tests.api.making import PAGE, REASON, is_problem, pointers, publish, published, submitted, train
from tests.support.serving import Service


def test_a_report_in_each_form(service: Service, tmp_path: Path) -> None:
    generator = service.http.get(f"/v1/generators/{published(service, tmp_path)}").json()
    path = generator["links"]["report"]
    plain = service.http.get(path)
    assert plain.headers["content-type"] == "application/json"
    assert plain.json()["verdict"] == "pass"
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    for page in (
        service.http.get(path, headers={"accept": browser}),
        service.http.get(path, params={"format": "html"}),
        service.http.get(path, params={"file": "report.html"}),
    ):
        assert page.content == PAGE
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "sandbox" in policy
    assert service.http.get(path, params={"format": "json"}, headers={"accept": browser}).json() == plain.json()
    picture = service.http.get(path, params={"file": "pairs.png"})
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    is_problem(service.http.get(path, headers={"accept": "application/pdf"}), 406, "not_acceptable")
    signed = service.http.get(path, params={"file": "report.json"})
    assert signed.headers["content-type"] == "application/json"
    assert signed.json() == plain.json()
    missing = is_problem(service.http.get(path, params={"file": "../secret"}), 404, "not_found")
    assert "pairs.png" in missing["detail"]
    assert pointers(is_problem(service.http.get(path, params={"format": "pdf"}), 422, "invalid_request")) == ["/format"]


def test_a_job_links_to_what_came_of_it(service: Service, tmp_path: Path) -> None:
    generator_id = published(service, tmp_path)
    generator = service.http.get(f"/v1/generators/{generator_id}").json()
    job = service.http.get(generator["links"]["job"]).json()
    assert (job["status"], job["verdict"], job["generator"]) == ("succeeded", "pass", generator_id)
    assert job["report"] == job["links"]["report"] == generator["links"]["report"]
    assert job["links"]["generator"] == generator["links"]["self"]
    assert generator["figures"]["criteria"][0]["decision"] == "pass"
    assert generator["files"]["unet/model.safetensors"]["size"] == 200_000


def test_there_is_no_report_before_success(service: Service) -> None:
    job_id = submitted(service)
    document = is_problem(service.http.get(f"/v1/jobs/{job_id}/report"), 409, "report_not_ready")
    assert document["job_status"] == "queued"


def test_an_archive_is_what_its_record_names(service: Service, tmp_path: Path) -> None:
    job_id = submitted(service)
    files = {"model_index.json": b"{}", "unet/model.safetensors": bytes(range(256)) * 12_000, "empty": b""}
    generator_id = publish(service, job_id, train(service.store, job_id), tmp_path, generator_files=files)
    path = f"/v1/generators/{generator_id}/archive"
    answer = service.http.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == f'attachment; filename="{generator_id}.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        held = {name: archive.read(name) for name in archive.namelist()}
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
    assert files.items() <= held.items()
    assert held["evaluation/report.html"] == PAGE
    record = held.pop("unlearning-record.json")
    assert service.http.get(f"/v1/generators/{generator_id}/record").content == record
    statement = json.loads(base64.b64decode(json.loads(record)["payload"]))
    named = {each["name"]: each["digest"]["sha256"] for each in statement["subject"]}
    assert named == {name: hashlib.sha256(content).hexdigest() for name, content in held.items()}
    assert answer.headers["etag"] == f'"{hashlib.sha256(record).hexdigest()}"'
    assert service.http.get(path).content == answer.content


@pytest.mark.parametrize("verdict", ["pass", "fail"])
def test_a_record(service: Service, tmp_path: Path, verdict: str) -> None:
    generator_id = published(service, tmp_path, verdict)
    path = service.http.get(f"/v1/generators/{generator_id}").json()["links"]["record"]
    answer = service.http.get(path)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"] == f'attachment; filename="{generator_id}-record.json"'
    assert answer.text == GeneratorStore(service.engine).get(generator_id).record


def test_the_schema_of_reports(service: Service) -> None:
    answer = service.http.get("/v1/report-schema")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/schema+json")
    assert answer.json()["properties"]["schema_version"]["const"] == 5


def test_a_file_that_changed_in_the_store_is_not_handed_out(service: Service, tmp_path: Path) -> None:
    job_id = submitted(service)
    files = {"model_index.json": b"{}", "unet/model.safetensors": bytes(3_000_000)}
    generator_id = publish(service, job_id, train(service.store, job_id), tmp_path, generator_files=files)
    digests = service.http.get(f"/v1/generators/{generator_id}").json()["files"]
    folder = service.settings.data_dir / "artifacts" / "attempts" / job_id / "1"
    weights = folder / digests["unet/model.safetensors"]["sha256"]
    weights.write_bytes(b"\1" + weights.read_bytes()[1:])
    with pytest.raises(httpx.RemoteProtocolError):  # the connection breaks: nobody takes half an archive for whole
        service.http.get(f"/v1/generators/{generator_id}/archive")
    report_files = GeneratorStore(service.engine).report(job_id).files
    (folder / report_files["pairs.png"].sha256).unlink()  # the first in the archive
    document = is_problem(service.http.get(f"/v1/generators/{generator_id}/archive"), 500, "artifact_corrupt")
    assert str(folder) not in str(document)
    (folder / report_files["report.html"].sha256).write_bytes(b"other")
    is_problem(service.http.get(f"/v1/jobs/{job_id}/report", params={"format": "html"}), 500, "artifact_corrupt")


@pytest.mark.parametrize("verdict", ["fail", "inconclusive"])
def test_what_did_not_pass_is_withheld(service: Service, tmp_path: Path, verdict: str) -> None:
    generator_id = published(service, tmp_path, verdict)
    generator = service.http.get(f"/v1/generators/{generator_id}").json()
    assert (generator["status"], generator["verdict"]) == ("withheld", verdict)
    assert generator["links"]["archive"] is generator["links"]["samples"] is None
    for answer in (
        service.http.get(f"/v1/generators/{generator_id}/archive"),
        service.http.post(f"/v1/generators/{generator_id}/samples", json={"concept": "Sneaker"}),
    ):
        document = is_problem(answer, 409, "generator_withheld")
        assert document["reasons"] == [REASON]
        assert REASON in document["detail"]
        assert document["verdict"] == verdict


def test_the_list_of_generators(service: Service, tmp_path: Path) -> None:
    made = [published(service, tmp_path, verdict) for verdict in ("pass", "fail", "pass")]
    listed = service.http.get("/v1/generators", params={"limit": 3}).json()
    assert [generator["id"] for generator in listed["data"]] == list(reversed(made))
    withheld = service.http.get("/v1/generators", params={"status": "withheld", "limit": 1}).json()["data"]
    assert [generator["id"] for generator in withheld] == [made[1]]
    page = service.http.get("/v1/generators", params={"limit": 2}).json()
    rest = service.http.get("/v1/generators", params={"limit": 2, "after": page["next"]}).json()
    assert rest["data"][0]["id"] == made[0]
    is_problem(service.http.get("/v1/generators", params={"after": "nonsense"}), 422, "bad_cursor")
    is_problem(service.http.get("/v1/generators", params={"status": "secret"}), 422, "invalid_request")


@pytest.mark.parametrize(
    "generator_id", [new_id("gen"), "gen_1", "%00", new_id("job")], ids=["another", "short", "zero", "a job's"]
)
def test_a_generator_that_is_not_there(service: Service, generator_id: str) -> None:
    path = f"/v1/generators/{generator_id}"
    is_problem(service.http.get(path), 404, "generator_not_found")
    is_problem(service.http.get(f"{path}/archive"), 404, "generator_not_found")
    is_problem(service.http.get(f"{path}/record"), 404, "generator_not_found")
    answer = service.http.post(f"{path}/release", json={"reason": "reviewed by hand"})
    is_problem(answer, 404, "generator_not_found")
    is_problem(service.http.post(f"{path}/samples", json={"concept": "Sneaker"}), 404, "generator_not_found")


def test_a_distance_of_too_few_images_is_no_figure_of_the_dashboard() -> None:
    printed = {
        "features": "judge-128",
        "fd_name": "FD-judge-128",
        "against_real": {"fd": {"value": 3.5}, "fd_floor": 1, "fd_base_model": None},
    }
    too_few = {"features": "Inception-2048", "fd_name": "FID", "against_real": {"fd": None, "fd_floor": None}}
    no_real = {"features": "Inception-2048", "fd_name": "FID", "against_real": None}
    shown = distances({"quality": [printed, too_few, no_real]})
    assert shown == [{"name": "FD-judge-128", "fd": 3.5, "floor": 1, "base_model": None}]
