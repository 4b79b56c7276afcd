"""A new user with a model of their own: made elsewhere, with a classifier of its own, in the service in three commands
and without a line of code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from cli.added_models import by_domain
from cli.exits import REFUSED
from cli.main import app
from client import Lethe
from sfd_core.evaluation.evaluators import Evaluators, GivenWeights
from sfd_core.evaluation.inception import InceptionV3
from sfd_core.families.registry import load_manifest
from tests.cli.conftest import Command
from tests.cli.service import Service
from tests.support.foreign import CARS, save_class_model, save_classifier, save_pictures
from tests.support.tiny_text_model import OBJECTS, STYLES, VOCABULARY, make_tiny_text_model

Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which somebody has a model, its classifier and pictures."""
    save_class_model(tmp_path / "cars")
    save_classifier(tmp_path / "classifier")
    save_pictures(tmp_path / "pictures")
    (tmp_path / "bundled").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def lethe_here(home: Path) -> Run:
    """The command, with no setting but where the bundled models are: none, so that it is quick."""
    environment = {"LETHE_BUNDLED_MODELS_DIR": "bundled", "LETHE_URL": "http://127.0.0.1:9", "COLUMNS": "200"}

    def command(*arguments: str) -> Result:
        result = CliRunner().invoke(app, arguments, env=environment)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return command


def write_request(folder: Path) -> None:
    """A request that trains and judges next to nothing."""
    request = {
        "base_model": "cars",
        "forget": [{"concept": "sedan", "override": "truck"}],
        "budget": {"images": 16},
        "recipe": {"batch": 8},
        "evaluation": {"images_per_concept": 20, "images_per_forgotten_concept": 20},
    }
    (folder / "few.json").write_text(json.dumps(request))


def test_three_commands_and_no_code(lethe_here: Run, home: Path) -> None:
    added = lethe_here("models", "add", "cars", "--judge", "classifier", "--steps", "2")
    assert added.exit_code == 0, added.stderr
    assert f"added cars (class_unet): {home / '.lethe/models/cars'}" in added.stdout
    assert "concepts: sedan, truck, van" in added.stdout
    assert "pass is not" in added.stdout
    measured = lethe_here("models", "measure", "cars", "--real", "pictures", "--images", "20")
    assert measured.exit_code == 0, measured.stderr
    assert "of 9 real images" in measured.stdout
    write_request(home)
    run = lethe_here("unlearn", "--file", "few.json", "--out", "out")
    assert run.exit_code == 1, run.stderr  # a network that has learnt nothing does not pass
    report = json.loads((home / "out/generator/evaluation/report.json").read_text())
    assert report["base_model"]["name"] == "cars"
    assert report["judge"]["accuracy_images"] == 9
    assert [row["concept"] for row in report["retention"]] == ["truck", "van"]


def test_a_text_model_in_three_commands_too(lethe_here: Run, home: Path) -> None:
    make_tiny_text_model(home / "things")
    (home / "things/manifest.json").unlink()
    save_classifier(home / "classifier-of-things", OBJECTS)
    save_pictures(home / "photos", OBJECTS)
    said = ("--judge", "classifier-of-things", "--steps", "2", "--guidance", "2")
    added = lethe_here("models", "add", "things", *said)
    assert added.exit_code == 0, added.stderr
    assert "concepts: apple, banana, pistol, castle" in added.stdout
    assert "verdicts in the domain object:" in added.stdout
    request = {
        "base_model": "things",
        "forget": [{"concept": "pistol", "override": "banana"}],
        "budget": {"images": 8},
        "recipe": {"batch": 4},
        "evaluation": {"images_per_concept": 6, "images_per_forgotten_concept": 6},
    }
    (home / "few.json").write_text(json.dumps(request))
    for out in ("before", "after"):  # without and with what is measured of the model itself
        run = lethe_here("unlearn", "--file", "few.json", "--out", out)
        assert run.exit_code == 1, run.stderr  # a network that has learnt nothing does not pass
        report = json.loads((home / out / "generator/evaluation/report.json").read_text())
        assert (report["judge"]["name"], report["domain"]) == (
            "ResNetForImageClassification of classifier-of-things",
            "object",
        )
        assert [row["concept"] for row in report["retention"]] == ["apple", "banana", "castle"]
        wrong = lethe_here("models", "measure", "things", "--real", "style=photos")
        assert wrong.exit_code == 2
        assert "unknown domain 'style'" in wrong.stderr
        measured = lethe_here("models", "measure", "things", "--real", "photos", "--images", "6")
        assert measured.exit_code == 0, measured.stderr
        assert "of 12 real images" in measured.stdout


