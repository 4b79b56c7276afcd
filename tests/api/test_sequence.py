"""A job that goes on from a published generator: by real runs of a tiny model, from the first request to the records
of the whole sequence, checked without the service."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from client import Lethe
from jobs.generators import GeneratorStore
from jobs.record import ANCESTORS, RecordMismatch, generate_key, load_public_key, verify
from jobs.record.signing import public_path_of
from jobs.settings import Settings
from local.services import Services
from processes.forking import ForkServer
from tests.api.making import submitted
from tests.support.serving import Service
from worker.runner import Runner

WHY = "A model that means nothing: nobody can be harmed by it."
SMALL: dict[str, Any] = {
    "budget": {"images": 32, "until": "budget"},
    "evaluation": {"images_per_concept": 20, "images_per_forgotten_concept": 20},
}


@pytest.fixture(scope="module")
def settings(
    servers: Services, new_database: Callable[[], AbstractContextManager[str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings with a base model that has weights and a key to sign with."""
    from tests.support.tiny_model import make_tiny_model

    folder: Path = tmp_path_factory.mktemp("sequence")
    make_tiny_model(folder / "models" / "tiny")
    generate_key(folder / "key")
    with new_database() as database_url:
        yield Settings(
            database_url=database_url,
            broker_url=servers.valkey.url,
            data_dir=folder,
            bundled_models_dir=folder / "models",
            signing_key=folder / "key",
            device="cpu",
            torch_threads=1,
        )


def refused(service: Service, **changes: Any) -> dict[str, str]:
    """What is wrong with a submission, by pointer."""
    answer = service.http.post("/v1/jobs", json={"forget": [{"concept": "blue", "override": "grey"}], **changes})
    assert answer.status_code == 422, answer.text
    return {error["pointer"]: error["detail"] for error in answer.json()["errors"]}


def test_a_sequence_from_the_first_request_to_its_records(service: Service, forks: ForkServer, tmp_path: Path) -> None:
    generators = GeneratorStore(service.app.state.services.engine)
    runner = Runner(service.settings, service.store, generators, service.artifacts, "worker-1", forks)

    def run(**asked: Any) -> str:
        """The generator of a job, released."""
        job_id = submitted(service, **SMALL | asked)
        runner.run()
        job = service.store.get(job_id)
        assert job.generator_id is not None, job.error
        with Lethe(service.url) as lethe:
            if lethe.generator(job.generator_id).status == "withheld":
                withheld = refused(service, base_model=job.generator_id)
                assert "is withheld: its evaluation is " in withheld["/base_model"]
                lethe.release(job.generator_id, WHY)
        return job.generator_id

    recipe = {"batch": 8, "forgotten_share": 0.25, "lr_generator": 1e-3, "t_init": 500}
    first = run(base_model="tiny", forget=[{"concept": "red", "override": "green"}], recipe=recipe)

    again = [{"concept": "red", "override": "grey"}, {"concept": "green", "override": "grey"}]
    wrong = refused(service, base_model=first, forget=again)
    assert f"'red' is forgotten already: {first} has forgotten it" in wrong["/forget/0/concept"]
    assert f"'green' is what {first} draws instead of 'red'" in wrong["/forget/1/concept"]
    wrong = refused(service, base_model=first, recipe={"t_init": 300, "start": "base_model", "distil_images": 8})
    assert wrong["/recipe/t_init"] == f"must be 500, at which {first} starts"
    assert wrong["/recipe/start"] == f"the run goes on from {first}: leave it out"
    assert wrong["/recipe/distil_images"] == f"must be 0: {first} is distilled already"
    wrong = refused(service, base_model=first, forget=[{"concept": "blue", "override": "red"}])
    assert list(wrong) == ["/forget/0/override"]
    assert "written by the service" in refused(service, base_model="tiny", parent={})["/parent"]
    missing = f"gen_{'0' * 32}"
    assert refused(service, base_model=missing)["/base_model"] == f"there is no generator {missing}"

    second = run(base_model=first, forget=[{"concept": "blue", "override": "grey"}])

    job = service.http.get(f"/v1/jobs/{generators.get(second).job_id}").json()
    assert (job["base_model"], job["parent"], job["recipe"]["t_init"]) == ("tiny", first, 500)
    assert [(item["concept"], item["kept"]) for item in job["forget"]] == [("blue", False), ("red", True)]
    report = service.http.get(f"{job['links']['report']}").json()
    before = service.http.get(f"/v1/jobs/{generators.get(first).job_id}/report").json()
    (row,) = report["kept_forgotten"]
    then, now = (next(r for r in of["unlearning"] if r["concept"] == "red")["accuracy"] for of in (before, report))
    assert row["concept"] == "red"
    assert [(one["generator"], one["value"]) for one in row["accuracy"]] == [
        (first, then["value"]),
        (None, now["value"]),
    ]
    assert {one["about"] for one in report["criteria"] if one["name"] == "unlearning_accuracy"} == {"blue", "red"}

    environment = {"LETHE_URL": service.url, "COLUMNS": "200"}
    undone = CliRunner().invoke(app, ["undo", second, "--concept", "red", "--json"], env=environment)
    assert undone.exit_code == 0, undone.output
    without = json.loads(undone.stdout)
    assert (without["base_model"], without["parent"], without["recipe"]["t_init"]) == ("tiny", None, 500)
    assert [item["concept"] for item in without["forget"]] == ["blue"]
    runner.run()
    drawn_again = service.http.get(f"/v1/jobs/{without['id']}/report").json()["drawn_again"]
    assert (drawn_again["generator"], [row["concept"] for row in drawn_again["concepts"]]) == (second, ["red"])
    assert report["drawn_again"] is None
    assert 'id="undone"' in service.http.get(f"/v1/jobs/{without['id']}/report", headers={"accept": "text/html"}).text
    undoes = {"generator": second, "concepts": ["grey", "blue"]}
    wrong = refused(service, base_model="tiny", forget=[{"concept": "blue", "override": "grey"}], undoes=undoes)
    assert wrong == {
        "/undoes/concepts/0": f"{second} has not forgotten it; it has forgotten blue, red",
        "/undoes/concepts/1": "is to be forgotten by this request: leave it out here, or there",
    }
    wrong = refused(service, base_model="tiny", undoes={"generator": missing, "concepts": ["red"]})
    assert wrong == {"/undoes/generator": f"there is no generator {missing}"}
    wrong = refused(service, base_model="tiny", undoes={"concepts": []})
    assert set(wrong) == {"/undoes/concepts", "/undoes/generator"}
    never = CliRunner().invoke(app, ["undo", second, "--concept", "grey"], env=environment)
    assert never.exit_code == 2
    assert "it has forgotten red, blue" in " ".join(never.output.split())

    assert before["kept_forgotten"] is None
    assert f'goes on from <a href="/generators/{first}"' in service.http.get(f"/jobs/{job['id']}").text
    archive, folder = tmp_path / "archive.zip", tmp_path / "archive"
    archive.write_bytes(service.http.get(f"/v1/generators/{second}/archive").content)
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    keys = [load_public_key(public_path_of(service.settings.signing_key))]
    record = (folder / "unlearning-record.json").read_text()
    assert verify(record, keys, folder).ancestors == (first,)
    assert json.loads((folder / ANCESTORS / f"{first}.json").read_text())["signatures"]
    (folder / ANCESTORS / f"{first}.json").write_text(record)
    with pytest.raises(RecordMismatch, match=f"{ANCESTORS}/{first}.json: sha256 is "):
        verify(record, keys, folder)
