"""Stable Diffusion XL against the stock pipeline: what it is asked with, guidance, the published folder, adapters."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from torch import Tensor

from sfd_core.admission import admit
from sfd_core.errors import InvalidRequest
from sfd_core.families.attacked import PromptedNetwork
from sfd_core.families.ddim import ddim
from sfd_core.families.images import noise_of, noise_shape, to_uint8
from sfd_core.families.loading import load_base, load_generator
from sfd_core.families.protocol import LoadedBase, TrainingPlan
from sfd_core.families.sdxl.family import FAMILY
from sfd_core.families.text.generator import TextGenerator
from sfd_core.families.text.prompt_table import EMPTY, PromptTable
from sfd_core.request.override import Condition
from sfd_core.request.unlearning_request import UnlearningRequest
from sfd_core.training.state import start
from tests.support.adapters import adapter_state
from tests.support.alone import run_without_our_code
from tests.support.tiny_sdxl import POOLED, WIDTHS, make_tiny_sdxl
from tests.support.training import train

CPU = torch.device("cpu")
T_INIT = 625
PROMPTS = ["a cat", "two dogs, in the style of noto!", "apple " * 100, ""]


@pytest.fixture(scope="module", params=[("epsilon", True), ("v_prediction", False)], ids=["eps", "v, no zeros"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedBase:
    prediction_type, zeros = request.param
    return load_base(make_tiny_sdxl(tmp_path_factory.mktemp("base"), prediction_type=prediction_type, zeros=zeros))


@pytest.fixture(scope="module")
def stock(base: LoadedBase) -> Any:
    return opened(base.model.folder)


def opened(folder: Path) -> Any:
    pipe = StableDiffusionXLPipeline.from_pretrained(folder, add_watermarker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def apart(embeddings: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden states and pooled ones of rows, by where they must lie."""
    hidden = embeddings[:, : 77 * sum(WIDTHS)].view(len(embeddings), 77, sum(WIDTHS))
    return hidden, embeddings[:, -POOLED:]


def asked(base: LoadedBase, override: object = "banana", **recipe: object) -> tuple[UnlearningRequest, TrainingPlan]:
    body = {
        "forget": [{"concept": "pistol", "prompts": ["a pistol"], "override": override}],
        "retain": {"prompts": ["a cat", "a dog"]},
        "budget": {"images": 8},
        "recipe": {"batch": 4, "ema": 0.5, "deep_weight": 0, **recipe},
    }
    admitted = admit(body, base.model)
    return admitted.request, FAMILY.plan(base, admitted.request, admitted.plan, CPU)


