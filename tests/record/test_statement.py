"""What a record tells: all of it, under the names of an archive."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from jobs.record import read_statement
from jobs.record.statement import IMAGE_SEEDS, from_report, subjects
from sfd_core.base_model.manifest import BaseModel, file_sha256
from sfd_core.environment import environment
from sfd_core.evaluation.concept_images import seeds_of
from tests.record.case import Case

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "record.md"


def test_the_subjects_are_the_files_of_the_archive(case: Case) -> None:
    found = {
        path.relative_to(case.folder).as_posix(): file_sha256(path)
        for path in case.folder.rglob("*")
        if path.is_file() and path.name != "unlearning-record.json"
    }
    assert subjects(read_statement(case.text)) == found
    assert {"unet/config.json", "README.md", "evaluation/report.json", "evaluation/pairs.png"} <= set(found)


def test_the_predicate_says_who_asked_for_what_and_what_came_of_it(case: Case, tiny_model: BaseModel) -> None:
    predicate = read_statement(case.text)["predicate"]
    report = json.loads((case.folder / "evaluation" / "report.json").read_text())
    assert predicate["job"] == "job_" + "0" * 32
    assert predicate["asked_by"]["tenant"] == "acme"
    assert predicate["asked_by"]["metadata"]["ticket"].startswith("T-1")
    assert predicate["request"]["forget"] == [{"concept": "red", "override": "green"}]
    assert predicate["request"]["thresholds"] == report["thresholds"]
    assert predicate["base_model"]["files"] == dict(tiny_model.files)
    assert predicate["images_trained"] == 32
    assert predicate["seeds"]["training"] == 7
    assert predicate["verdict"] == report["verdict"]
    assert predicate["criteria"] == report["criteria"]
    assert tiny_model.judge.digest in json.dumps(predicate["evaluators"])
    assert predicate["derived"]["generator_ema"] == "published"
    assert predicate["changed"] == []
    assert predicate["release"] is None
    assert predicate["limits"] == report["limits"]


def test_every_field_is_documented(case: Case) -> None:
    text = DOCUMENT.read_text()
    for name in read_statement(case.text)["predicate"]:
        assert f"`{name}`" in text, name


def test_the_seeds_of_the_images_are_said_as_they_are() -> None:
    assert IMAGE_SEEDS == "image i of class label k is made from seed 1000000000 + 1000000 k + i"
    assert seeds_of(3, 5)[2] == 1000000000 + 1000000 * 3 + 2


def test_probes_are_told_in_words() -> None:
    report = {
        "recipe": {},
        "seed": 1,
        "cost": {"images": 8},
        "evaluators": [],
        "scores": {"file": "scores.safetensors", "sha256": "0", "images": 3},
        "pictures": {"pairs": "pairs.png"},
        "verdict": "pass",
        "criteria": [],
        "probes": {
            "asked": ["relearning"],
            "results": {"relearning": [{"concept": "red", "pool": 64, "statement": "It comes back in 5 steps."}]},
        },
        "limits": [],
    }
    told = from_report(report)
    assert told["probes"] == {
        "tried": ["relearning"],
        "found": {"relearning": [{"concept": "red", "statement": "It comes back in 5 steps."}]},
    }
    assert told["scores"] == {"file": "evaluation/scores.safetensors", "sha256": "0", "images": 3}
    assert told["pictures"] == {"pairs": "evaluation/pairs.png"}


def test_the_environment_names_what_decides_the_bits() -> None:
    here = environment(torch.device("cpu"))
    # The wheel's own version; torch adds the build ("+cu130") where its index does not.
    assert torch.__version__.startswith(here["dependencies"]["torch"])
    assert here["machine"]["threads"] == torch.get_num_threads()
    assert here["machine"]["device"] == "cpu"
    assert here["machine"]["instructions"]
    assert here["code"]["sfd_core"].startswith("sha256:")
