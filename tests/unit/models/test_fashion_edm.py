"""What `fashion-edm` has of its own beside `fashion`: its training's loss, and stage one over noise levels, on a model
that trains in milliseconds."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import UNet2DModel

from models.fashion import card
from models.fashion.distil import Distillation, pairs
from models.fashion_edm.bundle import FAR, FASHION_EDM, away_from
from models.fashion_edm.train import P_MEAN, P_STD, loss_of
from sfd_core.families.edm.parameterization import Edm
from sfd_core.families.edm.scheduler_config import EdmConfig
from sfd_core.families.loading import load_base
from sfd_core.families.protocol import LoadedBase
from sfd_core.training.state import start
from tests.support.tiny_model import make_tiny_edm_model

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> LoadedBase:
    return load_base(make_tiny_edm_model(tmp_path_factory.mktemp("models") / "tiny"))


def run_of(base: LoadedBase, work: Path) -> Distillation:
    made = pairs(base, work, 64, 3)
    made["x"] = made["x"].tanh()  # an untrained network's images know no bounds
    return Distillation(base, start(base, FASHION_EDM.recipe, 0, CPU), made, FASHION_EDM)


def test_the_loss_it_was_trained_by_is_edms(base: LoadedBase) -> None:
    """``|| F - F_true ||^2`` in double precision, by Karras et al. 2022, eq. 8."""
    unet: UNet2DModel = base.network
    x, c = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)) - 0.5, torch.tensor([0, 1, 2, 3])
    torch.manual_seed(3)
    ours = loss_of(unet, x, c, Edm(EdmConfig()))
    torch.manual_seed(3)
    sigma, eps = (P_MEAN + P_STD * torch.randn(4)).exp(), torch.randn_like(x)
    s, clean = sigma.double().numpy()[:, None, None, None], x.double().numpy()
    x_t, spread = clean + s * eps.double().numpy(), np.sqrt(s**2 + 0.25)
    with torch.no_grad():
        given = torch.from_numpy(x_t / spread).float()
        out = unet(given, sigma.log() / 4, class_labels=c).sample.double().numpy()
    true = (clean - 0.25 / spread**2 * x_t) / (s * 0.5 / spread)
    assert ours.item() == pytest.approx(np.square(out - true).mean(), rel=1e-4)


def test_pairs_are_noise_and_what_the_base_model_makes_of_it_in_many_steps(base: LoadedBase, tmp_path: Path) -> None:
    made = pairs(base, tmp_path, 6, 3)
    assert made["c"].tolist() == [0, 1, 2, 3, 0, 1]
    x = 80 * made["z"][5:6]
    levels = [80.0, ((80 ** (1 / 7) + 0.002 ** (1 / 7)) / 2) ** 7, 0.002, 0.0]
    for sigma, after in itertools.pairwise(levels):
        spread = (sigma**2 + 0.25) ** 0.5
        with torch.no_grad():
            out = base.network(x / spread, np.log(sigma) / 4, class_labels=torch.tensor([1])).sample
        x = x + (after - sigma) * (x - (0.25 / spread**2 * x + sigma * 0.5 / spread * out)) / sigma
    torch.testing.assert_close(made["x"][5:6], x, rtol=1e-2, atol=1e-2)


def test_the_anchor_stays_away_from_its_own_level(
    base: LoadedBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, asked = run_of(base, tmp_path), []
    monkeypatch.setattr(run, "theta", lambda x_t, t, c: asked.append(t) or run.phi(x_t, t, c))
    assert [float(run.anchor()) for _ in range(50)] == [0] * 50
    times = torch.cat(asked)
    assert float((times / 2.5).log().abs().min()) >= np.log(FAR) - 1e-5
    assert times.max() > 40
    assert away_from(torch.tensor([2.5, 1.0, 3.0, 4.0]), 2.5).tolist() == pytest.approx([0.25, 1.0, 0.3, 4.0])


def test_stage_one_runs_over_noise_levels(base: LoadedBase, tmp_path: Path) -> None:
    run = run_of(base, tmp_path)
    run.regress(2)
    run.fit_fake_score(2)
    losses = list(run.distil(2 * FASHION_EDM.recipe.batch))
    assert len(losses) == 2
    assert np.isfinite(losses).all()


def test_its_manifest_is_of_the_family(tmp_path: Path) -> None:
    pair = [f"{part}/{file}" for part in (card.GENERATOR, card.FAKE_SCORE) for file in card.NETWORK_FILES]
    for name in (*card.ALWAYS, card.REFERENCE, *pair):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    measured = {
        judge: {"accuracy": 0.9, "accuracy_images": 10, "by_concept": [0.9] * 10} for judge in ("judge", "second_judge")
    }
    listed = card.manifest(tmp_path, {**measured, "teacher": {}}, FASHION_EDM)
    assert (listed["name"], listed["family"], listed["features"]) == ("fashion-edm", "edm", {})
    assert listed["distilled"]["t_init"] == 2.5
