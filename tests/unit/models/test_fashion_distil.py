"""Stage one of `fashion`, on a model that trains in milliseconds: pairs are the base model's own, and regression learns
them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler

from models.fashion.distil import PAIRS_SEED, RECIPE, falling, pairs, regress
from sfd_core.families.class_unet.family import FAMILY
from sfd_core.families.loading import load_base
from sfd_core.families.protocol import LoadedBase
from sfd_core.request.concepts import Budget
from sfd_core.request.unlearning_request import UnlearningRequest
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


def test_the_regression_comes_nearer_to_the_pairs(base: LoadedBase, tmp_path: Path) -> None:
    made, state = pairs(base, tmp_path, 64, 3), start(base, RECIPE, 0, CPU)
    made["x"] = made["x"].tanh()  # an untrained network's images know no bounds
    plan = FAMILY.plan(base, UnlearningRequest("fashion", (), Budget(64), RECIPE), None, CPU)
    t = torch.full((64,), base.schedule.start(RECIPE))

    def error(network: torch.nn.Module) -> float:
        with torch.no_grad():
            x_g = plan.score(network)(base.schedule.pure_noise(made["z"], t), t, made["c"])
        return float((x_g - made["x"]).abs().mean())

    before = error(state.generator)
    regress(state, base, made, 100)
    assert error(state.generator) < 0.95 * before
    assert error(state.average) == error(state.generator), "the average starts there too"
    assert error(state.fake_score) == before, "the fake score stays what it was"


def test_rates_fall_from_all_to_nought() -> None:
    assert [round(falling(share), 6) for share in (0, 0.5, 1)] == [1, 0.5, 0]
