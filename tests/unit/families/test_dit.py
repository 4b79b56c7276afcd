"""Diffusion transformers: the score and its guidance against the stock pipeline, the published generator against the
trainer's formula and stock diffusers, and what the probes take hold of."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiTPipeline, DiTTransformer2DModel

from sfd_core.admission import admit
from sfd_core.errors import InvalidRequest
from sfd_core.evaluation.judge import ImageJudge
from sfd_core.families.ddim import ddim
from sfd_core.families.dit.base_sampler import GuidedDdimSampler
from sfd_core.families.dit.elsewhere import base_sampler
from sfd_core.families.dit.family import FAMILY
from sfd_core.families.dit.generator import DitGenerator
from sfd_core.families.dit.loading import LoadedDit
from sfd_core.families.dit.network import DitScore, null_class
from sfd_core.families.images import from_uint8, noise_of
from sfd_core.families.loading import load_base, load_generator
from sfd_core.request.recipe import Recipe
from sfd_core.training.loop import train
from sfd_core.training.state import start
from tests.support.alone import run_without_our_code
from tests.support.tiny_dit_model import CONCEPTS, make_tiny_dit_model

T_INIT = 440
CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=[True, False], ids=["learned range", "plain"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedDit:
    found = load_base(make_tiny_dit_model(tmp_path_factory.mktemp("models") / "tiny", learned_range=request.param))
    assert isinstance(found, LoadedDit)
    return found


@pytest.fixture(scope="module")
def generator(base: LoadedDit) -> DitGenerator:
    return FAMILY.generator(base.network, base, T_INIT)


@pytest.fixture(scope="module")
def folder(generator: DitGenerator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "generator"
    generator.save(path)
    return path


def noised(n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    x_t = torch.randn(n, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    return x_t, torch.tensor([40, 500, 990][:n]), torch.tensor([0, 3, 4][:n])


def test_the_score_is_the_formula_in_float64(base: LoadedDit) -> None:
    """eps is the first half of what is put out; guided as ``DiTPipeline`` guides, in eps, and away from the class
    behind the last."""
    x_t, t, c = noised(3)
    network = copy.deepcopy(base.network).double()
    alpha_bar = torch.cumprod(1 - base.schedule.betas, 0)[t].view(-1, 1, 1, 1)
    with torch.no_grad():
        plain, guided = DitScore(base.network, base.schedule).guided(x_t, t, c, 1.0, 3.5)
        eps, without = (
            network(x_t.double(), timestep=t, class_labels=labels).sample[:, :4]
            for labels in (c, torch.full((3,), len(CONCEPTS)))
        )
    for found, kappa in ((plain, 1.0), (guided, 3.5)):
        steered = without + kappa * (eps - without)
        x0 = (x_t - (1 - alpha_bar).sqrt() * steered) / alpha_bar.sqrt()
        torch.testing.assert_close(found.double(), x0, rtol=1e-4, atol=1e-3)
    assert not torch.allclose(plain, guided, rtol=1e-2)


def test_no_label_is_dropped_by_the_network_itself(base: LoadedDit) -> None:
    """Which it does in training, a tenth of them: what is dropped, and where, is the recipe's."""
    assert not base.network.training
    assert not FAMILY.load_network(base.model.folder / "transformer").training


def test_without_guidance_the_network_is_asked_once(base: LoadedDit) -> None:
    asked: list[int] = []
    hook = base.network.register_forward_pre_hook(lambda _, inputs: asked.append(len(inputs[0])))
    score = DitScore(base.network, base.schedule)
    for kappas in ((1.0, 1.0), (1.0, 2.0)):
        score.guided(*noised(3), *kappas)
    hook.remove()
    assert asked == [3, 6]