def test_a_text_model_of_two_domains_is_judged_and_measured_in_each(lethe_here: Run, home: Path) -> None:
    make_tiny_text_model(home / "things")
    (home / "things/manifest.json").unlink()
    save_classifier(home / "of-objects", OBJECTS)
    save_classifier(home / "of-styles", STYLES)
    (home / "words.json").write_text(json.dumps(VOCABULARY))
    judges = ("--judge", "object=of-objects", "--judge", "style=of-styles")
    added = lethe_here("models", "add", "things", "--vocabulary", "words.json", *judges, "--steps", "2")
    assert added.exit_code == 0, added.stderr
    request = {
        "base_model": "things",
        "forget": [{"concept": "pistol", "override": "banana"}],
        "budget": {"images": 8},
        "recipe": {"batch": 4},
        "evaluation": {"images_per_concept": 6, "images_per_forgotten_concept": 6},
    }
    (home / "few.json").write_text(json.dumps(request))
    run = lethe_here("unlearn", "--file", "few.json", "--out", "out")
    assert run.exit_code == 1, run.stderr  # a network that has learnt nothing does not pass
    report = json.loads((home / "out/generator/evaluation/report.json").read_text())
    assert [row["domain"] for row in report["cross_domain"]] == ["style"]
    for images in ("2", "3"):  # again, other images take the place of those before
        measured = lethe_here("models", "measure", "things", "--images", images)
        assert measured.exit_code == 0, measured.stderr
        assert "object: the model's own images" in measured.stdout
        assert "style: the model's own images" in measured.stdout
        assert len(list((home / ".lethe/models/things").glob("reference-*"))) == 2
    assert lethe_here("models", "check", "things").exit_code == 0


