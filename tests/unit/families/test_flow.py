"""Flow-matching models against their stock pipelines: what they are asked with, guidance, the published folder,
adapters."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import SanaPipeline

from sfd_core.admission import admit
from sfd_core.errors import InvalidRequest, ModelRefused
from sfd_core.families.attacked import PromptedNetwork
from sfd_core.families.flow.family import FAMILY
from sfd_core.families.images import noise_of, noise_shape, to_uint8
from sfd_core.families.loading import load_base, load_generator
from sfd_core.families.parameterization import linear_schedule
from sfd_core.families.protocol import LoadedBase, TrainingPlan
from sfd_core.families.text.generator import TextGenerator
from sfd_core.families.text.prompt_table import EMPTY, PromptTable
from sfd_core.families.text.schedulers import OVER_STEPS
from sfd_core.request.override import Condition
from sfd_core.request.unlearning_request import UnlearningRequest
from sfd_core.training.state import start
from tests.support.adapters import adapter_state
from tests.support.alone import run_without_our_code
from tests.support.tiny_flow import TINY, Tiny
from tests.support.training import train

CPU = torch.device("cpu")
PROMPTS = ["a cat", "two dogs, in the style of noto!", "apple " * 200, ""]


@pytest.fixture(scope="module", params=TINY, ids=[tiny.name for tiny in TINY])
def tiny(request: pytest.FixtureRequest) -> Tiny:
    found: Tiny = request.param
    return found


@pytest.fixture(scope="module")
def base(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> LoadedBase:
    return load_base(tiny.make(tmp_path_factory.mktemp("base"), "tiny"))


@pytest.fixture(scope="module")
def stock(base: LoadedBase, tiny: Tiny) -> Any:
    return tiny.opened(base.model.folder)


def asked(base: LoadedBase, **recipe: object) -> tuple[UnlearningRequest, TrainingPlan]:
    body = {
        "forget": [{"concept": "pistol", "prompts": ["a pistol"], "override": "banana"}],
        "retain": {"prompts": ["a cat", "a dog"]},
        "budget": {"images": 8},
        "recipe": {"batch": 4, "ema": 0.5, "deep_weight": 0, **recipe},
    }
    admitted = admit(body, base.model)
    return admitted.request, FAMILY.plan(base, admitted.request, admitted.plan, CPU)


def test_a_network_is_asked_as_the_stock_pipeline_asks_it(base: LoadedBase, tiny: Tiny, stock: Any) -> None:
    """Prompts, longer ones than are read among them, and times: the velocity is the same, as far as float32 tells: one
    token for 256 is summed otherwise (test_empty_tokens.py has it in float64)."""
    x = noise_of(range(4), noise_shape(base.network))
    with torch.no_grad():
        theirs = tiny.velocity(stock, x, 0.3, PROMPTS)
        ours = base.text.output(base.network, x, torch.full((4,), 300.0), base.text.embeddings(PROMPTS))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=2e-4)


def test_guidance_leads_away_from_the_empty_prompt_or_a_named_one(base: LoadedBase) -> None:
    cat, led = Condition("a cat"), Condition("a cat", negative="a dog")
    table = PromptTable([cat, led], base.text)
    away = table.away_from(torch.tensor([table.rows[cat], table.rows[led], EMPTY]))
    empty, named = base.text.nothing()[0], base.text.led_away(["a dog"])[0]
    assert torch.equal(away, torch.stack([empty, named, empty]))
    assert not torch.equal(empty, named)


def test_what_is_led_away_from_is_read_as_the_stock_pipeline_reads_it(base: LoadedBase, stock: Any) -> None:
    """SANA alone reads it otherwise than what is asked for: without its instruction."""
    if not isinstance(stock, SanaPipeline):
        assert torch.equal(base.text.led_away(["a dog"]), base.text.embeddings(["a dog"]))
        return
    with torch.no_grad():
        _, _, hidden, mask = stock.encode_prompt(["a cat"], negative_prompt=["a dog"])
    led = base.text.led_away(["a dog"])
    torch.testing.assert_close(led, torch.cat([hidden.flatten(1), mask.float()], dim=1))
    assert not torch.equal(led, base.text.embeddings(["a dog"]))


def test_the_base_model_is_sampled_as_the_stock_pipeline_samples_it(base: LoadedBase, tiny: Tiny, stock: Any) -> None:
    noise = [torch.Generator().manual_seed(5 + i) for i in range(2)]
    theirs = stock(["a cat", "a dog"], generator=noise, num_inference_steps=3, output_type="np", **tiny.sampled)
    sampler = FAMILY.base_sampler(base, CPU, 3)
    assert sampler.network_evaluations == tiny.evaluations * 3
    ours = sampler.sample_prompts(["a cat", "a dog"], [5, 6])
    assert np.abs(np.round(theirs.images * 255) - ours).max() <= 1
    assert ours.std() > 10
    assert FAMILY.base_sampler(base, CPU).steps == tiny.steps


class TestPublished:
    @pytest.fixture(scope="class", params=[1, 3])
    def generator(self, request: pytest.FixtureRequest, base: LoadedBase) -> TextGenerator:
        return FAMILY.generator(base.network, base, 1, request.param)

    @pytest.fixture(scope="class")
    def folder(self, generator: TextGenerator, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("published")
        generator.save(folder)
        return folder

    def test_a_saved_generator_gives_the_same_bytes(self, generator: TextGenerator, folder: Path) -> None:
        again = load_generator(folder)
        assert np.array_equal(again.sample("a cat", 3, 7), generator.sample("a cat", 3, 7))
        assert (again.start, again.network_evaluations) == (1, generator.steps)

    def test_stock_diffusers_gives_the_same_images_without_our_code(
        self, generator: TextGenerator, folder: Path, tmp_path: Path
    ) -> None:
        """Opened and asked as the card says; with fresh noise between the steps, one image at a time."""
        usage = generator.usage
        run_without_our_code(
            f"""
