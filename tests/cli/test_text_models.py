"""``lethe unlearn``, ``sample`` and ``evaluate`` on a text-to-image model, and what the tables say of one."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from diffusers import StableDiffusionPipeline
from PIL import Image
from rich.console import Console

from cli.tables import models_table, report_table
from client.answers import BaseModel, read
from client.reports import Report
from sfd_core.families.loading import load_generator
from sfd_core.families.stable_diffusion.family import FAMILY
from tests.cli.conftest import Command
from tests.support.hub_server import REVISION
from tests.support.plain import plain
from tests.support.sample_text_report import text_report, unjudged_report
from tests.support.tiny_text_model import make_tiny_text_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "known"
    make_tiny_text_model(folder, "known", domains=True)
    return folder


@pytest.fixture(scope="module")
def made(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``lethe unlearn`` leaves."""
    out = tmp_path_factory.mktemp("run")
    request = out / "request.json"
    body = {
        "base_model": str(model),
        "forget": [{"concept": "pistol", "override": "banana"}],
        "budget": {"images": 8},
        "evaluation": {"images_per_concept": 4, "images_per_forgotten_concept": 4},
    }
    request.write_text(json.dumps(body))
    done = Command({})("unlearn", "--file", str(request), "--out", str(out), LETHE_DEVICE="cpu")
    assert done.exit_code == 1, done.stderr
    assert "verdict: " in done.stdout
    return out / "generator"


def test_what_is_made_opens_in_stock_diffusers(made: Path) -> None:
    assert isinstance(StableDiffusionPipeline.from_pretrained(made), StableDiffusionPipeline)
    report = json.loads((made / "evaluation" / "report.json").read_text())
    assert (report["domain"], report["text"]["start"]) == ("object", "distilled")


def test_samples_of_a_prompt(made: Path, run: Command, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    done = run("sample", str(made), "--prompt", "a pistol", "-n", "3", "--seed", "5", "--out", str(folder))
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"wrote {folder}: 3 of 'a pistol', seed 5\n"
    expected = load_generator(made).sample("a pistol", 3, 5)
    for i, image in enumerate(expected):
        assert Image.open(folder / f"{i:04}.png").tobytes() == image.tobytes()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "say what to ask for"),
        (("--concept", "pistol", "--prompt", "a pistol"), "say what to ask for"),
        (("--concept", "pistol"), "a text-to-image generator is asked by a prompt"),
    ],
)
def test_what_it_cannot_be_asked(made: Path, run: Command, options: tuple[str, ...], said: str) -> None:
    done = run("sample", str(made), *options)
    assert done.exit_code == 2
    assert said in done.stderr


def test_evaluate_a_pipeline_made_elsewhere(made: Path, model: Path, run: Command, tmp_path: Path) -> None:
    few = ("--images-per-concept", "4", "--images-per-forgotten-concept", "4")
    what = ("--generator", str(made), "--base", str(model), "--forgotten", "pistol")
    done = run("evaluate", *what, *few, "--out", str(tmp_path), LETHE_DEVICE="cpu")
    assert done.exit_code == 1, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["forget"][0]["override"] is None, "nobody said what it shows instead"
    assert report["generator"]["files"] == FAMILY.files(made)
    assert [row["domain"] for row in report["cross_domain"]] == ["style"]


def test_evaluate_reads_names_and_overrides_as_a_job_does(
    made: Path, model: Path, run: Command, tmp_path: Path
) -> None:
    what = ("--generator", str(made), "--base", str(model), "--out", str(tmp_path))
    done = run("evaluate", *what, "--forgotten", "pistl=random")
    assert done.exit_code == 2
    assert "unknown concept 'pistl' (did you mean 'pistol'?)" in " ".join(done.stderr.split())
    assert "/forget/0/override: there is no list of other concepts" in " ".join(done.stderr.split())


def test_a_hub_that_is_not_allowed(run: Command, tmp_path: Path) -> None:
    base = ("--base", f"hub:acme/noise@{REVISION}", "--forget", "pistol=banana", "--images", "8")
    done = run("unlearn", *base, "--out", str(tmp_path))
    assert done.exit_code == 2
    assert "LETHE_HUB_MODELS is not set" in " ".join(done.stderr.split())


def shown(table: object) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_the_table_of_a_text_report() -> None:
    table = shown(report_table(read(Report, text_report())))
    for row in (
        "Sneaker, by synonym",
        "Sneaker, by misspelling",
        "in captions never seen",
        "CRA",
        "flagged by opennsfw",
    ):
        assert row in table
    assert "shows it: 91.7 %" in plain(table)


def test_the_table_of_a_report_that_nobody_judged() -> None:
    table = shown(report_table(read(Report, unjudged_report())))
    assert "Sneaker -> the empty prompt" in table
    assert "not evaluated" in table


def test_the_table_of_base_models() -> None:
    judge = {"name": "a classifier", "accuracy": 0.98}
    domains = {"object": {"concepts": ["apple", "pistol"], "judge": judge}, "style": {"concepts": ["noto"]}}
    answer = {"name": "emoji", "title": "Emoji", "concepts": ["apple", "pistol", "noto"], "domains": domains}
    table = shown(models_table([read(BaseModel, answer)]))
    assert "object: apple, pistol" in table
    assert "a classifier (98.0 %)" in plain(table)
    assert "style: noto" in table
