"""The settings that docs/recipes.md gives for the published recipes, held to the published arrangement: two batches,
each a mean of its own, added."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from api.schemas.submission import Submission
from sfd_core.admission import admit
from sfd_core.families.class_unet import DESCRIPTION
from sfd_core.families.protocol import ConditionTable
from sfd_core.families.stable_diffusion.recipe import STABLE_DIFFUSION
from sfd_core.request.overrides.fixed import FixedOverride
from sfd_core.request.reading import read
from sfd_core.request.recipe import Recipe, completed
from sfd_core.training.conditions import Conditions, ConditionSampler
from sfd_core.training.losses import fake_score_loss, generator_loss
from tests.support.tiny_model import make_tiny_model

ROOT = Path(__file__).parents[3]
DOC = (ROOT / "docs/recipes.md").read_text("utf-8")
CPU = torch.device("cpu")


def settings(heading: str, standard: Recipe) -> Recipe:
    """The recipe of the JSON block under a heading of the document."""
    block = re.search(rf"^### {re.escape(heading)}$.*?^```json\n(.*?)^```", DOC, re.MULTILINE | re.DOTALL)
    assert block is not None, heading
    return Recipe(**completed(standard, {}, json.loads(block[1])["recipe"]))


def asked(name: str) -> dict[str, Any]:
    """The request of a file in ``recipes/``."""
    body: dict[str, Any] = json.loads((ROOT / "recipes" / f"{name}.json").read_text("utf-8"))
    return body


CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
STL10 = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")


@pytest.mark.parametrize(
    ("name", "concepts", "batch", "lr_fake_score"), [("cifar10", CIFAR10, 128, 1e-5), ("stl10", STL10, 64, 3e-5)]
)
def test_the_files_of_the_papers_class_models(
    name: str, concepts: tuple[str, ...], batch: int, lr_fake_score: float, tmp_path: Path
) -> None:
    """``DDPM/configs/*_sfd.yml``: class 0 answered with class 1, 50 000 steps of a batch of each half, 5000 images a
    class; taken by the service and by the library."""
    body = asked(name)
    read(Submission, body)
    model = make_tiny_model(tmp_path, name, concepts)
    request = admit(body, model).request
    (item,) = request.forget
    assert isinstance(item.override, FixedOverride)
    assert (item.concept, item.override.concept) == (concepts[0], concepts[1])
    classes = settings("Classes, as published", DESCRIPTION.recipe)
    theirs = {"batch": 2 * batch, "lr_fake_score": lr_fake_score, "start": "base_model"}
    assert request.recipe == dataclasses.replace(classes, **theirs)  # type: ignore[arg-type]
    assert (request.recipe.alpha, request.recipe.t_init) == (1.2, 440)
    assert (request.recipe.t_min, request.recipe.t_max) == (38, 712)
    assert (request.budget.images, request.budget.until) == (50_000 * 2 * batch, "budget")
    looked_at = request.evaluation
    assert (looked_at.images_per_concept, looked_at.images_per_forgotten_concept) == (5000, 5000)
    conditions = drawn(request.recipe)
    assert int((conditions.c == 0).sum()) == batch


def drawn(recipe: Recipe) -> Conditions:
    sampler = ConditionSampler(ConditionTable([[0]], [1, 2, 3], {0: [1]}), recipe, CPU)
    return sampler.draw(torch.Generator().manual_seed(0))


def per_image(which: str, weights: Tensor, parameter: Tensor, w: Tensor) -> Tensor:
    """The mean loss of a batch of images that hang on one parameter, as the product computes it."""
    shape = (len(weights), 1, 2, 3)
    g = torch.Generator().manual_seed(1)
    x, f_phi, f_psi = (torch.randn(256, 1, 2, 3, dtype=torch.float64, generator=g)[: len(weights)] for _ in range(3))
    x_g = x + (weights[:, None] * parameter).view(shape)
    return fake_score_loss(x_g, x, w) if which == "psi" else generator_loss(x_g, f_phi, f_psi, 1.2, w)


def written(which: str, weights: Tensor, parameter: Tensor, rows: Tensor, coefficient: float) -> Tensor:
    """The same of some rows alone, written out: the sum over pixels and images, over the images, by a coefficient."""
    g = torch.Generator().manual_seed(1)
    x, f_phi, f_psi = (torch.randn(256, 1, 2, 3, dtype=torch.float64, generator=g)[: len(weights)] for _ in range(3))
    total = torch.zeros((), dtype=torch.float64)
    for i in rows.tolist():
        x_g = x[i] + (weights[i] * parameter).view(1, 2, 3)
        if which == "psi":
            total = total + ((x_g - x[i]) ** 2).sum()
        else:
            omega = (f_phi[i] - x_g).abs().mean().detach()
            apart = f_phi[i] - f_psi[i]
            total = total + (apart * ((f_phi[i] - x_g) - 1.2 * apart)).sum() / omega
    return coefficient * total / len(rows)


@pytest.mark.parametrize("which", ["psi", "theta"])
@pytest.mark.parametrize(
    ("heading", "standard", "coefficient", "each"),
    [
        ("Classes, as published", DESCRIPTION.recipe, 0.01, (128, 128)),
        ("Classes, the published weight in our batch", DESCRIPTION.recipe, 0.01, (56, 8)),
        ("Stable Diffusion, as published", STABLE_DIFFUSION, 1.0, (8, 8)),
    ],
)
def test_gradients_are_the_published_ones_to_a_factor(
    heading: str, standard: Recipe, coefficient: float, each: tuple[int, int], which: str
) -> None:
    """One factor for all weights: the remaining images' share of the batch. Adam's step does not depend on it."""
    recipe = settings(heading, standard)
    conditions = drawn(recipe)
    forgotten = (conditions.c == 0).nonzero()[:, 0]
    others = (conditions.c != 0).nonzero()[:, 0]
    assert (len(others), len(forgotten)) == each
    g = torch.Generator().manual_seed(2)
    weights = torch.randn(len(conditions.c), 6, dtype=torch.float64, generator=g)
    at = torch.randn(6, dtype=torch.float64, generator=g).requires_grad_()
    (ours,) = torch.autograd.grad(per_image(which, weights, at, conditions.w.double()), at)
    loss = written(which, weights, at, others, 1.0) + written(which, weights, at, forgotten, coefficient)
    (theirs,) = torch.autograd.grad(loss, at)
    torch.testing.assert_close(ours, theirs * len(others) / recipe.batch, rtol=1e-6, atol=0)


def test_zero_cfg_and_several_updates_are_settings() -> None:
    zero = settings("Zero-CFG", STABLE_DIFFUSION)
    assert (zero.kappa1, zero.kappa2, zero.kappa3, zero.kappa4) == (0, 0, 0, 1)
    assert settings("Several updates of the fake score", DESCRIPTION.recipe).fake_score_updates == 5
    assert settings("Weights in bf16", STABLE_DIFFUSION).precision == "bf16-weights"


def test_the_default_weight_is_fourteen_times_the_published_one() -> None:
    conditions = drawn(DESCRIPTION.recipe)
    forgotten = conditions.c == 0
    share = float(conditions.w[forgotten].sum() / conditions.w[~forgotten].sum())
    assert share == pytest.approx(1 / 7)
    assert share / 0.01 == pytest.approx(14.3, abs=0.05)


@pytest.mark.parametrize(
    ("heading", "standard", "epsilon"),
    [("Classes, as published", DESCRIPTION.recipe, 1e-8), ("Stable Diffusion, as published", STABLE_DIFFUSION, 1e-6)],
)
def test_adam_moves_as_it_does_there(heading: str, standard: Recipe, epsilon: float) -> None:
    """Half the gradient, half the bound of the clipping, half the epsilon: the same steps."""
    recipe = settings(heading, standard)
    assert recipe.adam_epsilon is not None
    gradients = torch.randn(5, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) * torch.logspace(
        -7, 1, 40, dtype=torch.float64
    )
    moved = []
    for scale, bound, eps in ((1.0, 1.0, epsilon), (0.5, recipe.clip_value, recipe.adam_epsilon)):
        weight = nn.Parameter(torch.zeros(40, dtype=torch.float64))
        adam = torch.optim.Adam([weight], recipe.lr_generator, (recipe.adam_beta1, recipe.adam_beta2), eps)
        for gradient in gradients:
            weight.grad = scale * gradient
            torch.nn.utils.clip_grad_value_([weight], bound)
            adam.step()
        moved.append(weight.detach())
    torch.testing.assert_close(moved[0], moved[1], rtol=1e-9, atol=0)


def test_the_published_numbers_are_written_out() -> None:
    classes = settings("Classes, as published", DESCRIPTION.recipe)
    text = settings("Stable Diffusion, as published", STABLE_DIFFUSION)
    assert (classes.lr_generator, classes.lr_fake_score, classes.ema, classes.deep_weight) == (1e-5, 1e-5, 0.9999, 0)
    assert (text.lr_generator, text.lr_fake_score, text.condition_dropout, text.deep_weight) == (1e-6, 3e-6, 0.1, 0)
    assert (text.kappa1, text.kappa2, text.kappa3, text.kappa4) == (4.5,) * 4