def test_features_of_inception_where_its_weights_are_given(
    lethe_here: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(InceptionV3().state_dict(), home / "inception.pth")
    monkeypatch.setenv("LETHE_INCEPTION_WEIGHTS", str(home / "inception.pth"))
    assert lethe_here("models", "add", "cars", "--judge", "classifier", "--steps", "2").exit_code == 0
    few = ("--images", "2", "--real-images", "2")
    measured = lethe_here("models", "measure", "cars", "--real", "pictures", *few)
    assert measured.exit_code == 0, measured.stderr
    said = "features by Inception-2048 (6 images of its own, 6 real ones): a distance on them is called FD-Inception"
    assert said in measured.stdout, "which is no FID: these are no published weights"
    model = load_manifest(home / ".lethe/models/cars")
    given = GivenWeights(inception=home / "inception.pth")
    assert list(Evaluators.load(model, given=given).references) == ["Inception-2048"]
    assert lethe_here("models", "check", "cars").exit_code == 0


def test_folders_by_domain(lethe_here: Run, home: Path) -> None:
    """One whose name has an equals sign is a folder all the same."""
    (home / "a=b").mkdir()
    assert by_domain(["a=b", "style=x"], "--judge") == {"": Path("a=b"), "style": Path("x")}
    refused = lethe_here("models", "add", "cars", "--judge", "x", "--judge", "y")
    assert refused.exit_code == 2
    assert "a folder alone is there twice" in refused.stderr
    assert lethe_here("models", "add", "cars", "--judge", "classifier", "--steps", "2").exit_code == 0
    refused = lethe_here("models", "measure", "cars", "--real", "object=pictures")
    assert refused.exit_code == 2
    assert "cars has no domain object" in refused.stderr


def test_without_a_judge_a_run_says_that_nobody_looked(lethe_here: Run, home: Path) -> None:
    assert lethe_here("models", "add", "cars", "--concepts", ",".join(CARS), "--steps", "2").exit_code == 0
    write_request(home)
    run = lethe_here("unlearn", "--file", "few.json", "--out", "out")
    assert run.exit_code == 1, run.stderr
    report = json.loads((home / "out/generator/evaluation/report.json").read_text())
    assert (report["verdict"], report["judge"]) == ("inconclusive", None)
    ask = ("unlearn", "--base", "cars", "--out", "out")
    refused = lethe_here(*ask, "--forget", "sedan=judge", "--probe", "relearning")
    assert refused.exit_code == 2
    assert "/forget/0/override: this model has no judge that could choose" in refused.stderr
    assert "/evaluation/probes: no judge of this model" in refused.stderr


def test_every_fault_is_said_before_anything_is_copied(lethe_here: Run, home: Path) -> None:
    (home / "cars/unet/diffusion_pytorch_model.safetensors").rename(home / "cars/unet/model.bin")
    refused = lethe_here("models", "add", "cars", "--judge", "nowhere", "--name", "a b")
    assert refused.exit_code == 2
    for said in ("cars is refused:", "'a b' is no name", "never from pickles", "nowhere: no such folder"):
        assert said in refused.stderr
    assert not (home / ".lethe/models").exists()
    assert "never from pickles" in lethe_here("models", "check", "cars").stderr


def test_check_show_and_remove(lethe_here: Run, home: Path) -> None:
    assert "cars can be added: class_unet, 8 x 8 pixels" in lethe_here("models", "check", "cars").stdout
    assert lethe_here("models", "add", "cars", "--judge", "classifier", "--steps", "2").exit_code == 0
    taken = lethe_here("models", "add", "cars")
    assert taken.exit_code == 2
    assert "there is a base model 'cars' already" in taken.stderr
    folder = home / ".lethe/models/cars"
    assert "cars is whole: 6 files, sha256:" in lethe_here("models", "check", "cars").stdout
    assert "cars is whole" in lethe_here("models", "check", str(folder)).stdout
    shown = lethe_here("models", "show", "cars").stdout
    assert "judge: ResNetForImageClassification of classifier, not tried on real images" in shown
    assert json.loads(lethe_here("models", "show", str(folder), "--json").stdout)["concepts"] == list(CARS)
    with (folder / "unet/config.json").open("a") as file:
        file.write(" ")
    assert "sha256 is" in lethe_here("models", "check", str(folder)).stderr
    removed = lethe_here("models", "remove", "cars")
    assert removed.exit_code == 0
    assert "no service answered" in removed.stdout
    assert not folder.exists()
    assert "unknown base model 'cars'" in lethe_here("models", "remove", "cars").stderr


def test_a_model_that_is_refused_can_be_removed(lethe_here: Run, home: Path) -> None:
    assert lethe_here("models", "add", "cars").exit_code == 0
    folder = home / ".lethe/models/cars"
    (folder / "manifest.json").write_text("{")
    assert "is refused" in " ".join(lethe_here("models", "show", "cars").stderr.split())
    assert lethe_here("models", "remove", "cars").exit_code == 0
    assert not folder.exists()
    (home / "bundled/broken").mkdir(parents=True)
    (home / "bundled/broken/manifest.json").write_text("{")
    refused = lethe_here("models", "remove", "broken")
    assert refused.exit_code == 2
    assert (home / "bundled/broken").is_dir(), "it came with Lethe"


def test_the_first_model_makes_the_folder_that_is_named(
    lethe_here: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LETHE_MODELS_DIR", "shelf/models")
    missing = lethe_here("models", "show", "cars")
    assert missing.exit_code == REFUSED
    assert "LETHE_MODELS_DIR=" in missing.stderr
    assert "shelf/models: not a folder: make it, or leave the setting out" in missing.stderr
    assert lethe_here("models", "add", "cars").exit_code == 0
    assert (home / "shelf/models/cars/manifest.json").is_file()


def test_what_came_with_lethe_is_not_changed(lethe_here: Run, home: Path) -> None:
    assert lethe_here("models", "add", "cars", "--judge", "classifier").exit_code == 0
    (home / ".lethe/models/cars").rename(home / "bundled/cars")
    for command in (("measure",), ("distil",), ("remove",)):
        refused = lethe_here("models", *command, "cars")
        assert refused.exit_code == 2
        assert "came with Lethe and stays as it is" in refused.stderr


def test_distil(lethe_here: Run, home: Path) -> None:
    assert lethe_here("models", "add", "cars", "--steps", "2").exit_code == 0
    done = lethe_here("models", "distil", "cars", "--images", "16", "--recipe", "batch=8")
    assert done.exit_code == 0, done.stderr
    assert "cars has a first stage" in done.stdout
    assert "unless they say otherwise: batch=8" in done.stdout
    model = load_manifest(home / ".lethe/models/cars")
    assert model.distilled is not None
    assert model.recipe == {"batch": 8}


def test_a_service_that_runs_has_the_model_at_once(run: Command, api: Service, lethe: Lethe, home: Path) -> None:
    folder = api.settings["LETHE_BUNDLED_MODELS_DIR"]
    where = {"LETHE_MODELS_DIR": folder, "LETHE_BUNDLED_MODELS_DIR": folder}
    added = run("models", "add", "cars", "--judge", "classifier", **where)
    assert added.exit_code == 0, added.stderr
    try:
        listed = {model.name: model for model in lethe.base_models()}
        assert listed["cars"].concepts == CARS
        judge = listed["cars"].judge
        assert judge is not None
        assert judge.accuracy is None
        assert "ResNetForImageClassification of classifier (not" in run("models", COLUMNS="600").stdout
        job = lethe.submit("cars", {"sedan": "truck"}, images=640)
        refused = run("models", "remove", "cars", **where)
        assert refused.exit_code == 2
        assert f"cars is not removed: {job.id} need it" in refused.stderr
        lethe.cancel(job.id)
    finally:
        assert run("models", "remove", "cars", **where).exit_code == 0
    assert "cars" not in {model.name for model in lethe.base_models()}
