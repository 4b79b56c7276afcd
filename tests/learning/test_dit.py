"""A diffusion transformer through a whole run, and under every probe of class models."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from sfd_core.admission import admit
from sfd_core.base_model.manifest import BaseModel, digest_of
from sfd_core.evaluation.attack_target import AttackTarget
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.probe import Probes
from sfd_core.evaluation.probes import probes_for
from sfd_core.evaluation.probes.benign_fine_tuning import attack as benign_fine_tuning
from sfd_core.evaluation.probes.concept_inversion import attack as concept_inversion
from sfd_core.evaluation.probes.relearning import attack as relearning
from sfd_core.evaluation.probing import run_probes
from sfd_core.evaluation.subject import ImageSource
from sfd_core.families.loading import load_base, load_generator
from sfd_core.families.registry import family_of
from sfd_core.report.schema import report_schema
from sfd_core.run import Finished, unlearn
from tests.support.tiny_dit_model import make_tiny_dit_model

CPU = torch.device("cpu")
BODY: Mapping[str, Any] = {
    "forget": [{"concept": "goldfish", "override": "hen"}, {"concept": "crane (bird)", "override": {"judge": True}}],
    "budget": {"images": 8},
    "evaluation": {"images_per_concept": 3, "images_per_forgotten_concept": 5},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    return make_tiny_dit_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def finished(model: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """With one fixed override, and one that the judge chooses in latents."""
    *_, last = unlearn(admit(BODY, model), tmp_path_factory.mktemp("run"))
    assert isinstance(last, Finished)
    return last


def test_it_comes_to_a_report(finished: Finished) -> None:
    report = json.loads((finished.report_folder / "report.json").read_text())
    jsonschema.validate(report, report_schema(), jsonschema.Draft202012Validator)
    assert [row["concept"] for row in report["unlearning"]] == ["goldfish", "crane (bird)"]
    assert {row["concept"] for row in report["retention"]} == {"crane (machine)", "tench", "hen"}
    assert report["depth"] is not None, "its own network has many steps"
    assert report["recipe"]["kappa4"] == 1.5


def test_what_is_published_is_what_was_measured(finished: Finished) -> None:
    files = family_of("dit").files(finished.generator)
    assert finished.report["generator"]["digest"] == digest_of(files)
    again = load_generator(finished.generator)
    assert ImageSource.of_generator(again).generator is again
    assert again.sample_labels([0, 4], [1, 2]).shape == (2, 16, 16, 3)


def test_training_moves_the_network(finished: Finished, model: BaseModel) -> None:
    base = load_base(model)
    before = family_of("dit").generator(base.network, base, 440)
    after = load_generator(finished.generator)
    assert not np.array_equal(before.sample_labels([0], [1]), after.sample_labels([0], [1]))


def test_every_probe_of_class_models_works_on_it(model: BaseModel, monkeypatch: pytest.MonkeyPatch) -> None:
    for probe in (benign_fine_tuning, relearning):
        monkeypatch.setattr(probe, "SIZES", (4,))
        monkeypatch.setattr(probe, "POINTS", (0, 2))
    for name in ("SHORT_STEPS", "STEPS"):
        monkeypatch.setattr(concept_inversion, name, 2)
    base, names = load_base(model), list(probes_for("classes"))
    request = admit({**BODY, "forget": BODY["forget"][:1]}, model).request
    generator = family_of("dit").generator(base.network, base, 440)
    evaluators = Evaluators.load(model, CPU, None, False)
    target = dataclasses.replace(AttackTarget.of(generator, base, evaluators, request, CPU), images=4)
    *_, (_, _, probed) = run_probes(names, target)
    assert probed is not None
    written = TypeAdapter(Probes).dump_python(probed.part, mode="json")
    assert set(written["results"]) == set(names)
    assert all(row["statement"] for rows in written["results"].values() for row in rows)
