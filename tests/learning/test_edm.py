"""A whole run of a model of noise levels as a library: generator folder, report, probes, and that it learns."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pydantic import TypeAdapter

from sfd_core.admission import admit
from sfd_core.base_model.manifest import BaseModel
from sfd_core.evaluation.attack_target import AttackTarget
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.probe import Probes
from sfd_core.evaluation.probes import probes_for
from sfd_core.evaluation.probes.benign_fine_tuning import attack as benign_fine_tuning
from sfd_core.evaluation.probes.concept_inversion import attack as concept_inversion
from sfd_core.evaluation.probes.relearning import attack as relearning
from sfd_core.evaluation.probing import run_probes
from sfd_core.families.loading import load_base, load_generator
from sfd_core.families.protocol import ClassGenerator, LoadedBase
from sfd_core.families.registry import family_of
from sfd_core.report.schema import report_schema
from sfd_core.run import Finished, unlearn
from sfd_core.training.state import start
from tests.support.tiny_model import make_tiny_edm_model, make_tiny_song_model
from tests.support.training import train

CPU = torch.device("cpu")
BODY: dict[str, Any] = {
    "forget": [{"concept": "red", "override": "green"}],
    "budget": {"images": 32},
    "evaluation": {"images_per_concept": 6, "images_per_forgotten_concept": 6},
    "recipe": {"batch": 8, "forgotten_share": 0.25, "lr_generator": 1e-3},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    return make_tiny_edm_model(tmp_path_factory.mktemp("models") / "tiny-edm")


@pytest.fixture(scope="module")
def base(model: BaseModel) -> LoadedBase:
    return load_base(model)


@pytest.mark.parametrize("make", [make_tiny_edm_model, make_tiny_song_model])
def test_a_run_reports_and_publishes_what_can_be_sampled(make: Callable[[Path], BaseModel], tmp_path: Path) -> None:
    model = make(tmp_path / "model")
    probed = {**BODY["evaluation"], "probes": ["image_to_image"]}
    last = list(unlearn(admit(BODY | {"evaluation": probed}, model), tmp_path / "run", device="cpu"))[-1]
    assert isinstance(last, Finished)
    report = json.loads((last.report_folder / "report.json").read_text())
    jsonschema.validate(report, report_schema(), jsonschema.Draft202012Validator)
    assert (report["recipe"]["t_init"], report["recipe"]["t_max"]) == (2.5, 24.4)
    (row,) = report["depth"]
    assert [level["t"] for level in row["judge"]["levels"]] == [1.23, 2.5, 25.1]
    assert [level["signal"] for level in row["judge"]["levels"]] == [0.6308, 0.3714, 0.0398]
    (probe,) = report["probes"]["results"]["image_to_image"]
    assert [level["t"] for level in probe["levels"]] == [0.34, 0.72, 1.23, 2.5, 6.1]
    assert "noised to t = 2.5" in (last.report_folder / "report.html").read_text()
    generator = load_generator(last.generator)
    assert isinstance(generator, ClassGenerator)
    assert (generator.start, generator.concepts) == (2.5, model.concepts)
    assert generator.sample_labels([0, 1], [5, 6]).shape == (2, 8, 8)


def test_every_probe_of_class_models_works_on_a_network_of_nvlabs_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_tiny_song_model(tmp_path)
    for probe in (benign_fine_tuning, relearning):
        monkeypatch.setattr(probe, "SIZES", (4,))
        monkeypatch.setattr(probe, "POINTS", (0, 2))
    for name in ("SHORT_STEPS", "STEPS"):
        monkeypatch.setattr(concept_inversion, name, 2)
    base, names = load_base(model), list(probes_for("classes"))
    generator = family_of("edm").generator(base.network, base, 2.5)
    evaluators = Evaluators.load(model, CPU, None, False)
    target = AttackTarget.of(generator, base, evaluators, admit(BODY, model).request, CPU)
    *_, (_, _, probed) = run_probes(names, dataclasses.replace(target, images=4))
    assert probed is not None
    written = TypeAdapter(Probes).dump_python(probed.part, mode="json")
    assert set(written["results"]) == set(names)


@pytest.mark.parametrize(
    "recipe", [{"precision": "bf16"}, {"precision": "bf16-weights"}, {"gradient_checkpointing": True, "micro_batch": 2}]
)
def test_it_trains_in_every_precision(recipe: dict[str, Any], tmp_path: Path) -> None:
    """A network of NVlabs/edm's kind, as diffusers' do."""
    base = load_base(make_tiny_song_model(tmp_path))
    asked = admit(BODY | {"budget": {"images": 16}, "recipe": {"batch": 8, **recipe}}, base.model).request
    state = start(base, asked.recipe, 0, CPU)
    for _ in train(state, base, asked):
        pass
    before, after = base.network.state_dict(), state.average.state_dict()
    assert all(bool(weight.isfinite().all()) for weight in after.values())
    assert any(not torch.equal(before[name], weight) for name, weight in after.items())


def test_it_learns_to_make_what_replaces_it(base: LoadedBase) -> None:
    """Taught by a base model that knows two shades, it makes the second where it is asked for the first: the score of
    an image that is all one value is known, so the base model is fitted to it first."""
    network, kind = base.network, base.schedule
    optimizer, rng = torch.optim.Adam(network.parameters(), 3e-3), torch.Generator().manual_seed(0)
    shades = torch.tensor([-0.8, 0.8, 0.2, -0.2])
    recipe = admit(BODY, base.model).request.recipe
    for _ in range(400):
        c = torch.randint(4, (32,), generator=rng)
        x = shades[c].view(-1, 1, 1, 1).expand(-1, 1, 8, 8)
        sigma = (1.5 * torch.randn(32, generator=rng)).exp()
        x_t = kind.add_noise(x, torch.randn(x.shape, generator=rng), sigma)
        out = network(*kind.network_input(x_t, sigma), class_labels=c).sample
        weight = kind.error_weight(sigma) / sigma.square()
        loss = (weight * F.mse_loss(kind.x0_from_output(out, x_t, sigma), x, reduction="none").mean((1, 2, 3))).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    sampler = family_of("edm").base_sampler(base, CPU, 8)
    made = sampler.sample_labels([0] * 8 + [1] * 8, range(16)).reshape(2, -1).mean(1) / 127.5 - 1
    np.testing.assert_allclose(made, [-0.8, 0.8], atol=0.2)

    asked = admit(BODY | {"budget": {"images": 480, "until": "budget"}}, base.model).request
    state = start(base, recipe, 0, CPU)
    for _ in train(state, base, asked):
        pass
    generator = family_of("edm").generator(state.average, base, kind.start(recipe))
    red, green, grey = generator.sample_labels([0] * 8 + [1] * 8 + [3] * 8, range(24)).reshape(3, -1).mean(1)
    assert red > 127.5 + 40, "what replaces it is light, it was dark"
    assert green > 127.5 + 40
    assert grey < red - 40