def test_dropped_conditions_are_the_null_class_and_only_for_the_fake_score(
    base: LoadedDit, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {
        "forget": [{"concept": "hen", "override": "tench"}],
        "budget": {"images": 40},
        "recipe": {"batch": 40, "condition_dropout": 0.9, "deep_weight": 0},
    }
    request = admit(body, base.model).request
    plan, state = FAMILY.plan(base, request, None, CPU), start(base, request.recipe, 0, CPU)
    rows: dict[int, list[torch.Tensor]] = {}
    original = DitScore.guided

    def noting(self: DitScore, x_t: torch.Tensor, t: torch.Tensor, c: torch.Tensor, *kappas: float) -> Any:
        rows.setdefault(id(self.network), []).append(c)
        return original(self, x_t, t, c, *kappas)

    monkeypatch.setattr(DitScore, "guided", noting)
    list(train(state, base, request, plan=plan))
    in_its_own_loss, in_the_generators = rows[id(state.fake_score)]
    assert 25 <= int((in_its_own_loss == null_class(base.network)).sum()) < 40  # 36 expected
    assert not bool((in_the_generators == null_class(base.network)).any())


def test_the_base_model_in_many_steps_is_the_stock_pipeline(base: LoadedDit) -> None:
    """Which guides away from class 1000, wherever the null class of its network is: so the network has 1000."""
    torch.manual_seed(1)
    network = DiTTransformer2DModel.from_config({**base.network.config, "num_embeds_ada_norm": 1000}).eval()
    ours = GuidedDdimSampler(dataclasses.replace(base, network=network), 3, 4.0)
    labels, seeds = [7, 999], [5, 6]
    pipe = DiTPipeline(network, base.autoencoder.vae, ddim(base.schedule))
    pipe.set_progress_bar_config(disable=True)
    noise = [torch.Generator().manual_seed(seed) for seed in seeds]
    stock = pipe(labels, guidance_scale=4.0, generator=noise, num_inference_steps=3, output_type="np").images
    made = ours.sample_labels(labels, seeds)
    assert np.abs(made.astype(int) - (stock * 255).round()).max() <= 1
    assert ours.network_evaluations == 6
    unguided = GuidedDdimSampler(dataclasses.replace(base, network=network), 3, 1.0)
    assert unguided.network_evaluations == 3
    assert not np.array_equal(made, unguided.sample_labels(labels, seeds))


def test_it_is_sampled_as_its_manifest_says_or_as_the_stock_pipeline_does(base: LoadedDit) -> None:
    said = base_sampler(base, CPU)
    assert (said.steps, said.guidance) == (2, 1.5)
    silent = dataclasses.replace(base, model=dataclasses.replace(base.model, figures={}))
    assert (base_sampler(silent, CPU).steps, base_sampler(silent, CPU).guidance) == (50, 4.0)


def test_the_generator_is_the_trainers_formula(base: LoadedDit, generator: DitGenerator) -> None:
    """x = f_theta(b_tinit z, t_init, c), decoded."""
    z, c = noise_of(range(5), (4, 8, 8)), torch.arange(5)
    with torch.no_grad():
        x_g = DitScore(base.network, base.schedule)(base.schedule.b[T_INIT] * z, torch.full((5,), T_INIT), c)
    ours = base.autoencoder.pictures(x_g).astype(int)
    assert np.abs(ours - generator.sample_labels(range(5), range(5))).max() <= 1


def test_image_i_depends_on_seed_and_i_alone(generator: DitGenerator) -> None:
    many = generator.sample("hen", 18, seed=100)
    for i in (0, 15, 17):
        assert np.array_equal(generator.sample("hen", 1, seed=100 + i)[0], many[i]), i
    assert not np.array_equal(many[0], many[1])


def test_a_saved_generator_gives_the_same_bytes(generator: DitGenerator, folder: Path) -> None:
    again = load_generator(folder)
    assert isinstance(again, DitGenerator)
    assert (again.concepts, again.start) == (CONCEPTS, T_INIT)
    assert np.array_equal(again.sample("tench", 3, seed=3), generator.sample("tench", 3, seed=3))


def test_every_file_that_makes_an_image_has_a_digest(folder: Path) -> None:
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(FAMILY.files(folder)) == there
    assert {"pipeline.py", "transformer/diffusion_pytorch_model.safetensors", "vae/config.json"} <= there


def test_stock_diffusers_gives_the_same_images_without_our_code(
    generator: DitGenerator, folder: Path, tmp_path: Path
) -> None:
    run_without_our_code(
        f"""
import numpy, torch
from diffusers import DiffusionPipeline
folder = {str(folder)!r}
pipe = DiffusionPipeline.from_pretrained(folder, custom_pipeline=folder + "/pipeline.py", trust_remote_code=True)
noise = [torch.Generator().manual_seed(seed) for seed in (7, 8)]
images = pipe(["hen", "crane (bird)"], generator=noise, output_type="np").images
numpy.save("images.npy", images)
""",
        tmp_path,
    )
    theirs = np.round(np.load(tmp_path / "images.npy") * 255)
    ours = np.concatenate([generator.sample("hen", 1, 7), generator.sample("crane (bird)", 1, 8)])
    assert np.abs(theirs - ours).max() <= 1


def test_the_stock_pipeline_of_classes_starts_from_other_noise(generator: DitGenerator, folder: Path) -> None:
    """Why a pipeline of our own is published (docs/adr/0018). With one that scales its noise it will not be needed."""
    parts = {name: getattr(generator.pipe, name) for name in ("transformer", "vae", "scheduler")}
    pipe = DiTPipeline(**parts)
    pipe.set_progress_bar_config(disable=True)
    noise = [torch.Generator().manual_seed(7)]
    stock = pipe([4], guidance_scale=1, generator=noise, num_inference_steps=1, output_type="np").images
    assert np.abs((stock * 255).round() - generator.sample("hen", 1, 7)).max() > 5


def test_an_unknown_concept_lists_the_known_ones(generator: DitGenerator) -> None:
    with pytest.raises(ValueError, match=r"unknown concept 'pink'; known: goldfish, crane \(bird\), "):
        generator.pipe("pink")


@pytest.mark.parametrize("kind", ["pil", "pt", "np"])
def test_kinds_of_pictures(generator: DitGenerator, kind: str) -> None:
    images = generator.pipe("hen", generator=torch.Generator().manual_seed(7), output_type=kind).images
    expected = generator.sample("hen", 1, 7)
    found = from_uint8(expected) if kind == "pt" else expected / 255 if kind == "np" else expected
    np.testing.assert_allclose(np.asarray(images if kind != "pil" else [np.asarray(images[0])]), found, atol=1.01 / 127)


class TestAttacked:
    def test_its_own_embeddings_give_its_own_images(self, base: LoadedDit, generator: DitGenerator) -> None:
        attacked = FAMILY.attacked(base.network, base, T_INIT)
        c = attacked.embeddings([4, 0])
        assert c.shape == (2, 2, 16)
        images = attacked.images(noise_of([7, 8], (4, 8, 8)), c)
        ours = np.concatenate([generator.sample("hen", 1, 7), generator.sample("goldfish", 1, 8)])
        torch.testing.assert_close(images.clamp(-1, 1), from_uint8(ours), atol=1 / 127, rtol=0)

    def test_gradients_reach_embeddings_and_tables(self, base: LoadedDit) -> None:
        network = copy.deepcopy(base.network).requires_grad_(True)
        attacked = FAMILY.attacked(network, base, T_INIT)
        c = attacked.embeddings([1])
        c.retain_grad()
        attacked.images(noise_of([1], (4, 8, 8)), c).square().sum().backward()
        assert c.grad is not None
        assert bool((c.grad.abs().amax(dim=2) > 0).all()), "of every block"
        for block, one in enumerate(network.transformer_blocks):
            table = one.norm1.emb.class_embedder.embedding_table.weight
            torch.testing.assert_close(table.grad[1], c.grad[0, block])
            assert not bool(table.grad[[0, 2, 3, 4, 5]].any())

    def test_it_is_guided_as_its_own_sampler_is(self, base: LoadedDit) -> None:
        attacked = FAMILY.attacked(base.network, base, T_INIT)
        x_t, _, c = noised(2)
        with torch.no_grad():
            found = attacked.guided(x_t, 300, attacked.embeddings(c.tolist()))
            (expected,) = DitScore(base.network, base.schedule).guided(x_t, torch.full((2,), 300), c, 1.5)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)

    def test_a_judge_sees_what_latents_stand_for(self, base: LoadedDit, generator: DitGenerator) -> None:
        judge, attacked = ImageJudge.load(base.model), FAMILY.attacked(base.network, base, T_INIT)
        attacked.together = 2  # in pieces
        x0 = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            found = judge.logits_of(x0, attacked).softmax(dim=1).numpy()
        np.testing.assert_allclose(found, judge.judge(FAMILY.pictured(x0, base)).probabilities, atol=0.02)


