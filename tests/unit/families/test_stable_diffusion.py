"""The text-to-image family: guidance, the prompt table, what a step asks for, the published pipeline, refusals."""

from __future__ import annotations

import copy
import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sfd_core.admission import admit
from sfd_core.base_model.manifest import Distilled
from sfd_core.base_model.safe_files import WEIGHTS
from sfd_core.evaluation.in_training import generator_of
from sfd_core.families.loading import load_base, load_generator
from sfd_core.families.protocol import LoadedBase, TrainingPlan
from sfd_core.families.registry import recipe_of
from sfd_core.families.stable_diffusion.family import FAMILY
from sfd_core.families.text.generator import TextGenerator
from sfd_core.families.text.prompt_table import EMPTY, PromptTable
from sfd_core.families.text.score import PromptScore
from sfd_core.request.concepts import Budget
from sfd_core.request.override import Condition
from sfd_core.request.unlearning_request import UnlearningRequest
from sfd_core.training import checkpoint
from sfd_core.training.conditions import ConditionSampler
from sfd_core.training.losses import generator_loss
from sfd_core.training.state import start
from tests.support.adapters import adapter_state
from tests.support.alone import run_without_our_code
from tests.support.tiny_text_model import make_tiny_text_model
from tests.support.training import train

CPU = torch.device("cpu")
T_INIT = 625