import numpy, torch
from diffusers import {usage.opening.partition(".")[0]}
folder = {str(folder)!r}
pipe = {usage.opening}
images = []
for i in range(3):
    rng = torch.manual_seed(7 + i) if {usage.steps} == 1 else None
    torch.manual_seed(7 + i)
    images.append(pipe("a cat", {", ".join(usage.arguments)}, generator=rng, output_type="np").images[0])
numpy.save({str(tmp_path / "images.npy")!r}, numpy.stack(images))
""",
            tmp_path,
        )
        theirs = np.round(np.load(tmp_path / "images.npy") * 255)
        assert np.abs(theirs - generator.sample("a cat", 3, 7)).max() <= 1
        assert np.abs(theirs - generator.sample("a dog", 3, 7)).max() > 1, "which prompt is asked for shows"

    def test_every_file_that_makes_an_image_has_a_digest(self, folder: Path) -> None:
        named = set(FAMILY.files(folder))
        assert named == {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert "transformer/diffusion_pytorch_model.safetensors" in named

    def test_it_is_opened_again_as_one_that_the_base_model_is_compared_with(
        self, base: LoadedBase, folder: Path, tiny: Tiny, generator: TextGenerator
    ) -> None:
        found = FAMILY.open_elsewhere(folder, base, None, CPU)
        assert isinstance(found, TextGenerator)
        assert np.array_equal(found.sample("a cat", 1, 7), generator.sample("a cat", 1, 7))
        with pytest.raises(ModelRefused, match="it cannot be sampled in 2 steps"):
            FAMILY.open_elsewhere(folder, base, 2, CPU)
        many = FAMILY.open_elsewhere(base.model.folder, base, 2, CPU)
        assert many.network_evaluations == 2 * tiny.evaluations


class TestAttacked:
    def network(self, base: LoadedBase) -> PromptedNetwork:
        return FAMILY.attacked(base.network, base, 1)

    def test_it_draws_what_the_generator_draws(self, base: LoadedBase) -> None:
        network, generator = self.network(base), FAMILY.generator(base.network, base, 1)
        z = noise_of([4, 5], noise_shape(base.network))
        with torch.no_grad():
            drawn = to_uint8(network.images(z, network.embeddings(["a banana", "castle"]))).astype(int)
        assert np.abs(drawn - generator.sample_prompts(["a banana", "castle"], [4, 5])).max() <= 1

    def test_tokens_are_read_as_the_prompt_that_they_are_by_every_encoder(self, base: LoadedBase) -> None:
        network = self.network(base)
        rows = dict(network.words())
        tokens = network.token_table[[rows[word] for word in ("pistol", "castle", "cat")]]
        torch.testing.assert_close(network.read(tokens[None]), network.embeddings(["pistol castle cat"]))

    def test_gradients_reach_the_tokens_of_every_encoder(self, base: LoadedBase) -> None:
        network = self.network(base)
        tokens = network.token_table[:2].clone()[None].requires_grad_(True)
        z = network.noise(1, torch.Generator().manual_seed(0))
        network.images(z, network.read(tokens)).square().sum().backward()
        assert tokens.grad is not None
        for part in tokens.grad.split([reader.token_table.shape[1] for reader in base.text.readers], dim=2):
            assert float(part.abs().sum()) > 0

    def test_pictures_become_latents_and_pictures_again(self, base: LoadedBase) -> None:
        images = FAMILY.generator(base.network, base, 1).sample("a cat", 2, 3)
        x0 = FAMILY.encoded(images, base)
        assert x0.shape[1:] == noise_shape(base.network)
        assert FAMILY.pictured(x0, base).shape == images.shape


def test_each_step_notices_what_was_drawn_before_it(base: LoadedBase) -> None:
    """Fresh noise is the seed's own, and steps draw other images than one does."""
    one, two = (FAMILY.generator(base.network, base, 1, steps) for steps in (1, 2))
    together, alone = two.sample("a cat", 3, 5), two.sample("a cat", 1, 7)
    assert np.array_equal(together[2:], alone)
    assert not np.array_equal(one.sample("a cat", 3, 5), together)


