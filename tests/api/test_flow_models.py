"""Jobs on flow-matching models through the whole service, from submission to samples: real api, broker, database,
worker and sampler, on a tiny model of every pipeline. What is downloaded
draws what the endpoint draws, in stock diffusers."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from PIL import Image

from client import Generator, Lethe, Report
from jobs.settings import Settings
from local.services import Services
from tests.support.alone import run_without_our_code
from tests.support.serving import Service
from tests.support.waiting import wait_for
from tests.support.workers import working

WHY = "A model that means nothing: nobody can be harmed by it."
RUNS = [("sd3", 1), pytest.param("sd3-with-t5", 4, marks=pytest.mark.slow), ("flux", 2), ("sana", 1)]
"""Models, and in how many steps their generators draw."""


@pytest.fixture(scope="module")
def settings(
    servers: Services, new_database: Callable[[], AbstractContextManager[str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings with a tiny model of every pipeline."""
    from tests.support.tiny_flux import make_tiny_flux
    from tests.support.tiny_sana import make_tiny_sana
    from tests.support.tiny_sd3 import make_tiny_sd3

    folder: Path = tmp_path_factory.mktemp("flow")
    make_tiny_sd3(folder / "models" / "sd3", "sd3", domains=True)
    make_tiny_sd3(folder / "models" / "sd3-with-t5", "sd3-with-t5", t5=True, domains=True)
    make_tiny_flux(folder / "models" / "flux", "flux", domains=True)
    make_tiny_sana(folder / "models" / "sana", "sana", domains=True)
    with new_database() as database_url:
        yield Settings(
            database_url=database_url,
            broker_url=servers.valkey.url.replace("virtual_host=0", "virtual_host=15"),
            data_dir=folder,
            bundled_models_dir=folder / "models",
            sample_timeout_seconds=60,
            device="cpu",
            torch_threads=1,
        )


@pytest.fixture(scope="module", autouse=True)
def workers(settings: Settings) -> Iterator[None]:
    with ExitStack() as stack:
        for kind in ("train", "sample"):
            stack.enter_context(working(kind, settings.environment(), settings.data_dir))  # type: ignore[arg-type]
        yield


def run(service: Service, model: str, **recipe: Any) -> tuple[Report, Generator]:
    """Submit a job, wait for its report, and have its generator served whatever its verdict is."""
    body = {
        "base_model": model,
        "forget": [{"concept": "pistol", "override": "banana"}],
        "budget": {"images": 8},
        "evaluation": {"images_per_concept": 4, "images_per_forgotten_concept": 4},
        "recipe": {"batch": 4, "forgotten_share": 0.5, **recipe},
    }
    with Lethe(service.url) as lethe:
        job = lethe.submit_request(body)
        wait_for(lambda: lethe.job(job.id).finished, 280)
        done = lethe.job(job.id)
        assert done.status == "succeeded", (done.error, (service.settings.data_dir / "train.log").read_text()[-2000:])
        assert done.generator is not None
        report = lethe.report(job.id)
        Draft202012Validator(service.http.get("/v1/report-schema").json()).validate(report.raw)
        assert "<h1" in lethe.report_html(job.id)
        page = service.http.get(f"/jobs/{job.id}", headers={"accept": "text/html"})
        assert page.status_code == 200, page.text
        if lethe.generator(done.generator).status == "withheld":
            lethe.release(done.generator, WHY)
        return report, lethe.generator(done.generator)


def drawn(service: Service, generator: Generator, n: int, seed: int) -> Any:
    """What the endpoint draws: uint8 [n, H, W, 3]."""
    asked = {"prompt": "a cat", "n": n, "seed": seed, "format": "json"}
    answer = service.http.post(f"/v1/generators/{generator.id}/samples", json=asked, timeout=90)
    assert answer.status_code == 200, answer.text
    pictures = (base64.b64decode(image["png_base64"]) for image in answer.json()["images"])
    return np.stack([np.asarray(Image.open(io.BytesIO(picture))) for picture in pictures])


@pytest.mark.parametrize(("model", "steps"), RUNS)
def test_from_submission_to_a_folder_that_stock_diffusers_opens(
    service: Service, model: str, steps: int, tmp_path: Path
) -> None:
    report, generator = run(service, model, steps=steps)
    assert report.criteria
    assert (report.domain, report.raw["text"]["start"]) == ("object", "distilled")
    assert report.raw["speed"]["generator_network_evaluations"] == steps
    assert report.raw["subject"]["kind"] == ("one_step" if steps == 1 else "few_steps")
    assert report.raw["recipe"]["steps"] == steps
    ours = drawn(service, generator, 3, 5)
    assert len({image.tobytes() for image in ours}) == 3
    assert np.array_equal(drawn(service, generator, 1, 7)[0], ours[2])
    with Lethe(service.url) as lethe:
        folder = lethe.download(generator.id, tmp_path / "generator")
    card = (folder / "README.md").read_text("utf-8")
    opening = next(line for line in card.splitlines() if line.startswith("pipe = "))
    call = next(line for line in card.splitlines() if line.startswith("image = "))
    arguments = call.partition("', ")[2].partition(").images")[0]
    assert ("torch.manual_seed(7)" in card) == (steps > 1)
    run_without_our_code(
        f"""
import numpy, torch
from diffusers import {opening.partition("pipe = ")[2].partition(".")[0]}
folder = {str(folder)!r}
{opening}
images = []
for i in range(3):
    rng = torch.Generator().manual_seed(5 + i)
    torch.manual_seed(5 + i)  # for what draws without a generator
    images.append(pipe("a cat", {arguments}, output_type="np").images[0])
numpy.save({str(tmp_path / "images.npy")!r}, numpy.stack(images))
""",
        tmp_path,
    )
    theirs = np.round(np.load(tmp_path / "images.npy") * 255)
    assert np.abs(theirs - ours).max() <= 1