@pytest.fixture(scope="module", params=["epsilon", "v_prediction"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedBase:
    return load_base(make_tiny_text_model(tmp_path_factory.mktemp("base"), prediction_type=request.param))


def asked(base: LoadedBase, **recipe: object) -> tuple[UnlearningRequest, TrainingPlan]:
    body = {
        "forget": [{"concept": "pistol", "prompts": ["a pistol", "the pistol on a table"], "override": "banana"}],
        "retain": {"prompts": ["a cat", "a dog", "a house by the sea"]},
        "budget": {"images": 8},
        "recipe": {"batch": 4, "ema": 0.5, "deep_weight": 0, **recipe},
    }
    admitted = admit(body, base.model)
    return admitted.request, FAMILY.plan(base, admitted.request, admitted.plan, CPU)


def table_of(base: LoadedBase, *conditions: Condition) -> PromptTable:
    return PromptTable(conditions, base.text)


def noised(base: LoadedBase, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(3)
    config = base.network.config
    x_t = torch.randn(n, config.in_channels, config.sample_size, config.sample_size, generator=g)
    return x_t, torch.tensor([900, 500, 40, 7][:n])


def test_guidance_is_the_formula_on_what_the_network_puts_out(base: LoadedBase) -> None:
    cat, dog = Condition("a cat"), Condition("a dog", negative="a cat")
    table = table_of(base, cat, dog)
    score = PromptScore(base.network, base.schedule, table)
    x_t, t = noised(base, 2)
    c = torch.tensor([table.rows[cat], table.rows[dog]])
    with torch.no_grad():
        low, high = score.guided(x_t, t, c, 1.5, 4.5)
        away = base.text.embeddings(["", "a cat"])  # without a negative prompt: away from the empty one
        towards = base.text.embeddings(["a cat", "a dog"])
        n = base.network(x_t, t, encoder_hidden_states=away).sample
        p = base.network(x_t, t, encoder_hidden_states=towards).sample
    for kappa, found in ((1.5, low), (4.5, high)):
        expected = base.schedule.x0_from_output(n + kappa * (p - n), x_t, t)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_without_guidance_the_network_is_asked_once(base: LoadedBase) -> None:
    table = table_of(base, Condition("a cat"))
    score = PromptScore(base.network, base.schedule, table)
    batches: list[int] = []
    hook = base.network.register_forward_pre_hook(lambda _, inputs: batches.append(len(inputs[0])))
    x_t, t = noised(base, 3)
    c = torch.full((3,), table.rows[Condition("a cat")])
    first, second = score.guided(x_t, t, c, 1.0, 1.0)
    hook.remove()
    assert batches == [3]
    assert first is second


def test_the_first_row_is_the_empty_prompt_and_equal_conditions_share_a_row(base: LoadedBase) -> None:
    table = table_of(base, Condition("a cat"), Condition("a dog"), Condition("a cat"))
    assert table.conditions == (Condition(""), Condition("a cat"), Condition("a dog"))
    row = torch.tensor([EMPTY])
    assert torch.equal(table.of(row), base.text.embeddings([""]))


def test_kappa3_stands_in_the_bracket_alone() -> None:
    x_g, f_phi, f_psi, f_psi3 = (
        torch.randn(3, 2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(s)) for s in range(4)
    )
    w = torch.tensor([1.0, 0.5, 2.0], dtype=torch.float64)
    omega = (f_phi - x_g).abs().mean((1, 2, 3))
    bracket = (f_phi - x_g) - 1.2 * (f_phi - f_psi3)
    expected = (w / omega * ((f_phi - f_psi) * bracket).sum((1, 2, 3))).mean()
    assert generator_loss(x_g, f_phi, f_psi, 1.2, w, f_psi3).item() == pytest.approx(expected.item(), rel=1e-12)


def test_the_text_encoder_is_never_called_in_the_loop(base: LoadedBase) -> None:
    request, plan = asked(base)
    calls: list[int] = []
    hook = base.text.readers[0].encoder.register_forward_hook(lambda *_: calls.append(1))
    steps = list(train(start(base, request.recipe, 0, CPU), base, request, plan=plan))
    hook.remove()
    assert [step.images for step in steps] == [4, 8]
    assert calls == []


def test_each_prompt_is_encoded_once_and_cut_where_the_limit_cuts(base: LoadedBase, tmp_path: Path) -> None:
    parts = FAMILY.load_text(base.model.folder)
    encoded: list[int] = []
    parts.readers[0].encoder.register_forward_hook(lambda _, inputs, __: encoded.append(len(inputs[0])))
    long = "cat " * 100
    parts.embeddings(["a cat", long, "a cat"])
    parts.embeddings([long, "a cat"])
    assert encoded == [2]
    cut = parts.cut(["a cat", long])
    assert set(cut) == {long}
    assert cut[long].startswith("cat")
    assert len(cut[long]) < len(long)


def test_a_sampler_that_is_asked_for_ever_new_prompts_keeps_some(
    base: LoadedBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sfd_core.families.text.text_parts.KEPT", 2 * 77 * 16 * 4)
    parts = FAMILY.load_text(base.model.folder)
    encoded: list[int] = []
    parts.readers[0].encoder.register_forward_hook(lambda _, inputs, __: encoded.append(len(inputs[0])))
    three = parts.embeddings(["a cat", "a dog", "a house"])
    assert torch.equal(parts.embeddings(["a house", "a dog"]), three[[2, 1]])
    assert torch.equal(parts.embeddings(["a cat"]), three[:1])
    assert encoded == [3, 1], "what was asked for last is kept, the rest is encoded again"


def test_a_step_asks_the_teacher_for_the_override_and_the_rest_for_what_was_asked(base: LoadedBase) -> None:
    request, plan = asked(base)
    table = plan.score(base.network).table
    sampler = ConditionSampler(plan.forgetting, request.recipe, CPU)
    drawn = sampler.draw(torch.Generator().manual_seed(0))
    o = sampler.overrides(drawn.c, torch.Generator().manual_seed(1))
    pairs = [(table.conditions[c].prompt, table.conditions[i].prompt) for c, i in zip(drawn.c, o, strict=True)]
    replaced = {"a pistol": "a banana", "the pistol on a table": "the banana on a table"}
    assert [pair[0] in replaced for pair in pairs] == [True, True, False, False]
    assert all(override == replaced.get(prompt, prompt) for prompt, override in pairs)


def test_the_fake_score_is_guided_away_from_a_negative_prompt_where_the_recipe_says_so(base: LoadedBase) -> None:
    """Its row of a forgotten prompt, in float64 by the formula; the row that is distilled with is plain."""
    body = {
        "forget": [{"concept": "gun", "prompts": ["a cat with a gun"], "override": {"negative": "a war"}}],
        "retain": {"prompts": ["a dog"]},
        "budget": {"images": 8},
        "recipe": {"batch": 2, "negative_in_fake_score": True},
    }
    admitted = admit(body, base.model)
    plan = FAMILY.plan(base, admitted.request, admitted.plan, CPU)
    score = plan.score(base.network)
    ((row,),) = plan.forgetting.forgotten
    (override,) = plan.forgetting.overrides[row]
    assert score.table.conditions[override] == Condition("a cat", "a war")
    assert Condition("a cat with a gun") in [score.table.conditions[i] for i in plan.distilling.remaining]
    x_t, t = noised(base, 1)
    with torch.no_grad():
        (found,) = score.guided(x_t, t, torch.tensor([row]), 4.5)
        prompts = base.text.embeddings(["a war", "a cat with a gun"]).double()
        network = copy.deepcopy(base.network).double()
        outputs = [network(x_t.double(), t, encoder_hidden_states=p[None]).sample for p in prompts]
        n, asked = (base.schedule.x0_from_output(output, x_t.double(), t) for output in outputs)
    torch.testing.assert_close(found.double(), n + 4.5 * (asked - n), rtol=1e-4, atol=1e-4)


def test_dropped_conditions_are_the_empty_prompt_and_only_for_the_fake_score(
    base: LoadedBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, plan = asked(base, condition_dropout=0.9, batch=40, kappa1=1.0, kappa2=1.0, kappa3=1.0, kappa4=1.0)
    request = dataclasses.replace(request, budget=Budget(40))
    state = start(base, request.recipe, 0, CPU)
    rows: dict[int, list[torch.Tensor]] = {}
    original = PromptScore.guided

    def noting(self: PromptScore, x_t: torch.Tensor, t: torch.Tensor, c: torch.Tensor, *kappas: float):  # type: ignore[no-untyped-def]
        rows.setdefault(id(self.network), []).append(c)
        return original(self, x_t, t, c, *kappas)

    monkeypatch.setattr(PromptScore, "guided", noting)
    list(train(state, base, request, plan=plan))
    in_its_own_loss, in_the_generators = rows[id(state.fake_score)]
    assert 25 <= int((in_its_own_loss == EMPTY).sum()) < 40  # 36 expected
    assert not bool((in_the_generators == EMPTY).any())


class TestPublished:
    @pytest.fixture(scope="class")
    def generator(self, base: LoadedBase) -> TextGenerator:
        made = FAMILY.generator(base.network, base, T_INIT)
        assert isinstance(made, TextGenerator)
        return made

    @pytest.fixture(scope="class")
    def folder(self, generator: TextGenerator, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("published")
        generator.save(folder)
        return folder

    def test_it_is_the_trainers_formula(self, base: LoadedBase, generator: TextGenerator) -> None:
        cat = Condition("a cat")
        table = table_of(base, cat)
        theta = PromptScore(base.network, base.schedule, table)
        size = base.network.config.sample_size
        z = torch.randn(base.network.config.in_channels, size, size, generator=torch.Generator().manual_seed(7))[None]
        with torch.no_grad():
            x_g = theta(base.schedule.b[T_INIT] * z, torch.tensor([T_INIT]), torch.tensor([table.rows[cat]]))
        ours = base.text.autoencoder.pictures(x_g).astype(int)
        assert np.abs(ours - generator.sample("a cat", 1, 7).astype(int)).max() <= 1

    def test_image_i_depends_on_the_prompt_and_seed_plus_i_alone(self, generator: TextGenerator) -> None:
        many = generator.sample_prompts(["a cat"] * 18 + ["a dog"], range(5, 24))
        assert np.array_equal(generator.sample("a cat", 1, 20)[0], many[15])
        assert np.array_equal(generator.sample("a dog", 1, 23)[0], many[18])
        assert not np.array_equal(many[0], many[1])

    def test_a_saved_generator_gives_the_same_bytes(self, generator: TextGenerator, folder: Path) -> None:
        again = load_generator(folder)
        assert np.array_equal(again.sample("a cat", 3, 7), generator.sample("a cat", 3, 7))

    def test_stock_diffusers_gives_the_same_images_without_our_code(
        self, generator: TextGenerator, folder: Path, tmp_path: Path
    ) -> None:
        run_without_our_code(
            f"""
import numpy, torch
from diffusers import StableDiffusionPipeline
pipe = StableDiffusionPipeline.from_pretrained({str(folder)!r})
noise = [torch.Generator().manual_seed(7 + i) for i in range(3)]
images = pipe(["a cat"] * 3, generator=noise, num_inference_steps=1, guidance_scale=1, output_type="np").images
numpy.save({str(tmp_path / "images.npy")!r}, images)
""",
            tmp_path,
        )
        theirs = np.round(np.load(tmp_path / "images.npy") * 255)
        assert np.abs(theirs - generator.sample("a cat", 3, 7)).max() <= 1

    def test_every_file_that_makes_an_image_has_a_digest(self, folder: Path) -> None:
        named = set(FAMILY.files(folder))
        there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert named == there
        assert {"unet/diffusion_pytorch_model.safetensors", "vae/config.json", "tokenizer/tokenizer.json"} <= named


class TestStart:
    @pytest.fixture
    def distilled(self, base: LoadedBase, tmp_path: Path) -> LoadedBase:
        folder = tmp_path / "model"
        shutil.copytree(base.model.folder, folder)
        for name, factor in (("generator", 0.5), ("fake_score", 2.0)):
            shutil.copytree(folder / "unet", folder / "distilled" / name)
            weights = folder / "distilled" / name / "diffusion_pytorch_model.safetensors"
            save_file({key: value * factor for key, value in load_file(weights).items()}, weights)
        pair = Distilled("distilled/generator", "distilled/fake_score", T_INIT)
        return dataclasses.replace(base, model=dataclasses.replace(base.model, folder=folder, distilled=pair))

    def ratio(self, network: torch.nn.Module, base: LoadedBase) -> float:
        name, ours = max(network.named_parameters(), key=lambda named: named[1].abs().sum())
        return float((ours / dict(base.network.named_parameters())[name]).detach().nanmedian())

    def test_a_shipped_pair_is_where_a_job_starts(self, distilled: LoadedBase) -> None:
        state = start(distilled, recipe_of("stable_diffusion"), 0, CPU)
        assert self.ratio(state.generator, distilled) == pytest.approx(0.5)
        assert self.ratio(state.average, distilled) == pytest.approx(0.5)
        assert self.ratio(state.fake_score, distilled) == pytest.approx(2.0)

    def test_one_stage_starts_at_the_teacher(self, distilled: LoadedBase) -> None:
        state = start(distilled, recipe_of("stable_diffusion", changes={"start": "base_model"}), 0, CPU)
        assert self.ratio(state.generator, distilled) == pytest.approx(1.0)
        assert self.ratio(state.fake_score, distilled) == pytest.approx(1.0)


class TestAdapters:
    def test_only_the_adapters_move_over_the_teachers_own_weights(self, base: LoadedBase) -> None:
        request, plan = asked(
            base, lora_rank_generator=2, lora_rank_fake_score=2, lr_generator=1e-2, lr_fake_score=1e-2
        )
        state = start(base, request.recipe, 0, CPU)
        before = {name: weight.clone() for name, weight in base.network.state_dict().items()}
        adapters = {network: adapter_state(getattr(state, network)) for network in ("generator", "fake_score")}
        first = {network: {name: w.clone() for name, w in weights.items()} for network, weights in adapters.items()}
        list(train(state, base, request, plan=plan))
        assert all(torch.equal(weight, before[name]) for name, weight in base.network.state_dict().items())
        for network, weights in first.items():
            now = adapter_state(getattr(state, network))
            assert any(not torch.equal(now[name], weight) for name, weight in weights.items()), network
        own = {weight.data_ptr() for weight in base.network.parameters()}
        frozen = [w for name, w in state.generator.named_parameters() if "lora" not in name]
        assert all(weight.data_ptr() in own for weight in frozen), "nothing of the teacher is copied"

    def test_what_is_published_has_no_adapter_and_draws_the_same(self, base: LoadedBase, tmp_path: Path) -> None:
        request, plan = asked(base, lora_rank_generator=2, lr_generator=1e-2)
        state = start(base, request.recipe, 0, CPU)
        list(train(state, base, request, plan=plan))
        generator = generator_of(state, base, request.recipe)
        generator.save(tmp_path / "generator")
        assert not [name for name in load_file(tmp_path / "generator" / "unet" / WEIGHTS) if "lora" in name]
        trained = FAMILY.generator(state.average, base, request.recipe.t_init)
        untrained = FAMILY.generator(base.network, base, request.recipe.t_init)
        published, with_adapter, teacher = (
            g.sample("a cat", 2, 7).astype(int)  # type: ignore[union-attr]
            for g in (load_generator(tmp_path / "generator"), trained, untrained)
        )
        assert np.abs(published - with_adapter).max() <= 1
        assert np.abs(published - teacher).max() > 1

    def test_they_go_on_from_a_checkpoint(self, base: LoadedBase, tmp_path: Path) -> None:
        request, plan = asked(base, lora_rank_generator=2, lora_rank_fake_score=2)
        whole, interrupted, resumed = (start(base, request.recipe, 0, CPU) for _ in range(3))
        list(train(whole, base, request, plan=plan))
        next(train(interrupted, base, request, plan=plan))
        checkpoint.save(interrupted, tmp_path)
        checkpoint.restore_newest(resumed, [tmp_path])
        list(train(resumed, base, request, plan=plan))
        ours, theirs = adapter_state(resumed.generator), adapter_state(whole.generator)
        assert all(torch.equal(ours[name], weight) for name, weight in theirs.items())