def test_prompts_are_embedded_as_the_stock_pipeline_embeds_them(base: LoadedBase, stock: Any) -> None:
    with torch.no_grad():
        hidden, _, pooled, _ = stock.encode_prompt(PROMPTS, do_classifier_free_guidance=False)
    ours = base.text.embeddings(PROMPTS)
    assert ours.shape == (4, 77 * sum(WIDTHS) + POOLED)
    for mine, theirs in zip(apart(ours), (hidden, pooled), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_guidance_leads_away_from_what_the_stock_pipeline_leads_away_from(base: LoadedBase, stock: Any) -> None:
    """Zeros where the pipeline forces them, the empty prompt elsewhere; a negative prompt in either case."""
    with torch.no_grad():
        _, hidden, _, pooled = stock.encode_prompt(["a cat"])
        _, named, _, pooled_named = stock.encode_prompt(["a cat"], negative_prompt=["a dog"])
    cat, led = Condition("a cat"), Condition("a cat", negative="a dog")
    table = PromptTable([cat, led], base.text)
    away = apart(table.away_from(torch.tensor([table.rows[cat], table.rows[led], EMPTY])))
    for mine, empty, negative in zip(away, (hidden, pooled), (named, pooled_named), strict=True):
        torch.testing.assert_close(mine, torch.cat([empty, negative, empty]))
    assert bool((hidden == 0).all()) == stock.config.force_zeros_for_empty_prompt
    assert table.has_negative(torch.tensor([table.rows[cat], table.rows[led], EMPTY])).tolist() == [False, True, False]


def test_nothing_asked_for_is_another_row_than_the_empty_prompt(base: LoadedBase) -> None:
    """The stock pipeline reads an empty prompt that is asked for; what is dropped is what guidance leads away from."""
    empty = Condition("")
    table = PromptTable([empty], base.text)
    row = table.rows[empty]
    assert row != EMPTY
    assert torch.equal(table.of(torch.tensor([row])), base.text.embeddings([""]))
    assert torch.equal(table.of(torch.tensor([EMPTY])), base.text.nothing())
    _, plan = asked(base, {"empty": True})
    assert plan.forgetting.dropped == EMPTY
    assert EMPTY not in [row for rows in plan.forgetting.overrides.values() for row in rows]


def test_the_base_model_is_sampled_as_the_stock_pipeline_samples_it(base: LoadedBase) -> None:
    pipe = opened(base.model.folder)
    pipe.scheduler = ddim(base.schedule)
    noise = [torch.Generator().manual_seed(5 + i) for i in range(2)]
    theirs = pipe(["a cat", "a dog"], generator=noise, num_inference_steps=3, guidance_scale=5.0, output_type="np")
    sampler = FAMILY.base_sampler(base, CPU, 3)
    assert (sampler.guidance, sampler.network_evaluations) == (5.0, 6)
    ours = sampler.sample_prompts(["a cat", "a dog"], [5, 6])
    assert np.abs(np.round(theirs.images * 255) - ours).max() <= 1


def test_a_model_that_says_nothing_is_sampled_as_the_stock_pipeline_by_itself(base: LoadedBase) -> None:
    assert FAMILY.base_sampler(base, CPU).network_evaluations == 2 * 50


class TestPublished:
    @pytest.fixture(scope="class")
    def generator(self, base: LoadedBase) -> TextGenerator:
        return FAMILY.generator(base.network, base, T_INIT)

    @pytest.fixture(scope="class")
    def folder(self, generator: TextGenerator, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("published")
        generator.save(folder)
        return folder

    def test_a_saved_generator_gives_the_same_bytes(self, generator: TextGenerator, folder: Path) -> None:
        assert np.array_equal(load_generator(folder).sample("a cat", 3, 7), generator.sample("a cat", 3, 7))

    def test_stock_diffusers_gives_the_same_images_without_our_code(
        self, generator: TextGenerator, folder: Path, tmp_path: Path
    ) -> None:
        run_without_our_code(
            f"""
import numpy, torch
from diffusers import StableDiffusionXLPipeline
pipe = StableDiffusionXLPipeline.from_pretrained({str(folder)!r}, add_watermarker=False)
noise = [torch.Generator().manual_seed(7 + i) for i in range(3)]
images = pipe(["a cat"] * 3, generator=noise, num_inference_steps=1, guidance_scale=1, output_type="np").images
numpy.save({str(tmp_path / "images.npy")!r}, images)
""",
            tmp_path,
        )
        theirs = np.round(np.load(tmp_path / "images.npy") * 255)
        assert np.abs(theirs - generator.sample("a cat", 3, 7)).max() <= 1
        assert np.abs(theirs - generator.sample("a dog", 3, 7)).max() > 1, "which prompt is asked for shows"

    def test_every_file_that_makes_an_image_has_a_digest(self, folder: Path) -> None:
        named = set(FAMILY.files(folder))
        assert named == {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert {"text_encoder_2/model.safetensors", "tokenizer_2/tokenizer.json"} <= named

    def test_it_is_opened_again_as_one_that_the_base_model_is_compared_with(
        self, base: LoadedBase, folder: Path, generator: TextGenerator
    ) -> None:
        found = FAMILY.open_elsewhere(folder, base, None, CPU)
        assert isinstance(found, TextGenerator)
        assert np.array_equal(found.sample("a cat", 1, 7), generator.sample("a cat", 1, 7))
        many = FAMILY.open_elsewhere(base.model.folder, base, 2, CPU)
        assert many.network_evaluations == 4


class TestAttacked:
    def network(self, base: LoadedBase) -> PromptedNetwork:
        return FAMILY.attacked(base.network, base, T_INIT)

    def test_it_draws_what_the_generator_draws(self, base: LoadedBase) -> None:
        network, generator = self.network(base), FAMILY.generator(base.network, base, T_INIT)
        z = noise_of([4, 5], noise_shape(base.network))
        with torch.no_grad():
            drawn = to_uint8(network.images(z, network.embeddings(["a banana", "castle"]))).astype(int)
        assert np.abs(drawn - generator.sample_prompts(["a banana", "castle"], [4, 5])).max() <= 1

    def test_tokens_are_read_as_the_prompt_that_they_are_by_both_encoders(self, base: LoadedBase) -> None:
        network = self.network(base)
        rows = dict(network.words())
        tokens = network.token_table[[rows[word] for word in ("pistol", "castle", "cat")]]
        assert tokens.shape == (3, sum(WIDTHS))
        torch.testing.assert_close(network.read(tokens[None]), network.embeddings(["pistol castle cat"]))
        torch.testing.assert_close(network.embeddings(["a dog"]), base.text.embeddings(["a dog"]), rtol=0, atol=0)

    def test_gradients_reach_the_tokens_of_both_encoders(self, base: LoadedBase) -> None:
        network = self.network(base)
        tokens = network.token_table[:2].clone()[None].requires_grad_(True)
        z = network.noise(1, torch.Generator().manual_seed(0))
        network.images(z, network.read(tokens)).square().sum().backward()
        assert tokens.grad is not None
        for part in tokens.grad.split(WIDTHS, dim=2):
            assert float(part.abs().sum()) > 0

    def test_guidance_is_that_of_the_base_model_s_sampler(self, base: LoadedBase) -> None:
        network = self.network(base)
        x_t = network.noise(2, torch.Generator().manual_seed(0))
        c, n = network.embeddings(["a pistol", "cat"]), base.text.nothing().expand(2, -1)
        with torch.no_grad():
            away, towards = network.denoise(x_t, 300, n), network.denoise(x_t, 300, c)
            torch.testing.assert_close(network.guided(x_t, 300, c), away + 5.0 * (towards - away))


def test_only_the_adapters_move_over_the_base_model_s_own_weights(base: LoadedBase) -> None:
    request, plan = asked(base, lora_rank_generator=2, lora_rank_fake_score=2, lr_generator=1e-2, lr_fake_score=1e-2)
    state = start(base, request.recipe, 0, CPU)
    before = {name: weight.clone() for name, weight in base.network.state_dict().items()}
    first = {name: weight.clone() for name, weight in adapter_state(state.generator).items()}
    list(train(state, base, request, plan=plan))
    assert all(torch.equal(weight, before[name]) for name, weight in base.network.state_dict().items())
    now = adapter_state(state.generator)
    assert any(not torch.equal(now[name], weight) for name, weight in first.items())


LONG = ", ".join(["a very long description of a street in the rain at night"] * 7)


def test_a_concept_behind_what_either_tokenizer_reads_is_refused_before_the_run(base: LoadedBase) -> None:
    item = {"concept": "pistol", "override": "banana", "prompts": [f"{LONG}, a pistol"]}
    with pytest.raises(InvalidRequest, match="/forget/0/prompts/0: is read as its override is, in the 77 tokens"):
        admit({"forget": [item], "budget": {"images": 8}}, base.model)
    elsewhere = dataclasses.replace(base.model, folder=base.model.folder / "tokenizer")
    admitted = admit({"forget": [item], "budget": {"images": 8}}, elsewhere)
    with pytest.raises(InvalidRequest, match="is read as its override is"):
        FAMILY.plan(base, admitted.request, admitted.plan, CPU)