def test_pictures_come_back_from_their_latents(base: LoadedDit, generator: DitGenerator) -> None:
    x0 = FAMILY.encoded(generator.sample("hen", 3, 1), base)
    assert x0.shape == (3, 4, 8, 8)
    assert FAMILY.pictured(x0, base).shape == (3, 16, 16, 3)


def test_a_distilled_pair_is_where_a_job_starts(tmp_path: Path) -> None:
    base = load_base(make_tiny_dit_model(tmp_path / "tiny", distilled=True))
    state = start(base, Recipe(), 0, CPU)
    for weight, theirs in zip(state.generator.parameters(), base.network.parameters(), strict=True):
        assert torch.equal(weight, theirs)
    for x in (base.network, state.generator):
        assert not x.pos_embed.pos_embed.is_meta
        assert torch.equal(x.pos_embed.pos_embed, DiTTransformer2DModel(**_plain(x)).pos_embed.pos_embed)


def _plain(network: Any) -> dict[str, Any]:
    return {name: value for name, value in network.config.items() if not name.startswith("_")}


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("negative_in_fake_score", True, "there are no negative prompts"),
        ("deep_kappa", 2.0, "there are no negative prompts"),
        ("lora_rank_generator", 4, "diffusers attaches no adapters to a DiTTransformer2DModel"),
        ("attention_slicing", True, "computes its attention whole"),
    ],
)
def test_settings_that_mean_nothing_here(base: LoadedDit, setting: str, value: object, says: str) -> None:
    body = {
        "forget": [{"concept": "hen", "override": "tench"}],
        "budget": {"images": 8},
        "recipe": {setting: value},
    }
    with pytest.raises(InvalidRequest, match=f"/recipe/{setting}: .*{says}"):
        admit(body, base.model)


def test_blocks_are_computed_again_where_memory_is_short(base: LoadedDit) -> None:
    """The same gradients with ``gradient_checkpointing``."""
    found = []
    for again in (False, True):
        network = copy.deepcopy(base.network).requires_grad_(True)
        if again:
            network.enable_gradient_checkpointing()
        DitScore(network, base.schedule)(*noised(3)).square().mean().backward()
        found.append([weight.grad for weight in network.parameters()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_the_index_is_as_stock_diffusers_reads_it(folder: Path) -> None:
    index = json.loads((folder / "model_index.json").read_text())
    assert index["_class_name"] == "ClassConditionalDiTPipeline"
    assert index["transformer"] == ["diffusers", "DiTTransformer2DModel"]
