"""Stage one of `fashion`, on a model that trains in milliseconds: pairs are the base model's own, and regression learns
them."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler

from models.fashion.distil import ANCHOR_AWAY, PAIRS_SEED, RECIPE, Distillation, falling, pairs
from sfd_core.families.class_unet.network import ClassUnetScore
from sfd_core.families.loading import load_base
from sfd_core.families.protocol import LoadedBase
from sfd_core.training.losses import fake_score_loss
from sfd_core.training.state import start
from tests.support.tiny_model import make_tiny_model

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> LoadedBase:
    return load_base(make_tiny_model(tmp_path_factory.mktemp("models") / "tiny"))


def test_pairs_are_noise_and_what_the_base_model_makes_of_it(base: LoadedBase, tmp_path: Path) -> None:
    made = pairs(base, tmp_path, 10, 3)
    assert made["c"].tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert torch.equal(made["z"], torch.randn(10, 1, 8, 8, generator=torch.Generator().manual_seed(PAIRS_SEED)))
    stock = DDIMScheduler(beta_start=1e-4, beta_end=0.02, clip_sample=False, timestep_spacing="trailing")
    stock.set_timesteps(3)
    x = made["z"][5:6]
    with torch.no_grad():
        for t in stock.timesteps:
            x = stock.step(base.network(x, t, class_labels=torch.tensor([1])).sample, t, x).prev_sample
    torch.testing.assert_close(made["x"][5:6], x, rtol=1e-4, atol=1e-4)
    again = pairs(base, tmp_path, 99, 1)
    assert all(torch.equal(again[name], made[name]) for name in made), "they are kept"


def run_of(base: LoadedBase, work: Path) -> Distillation:
    made = pairs(base, work, 64, 3)
    made["x"] = made["x"].tanh()  # an untrained network's images know no bounds
    return Distillation(base, start(base, RECIPE, 0, CPU), made)


def test_the_regression_comes_nearer_to_the_pairs(base: LoadedBase, tmp_path: Path) -> None:
    run = run_of(base, tmp_path)
    t = torch.full((64,), base.schedule.start(RECIPE))

    def error(network: torch.nn.Module) -> float:
        score = ClassUnetScore(network, base.schedule)
        with torch.no_grad():
            x_g = score(base.schedule.pure_noise(run.made["z"], t), t, run.made["c"])
        return float((x_g - run.made["x"]).abs().mean())

    before = error(run.state.generator)
    run.regress(40)
    assert error(run.state.generator) < 0.95 * before
    assert error(run.state.average) == error(run.state.generator), "the average starts there too"
    assert error(run.state.fake_score) == before, "the fake score stays what it was"


def test_the_fake_score_learns_the_generators_images_and_nothing_else_moves(base: LoadedBase, tmp_path: Path) -> None:
    run = run_of(base, tmp_path)
    run.regress(10)
    generator = copy.deepcopy(run.state.generator.state_dict())

    def loss() -> float:
        rng, c = torch.Generator().manual_seed(9), torch.arange(256) % 4
        z, eps = (torch.randn(256, 1, 8, 8, generator=rng) for _ in range(2))
        t = base.schedule.fake_score_times(256, RECIPE, rng)
        with torch.no_grad():
            x_t = base.schedule.add_noise(run._one_step(z, c), eps, t)
            eps_psi = base.schedule.eps_from_x0(run.psi(x_t, t, c), x_t, t)
        return float(fake_score_loss(eps_psi, eps, torch.ones(256)))

    before = loss()
    run.fit_fake_score(40)
    assert loss() < 0.95 * before
    assert all(torch.equal(generator[name], weight) for name, weight in run.state.generator.state_dict().items())


def test_the_anchor_is_nothing_where_the_network_is_the_base_models_and_stays_away_from_its_own_step(
    base: LoadedBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, asked = run_of(base, tmp_path), []
    monkeypatch.setattr(run, "theta", lambda x_t, t, c: asked.append(t) or run.phi(x_t, t, c))
    assert [float(run.anchor()) for _ in range(100)] == [0] * 100
    away = (torch.cat(asked) - run.t_init).abs()
    assert int(away.min()) == ANCHOR_AWAY
    assert torch.cat(asked).max() > 990


def test_distillation_goes_on_to_its_budget_with_falling_rates(base: LoadedBase, tmp_path: Path) -> None:
    run = run_of(base, tmp_path)
    before = run.state.generator.conv_in.weight.detach().clone()
    losses = list(run.distil(3 * RECIPE.batch))
    assert (len(losses), run.state.images) == (3, 3 * RECIPE.batch)
    assert run.state.optimizer_generator.param_groups[0]["lr"] == pytest.approx(RECIPE.lr_generator * falling(2 / 3))
    assert not torch.equal(before, run.state.generator.conv_in.weight)
    assert not list(run.distil(3 * RECIPE.batch)), "it has its budget"


def test_rates_fall_from_all_to_nought() -> None:
    assert [round(falling(share), 6) for share in (0, 0.5, 1)] == [1, 0.5, 0]