@pytest.mark.parametrize("rank", [0, 2])
def test_a_run_moves_weights_or_adapters_and_ends(base: LoadedBase, rank: int) -> None:
    recipe = {"lora_rank_generator": rank, "lora_rank_fake_score": rank, "lr_generator": 1e-2, "lr_fake_score": 1e-2}
    request, plan = asked(base, **recipe, deep_weight=1.0, gradient_checkpointing=True, steps=2)
    state = start(base, request.recipe, 0, CPU)
    before = {name: weight.clone() for name, weight in base.network.state_dict().items()}
    moving = adapter_state if rank else lambda network: network.state_dict()
    first = {name: weight.clone() for name, weight in moving(state.generator).items()}
    list(train(state, base, request, plan=plan))
    assert all(torch.equal(weight, before[name]) for name, weight in base.network.state_dict().items())
    now = moving(state.generator)
    assert any(not torch.equal(now[name], weight) for name, weight in first.items())


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        ({"t_init": 0.999}, "/recipe/t_init: must be 1, noise alone, where the stock pipelines of these models start"),
        ({"t_init": 625}, "/recipe/t_init: must be 1, noise alone, .*, not 625"),
        ({"t_min": 0}, r"/recipe/t_min: must be a noise level \(sigma\) above 0, at most 1, not 0"),
        ({"t_max": 980}, r"/recipe/t_max: must be a noise level \(sigma\) above 0, at most 1, not 980"),
        ({"attention_slicing": True}, "/recipe/attention_slicing: no setting of these models"),
        ({"steps": 5}, "/recipe/steps: .*4"),
        ({"steps": 0}, "/recipe/steps: .*1"),
    ],
)
def test_what_a_recipe_of_a_flow_may_not_say(base: LoadedBase, recipe: dict[str, object], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        asked(base, **recipe)


def test_probes_attack_generators_of_one_step_alone(base: LoadedBase) -> None:
    item = {"concept": "pistol", "override": "banana", "prompts": ["a pistol"]}
    body = {"forget": [item], "retain": {"prompts": ["a cat"]}, "evaluation": {"probes": ["relearning"]}}
    with pytest.raises(InvalidRequest, match="/evaluation/probes: they attack generators of one step"):
        admit({**body, "budget": {"images": 8}, "recipe": {"batch": 4, "steps": 2}}, base.model)


def test_a_network_that_guides_itself_is_asked_with_the_number(base: LoadedBase) -> None:
    """Its kappas are what it is given, and it is led away from nothing; others are led away by their kappas."""
    _, plan = asked(base)
    score = plan.score(base.network)
    c, t = torch.tensor(plan.forgetting.remaining), torch.full((2,), 0.4)
    x_t = noise_of([1, 2], noise_shape(base.network))
    with torch.no_grad():
        three, one, again = score.guided(x_t, t, c, 3.0, 1.0, 3.0)
        assert torch.equal(three, again)
        rows = score.table.of(c)  # type: ignore[attr-defined]
        if base.text.guides_itself:
            own = torch.cat([rows[:, :-1], torch.full((2, 1), 3.0)], dim=1)
            velocity = base.text.output(base.network, x_t, 1000 * t, own)
            torch.testing.assert_close(three, x_t - 0.4 * velocity, rtol=1e-4, atol=1e-4)
            assert not torch.allclose(one, score(x_t, t, c)), "unguided is not what it is asked with by itself"
        else:
            away = x_t - 0.4 * base.text.output(base.network, x_t, 1000 * t, base.text.nothing().expand_as(rows))
            torch.testing.assert_close(one, score(x_t, t, c), rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(three, away + 3.0 * (one - away), rtol=1e-3, atol=1e-3)


def test_a_network_that_guides_itself_is_guided_away_from_nothing(base: LoadedBase) -> None:
    item = {"concept": "pistol", "prompts": ["a pistol"], "override": {"negative": "a gun"}}
    body = {"forget": [item], "retain": {"prompts": ["a cat"]}, "budget": {"images": 8}, "recipe": {"batch": 4}}
    if not base.text.guides_itself:
        admit(body, base.model)
        return
    with pytest.raises(InvalidRequest, match="/forget/0/override: this model guides itself, away from nothing"):
        admit(body, base.model)
    unknown = dataclasses.replace(base.model, folder=base.model.folder / "vae")  # as of a hub's model
    admitted = admit(body, unknown)
    with pytest.raises(InvalidRequest, match="/forget/0/override: this model guides itself"):
        FAMILY.plan(base, admitted.request, admitted.plan, CPU)


def test_generators_of_other_families_make_one_step() -> None:
    schedule = linear_schedule()
    with pytest.raises(ValueError, match="generators of this family draw in one step, not in 4"):
        OVER_STEPS.drawing(schedule, 440, 4)


LONG = ", ".join(["a very long description of a street in the rain at night"] * 16)


def test_a_concept_behind_what_every_tokenizer_reads_is_refused_before_the_run(base: LoadedBase, tiny: Tiny) -> None:
    item = {"concept": "pistol", "override": "banana", "prompts": [f"{LONG}, a pistol"]}
    says = rf"/forget/0/prompts/0: is read as its override is, in the {tiny.longest} tokens"
    with pytest.raises(InvalidRequest, match=says):
        admit({"forget": [item], "retain": {"prompts": ["a cat"]}, "budget": {"images": 8}}, base.model)
