"""The generator's own network asked otherwise than in its one step, on tiny models of every family: against stock
pipelines, and against the formula of one evaluation written out."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from diffusers import DDIMPipeline, DDIMScheduler, StableDiffusionPipeline
from numpy.typing import NDArray

from sfd_core.admission import Admitted, admit
from sfd_core.evaluation.concept_images import seeds_of
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.evidence import Setting
from sfd_core.evaluation.own_network import OwnNetwork
from sfd_core.evaluation.sections import depth
from sfd_core.evaluation.subject import ImageSource
from sfd_core.families.loading import load_base
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.registry import family_of
from sfd_core.report.examine import examine, write_report
from sfd_core.report.schema import report_schema
from tests.support.tiny_model import make_tiny_edm_model, make_tiny_model
from tests.support.tiny_text_model import T_INIT, make_tiny_text_model

CPU = torch.device("cpu")
FEW = {"images_per_concept": 3, "images_per_forgotten_concept": 5}
CLASSES = {"forget": [{"concept": "red", "override": "green"}], "budget": {"images": 1}, "evaluation": FEW}
PROMPTS = {"forget": [{"concept": "pistol", "override": "banana"}], "budget": {"images": 1}, "evaluation": FEW}


def moved(network: torch.nn.Module) -> torch.nn.Module:
    """Another network of the same kind: what a generator is beside its base model."""
    other, rng = copy.deepcopy(network), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in other.parameters():
            weight.add_(0.05 * torch.randn(weight.shape, generator=rng))
    return other


@dataclasses.dataclass(frozen=True)
class Case:
    base: LoadedBase
    admitted: Admitted
    own: OwnNetwork
    source: ImageSource


def case(base: LoadedBase, body: Mapping[str, Any], start: float) -> Case:
    admitted = admit(body, base.model)
    generator = family_of(base.model.family).generator(moved(base.network), base, start)
    own = OwnNetwork.of(generator, base, admitted.request, admitted.plan, CPU)
    assert own is not None
    return Case(base, admitted, own, ImageSource.of_generator(generator))


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return case(load_base(make_tiny_model(tmp_path_factory.mktemp("classes"))), CLASSES, 440)


@pytest.fixture(scope="module")
def levels(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return case(load_base(make_tiny_edm_model(tmp_path_factory.mktemp("levels"))), CLASSES, 2.5)


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Case:
    model = make_tiny_text_model(tmp_path_factory.mktemp("prompts"), domains=True)
    return case(load_base(model.view("object")), PROMPTS, T_INIT)


class Labelled(torch.nn.Module):
    """A class-conditional network as a stock pipeline calls one: without a label."""

    def __init__(self, network: Any, label: int) -> None:
        super().__init__()
        self.network, self.label = network, label
        self.config, self.dtype, self.device = network.config, network.dtype, network.device

    def forward(self, x: torch.Tensor, t: Any) -> Any:
        return self.network(x, t, class_labels=torch.full((len(x),), self.label))


def alike(one: NDArray[np.uint8], other: NDArray[Any]) -> bool:
    """Up to the rounding of a byte."""
    return bool(np.abs(one.astype(int) - np.asarray(other).reshape(one.shape).astype(int)).max() <= 1)


def stock_ddim(base: LoadedBase) -> DDIMScheduler:
    config: Any = DDIMScheduler.from_config(
        json.loads((base.model.folder / "scheduler" / "scheduler_config.json").read_text())
    ).config
    return DDIMScheduler.from_config(config, clip_sample=False, set_alpha_to_one=True, timestep_spacing="trailing")


def test_a_class_network_in_many_steps_is_a_stock_pipeline_of_it(classes: Case) -> None:
    made = classes.own.drawn("generator", [0, 0], [5, 6])
    pipe = DDIMPipeline(Labelled(classes.own.samplers["generator"].network, 0), stock_ddim(classes.base))  # type: ignore[attr-defined]
    pipe.set_progress_bar_config(disable=True)
    seeds = [torch.Generator().manual_seed(seed) for seed in (5, 6)]
    stock = pipe(batch_size=2, generator=seeds, num_inference_steps=4, output_type="np").images
    assert alike(made, (stock * 255).round())
    assert not alike(made, classes.own.drawn("base_model", [0, 0], [5, 6])), "it is not the base model's own"


def test_a_text_network_in_many_steps_is_a_stock_pipeline_of_it(prompts: Case) -> None:
    own, folder = prompts.own, prompts.base.model.folder
    c = own.asked(0, 2)
    made = own.drawn("generator", c, [5, 6])
    pipe = StableDiffusionPipeline.from_pretrained(folder)
    pipe.unet, pipe.scheduler = own.samplers["generator"].network, stock_ddim(prompts.base)  # type: ignore[attr-defined]
    pipe.set_progress_bar_config(disable=True)
    seeds = [torch.Generator().manual_seed(seed) for seed in (5, 6)]
    asked = [own.prompts[one] for one in c]
    stock = pipe(asked, num_inference_steps=2, guidance_scale=2.0, generator=seeds, output_type="np").images
    assert alike(made, (stock * 255).round())
    assert all("pistol" in prompt for prompt in asked)


def test_a_class_network_completes_by_the_formula_of_one_evaluation(classes: Case) -> None:
    own, base = classes.own, classes.base
    images = np.arange(128, dtype=np.uint8).reshape(2, 8, 8)
    alpha_bar = float(stock_ddim(base).alphas_cumprod[300])
    x = torch.from_numpy(images).float()[:, None] / 127.5 - 1
    eps = torch.stack([torch.randn(1, 8, 8, generator=torch.Generator().manual_seed(seed)) for seed in (7, 8)])
    x_t = alpha_bar**0.5 * x + (1 - alpha_bar) ** 0.5 * eps
    assert torch.allclose(own.noised(images, 300, [7, 8]), x_t, atol=1e-5)
    for whose, network in (("generator", classes.source.generator.network), ("base_model", base.network)):  # type: ignore[union-attr]
        with torch.no_grad():
            out = network(x_t, 300, class_labels=torch.tensor([0, 1])).sample
        x0 = (x_t - (1 - alpha_bar) ** 0.5 * out) / alpha_bar**0.5
        written_out = ((x0.clamp(-1, 1) + 1) * 127.5).round()
        assert alike(own.completed(whose, x_t, 300, [0, 1]), written_out.numpy())  # type: ignore[arg-type]


def test_a_network_of_noise_levels_completes_by_the_formula_of_one_evaluation(levels: Case) -> None:
    own, base = levels.own, levels.base
    assert own.levels(depth.SHARES) == [1.23, 2.5, 25.1]
    images = np.arange(128, dtype=np.uint8).reshape(2, 8, 8)
    eps = torch.stack([torch.randn(1, 8, 8, generator=torch.Generator().manual_seed(seed)) for seed in (7, 8)])
    x_t = torch.from_numpy(images).float()[:, None] / 127.5 - 1 + 1.23 * eps
    assert torch.allclose(own.noised(images, 1.23, [7, 8]), x_t, atol=1e-5)
    assert own.signal(1.23) == pytest.approx(1 / (1 + 1.23**2) ** 0.5)
    spread = (1.23**2 + 0.5**2) ** 0.5
    with torch.no_grad():
        out = base.network(x_t / spread, np.log(1.23) / 4, class_labels=torch.tensor([0, 1])).sample
    x0 = 0.25 / spread**2 * x_t + 1.23 * 0.5 / spread * out
    assert alike(own.completed("base_model", x_t, 1.23, [0, 1]), ((x0.clamp(-1, 1) + 1) * 127.5).round().numpy())


def test_a_text_network_completes_by_the_formula_of_one_evaluation(prompts: Case) -> None:
    own, base = prompts.own, prompts.base
    pipe = StableDiffusionPipeline.from_pretrained(base.model.folder)
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype(np.uint8)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    c, alpha_bar, scale = (
        own.asked(0, 2),
        float(stock_ddim(base).alphas_cumprod[T_INIT]),
        pipe.vae.config.scaling_factor,
    )
    eps = torch.stack([torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(seed)) for seed in (7, 8)])
    with torch.no_grad():
        x_t = alpha_bar**0.5 * scale * pipe.vae.encode(pixels).latent_dist.mean + (1 - alpha_bar) ** 0.5 * eps
        assert torch.allclose(own.noised(images, T_INIT, [7, 8]), x_t, atol=1e-4)
        text = pipe.encode_prompt([own.prompts[one] for one in c], CPU, 1, False)[0]
        out = prompts.source.generator.network(x_t, T_INIT, encoder_hidden_states=text).sample  # type: ignore[union-attr]
        x0 = (x_t - (1 - alpha_bar) ** 0.5 * out) / alpha_bar**0.5
        decoded = pipe.vae.decode(x0 / scale).sample
    written_out = ((decoded.clamp(-1, 1) + 1) * 127.5).round().permute(0, 2, 3, 1)
    assert alike(own.completed("generator", x_t, T_INIT, c), written_out.numpy())


def test_the_floor_is_asked_for_the_override_as_a_run_is(classes: Case, prompts: Case) -> None:
    rng = torch.Generator().manual_seed(0)
    assert classes.own.overrides([0, 0, 0], rng) == [1, 1, 1]
    base = classes.base
    for override, among in (("random", {1, 2, 3}), ({"judge": True}, {1, 2, 3})):
        body = {
            **CLASSES,
            "forget": [{"concept": "red", "override": {"random": True} if override == "random" else override}],
        }
        assert set(case(base, body, 440).own.overrides([0] * 60, rng)) == among
    own = prompts.own
    rows = own.asked(0, 4)
    assert all(own.overrides([row], rng)[0] in own.table.overrides[row] for row in rows)
    assert len(set(own.asked(0, 1000))) == len(own.table.forgotten[0]), "each of its prompts is asked for"


@pytest.mark.parametrize("name", ["classes", "levels", "prompts"])
def test_its_seeds_are_no_others(name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    of: Case = request.getfixturevalue(name)
    asked: list[int] = []
    for method in ("drawn", "noised"):
        real = getattr(of.own, method)
        monkeypatch.setattr(of.own, method, lambda a, b, seeds, real=real: asked.extend(seeds) or real(a, b, seeds))
    evaluators = Evaluators.load(of.base.model).asking(of.admitted.request, of.admitted.plan)
    *_, (done, all_of, found) = depth.look(Setting(evaluators, of.admitted.request, 0), of.own)
    assert done == all_of
    assert found is not None
    label = of.base.model.concept_index(of.admitted.request.forget[0].concept)
    assert min(asked) == seeds_of(label, 1)[0] + depth.SEEDS_AFTER
    assert max(asked) < seeds_of(label, 1)[0] + depth.SEEDS_AFTER + 100_000
    levels = of.own.levels(depth.SHARES)
    assert len(set(asked)) == 5 * (1 + len(levels)), (
        "the network's and the base model's images from the same, noise from others"
    )


@pytest.mark.parametrize("name", ["classes", "levels", "prompts"])
def test_a_report_has_it_and_holds_it_against_its_thresholds(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    of: Case = request.getfixturevalue(name)
    asked, plan = of.admitted.request, of.admitted.plan
    *_, (_, _, draft) = examine(of.source, of.base, Evaluators.load(of.base.model), asked, CPU, plan)
    assert draft is not None
    report = write_report(draft, tmp_path, ["again"])
    jsonschema.validate(report, report_schema(), jsonschema.Draft202012Validator)
    (row,) = report["depth"]
    assert row["concept"] == asked.forget[0].concept
    assert [level["t"] for level in row["judge"]["levels"]] == of.own.levels(depth.SHARES)
    criteria = {one["name"]: one for one in report["criteria"]}
    assert {"many_steps_share", "part_noised_excess"} <= set(criteria)
    assert criteria["many_steps_share"]["about"] == row["concept"]
    page = (tmp_path / "report.html").read_text()
    assert "How deep the forgetting goes" in page


def test_behind_a_filter_the_network_is_not_asked(classes: Case, tmp_path: Path) -> None:
    asked = classes.admitted.request
    refusing = classes.source.refusing([0])
    *_, (_, _, draft) = examine(refusing, classes.base, Evaluators.load(classes.base.model), asked, CPU)
    assert draft is not None
    report = write_report(draft, tmp_path, ["again"])
    assert report["depth"] is None
    found = [one for one in report["criteria"] if one["name"] in ("many_steps_share", "part_noised_excess")]
    assert [one["decision"] for one in found] == ["inconclusive"] * 2
    assert all("whoever has its weights has no filter" in one["reason"] for one in found)
