"""Models over a rescaled schedule, from folder to published generator."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import EulerDiscreteScheduler

from sfd_core.base_model.layout import SCHEDULER
from sfd_core.base_model.manifest import BaseModel, file_sha256
from sfd_core.errors import InvalidRequest
from sfd_core.families.class_conditions import class_conditions
from sfd_core.families.class_unet.network import ClassUnetScore
from sfd_core.families.loading import load_base, load_generator
from sfd_core.families.registry import describe, family_of
from sfd_core.request.concepts import Forget
from sfd_core.request.overrides.fixed import FixedOverride
from sfd_core.request.recipe import Recipe
from sfd_core.training.conditions import ConditionSampler
from sfd_core.training.state import start
from sfd_core.training.step import TrainingStep
from tests.support.tiny_model import CONCEPTS, make_tiny_model
from tests.support.tiny_text_model import make_tiny_text_model

CPU = torch.device("cpu")
RECIPE = Recipe(batch=8, t_init=998, t_min=20, t_max=998)


def rescaled(model: BaseModel) -> BaseModel:
    """The model over a rescaled schedule, predicting v."""
    path = model.folder / SCHEDULER
    config = json.loads(path.read_text()) | {"_class_name": "DDIMScheduler", "prediction_type": "v_prediction"}
    path.write_text(json.dumps(config | {"rescale_betas_zero_snr": True}))
    if (index := model.folder / "model_index.json").is_file():
        index.write_text(json.dumps(json.loads(index.read_text()) | {"scheduler": ["diffusers", "DDIMScheduler"]}))
    files = {name: file_sha256(model.folder / name) for name in model.files}
    return dataclasses.replace(model, files=files)


@pytest.mark.parametrize("make", [make_tiny_model, make_tiny_text_model])
def test_a_model_is_sampled_and_published_over_its_own_schedule(make: Any, tmp_path: Path) -> None:
    model = rescaled(make(tmp_path / "model"))
    base, family = load_base(model), family_of(model.family)
    assert base.schedule.signal(torch.tensor([999])).item() == 0
    published = tmp_path / "published"
    generator = family.generator(base.network, base, 625)
    generator.save(published)
    scheduler = EulerDiscreteScheduler.from_pretrained(published / "scheduler")
    sigma = base.schedule.noise(torch.tensor([625])) / base.schedule.signal(torch.tensor([625]))
    assert scheduler.sigmas[0].item() == pytest.approx(sigma.item(), rel=1e-4)
    again = load_generator(published)
    makers = [generator, again, family.base_sampler(base, CPU, 2), family.open_elsewhere(published, base, None, CPU)]
    if model.concepts:
        drawn = [maker.sample_labels([0, 1], [3, 4]) for maker in makers]
    else:
        drawn = [maker.sample_prompts(["a cat", "a dog"], [3, 4]) for maker in makers]  # type: ignore[attr-defined]
    assert np.array_equal(drawn[0], drawn[1])
    assert np.array_equal(drawn[0], drawn[3])
    assert all(len(np.unique(images)) > 2 for images in drawn), "pictures, and no NaN made black"


def test_a_step_of_training_to_the_last_time_that_has_signal(tmp_path: Path) -> None:
    base = load_base(rescaled(make_tiny_model(tmp_path / "model")))
    state = start(base, RECIPE, 0, CPU)
    table = class_conditions([Forget("red", FixedOverride("green"))], CONCEPTS)
    sampler = ConditionSampler(table, RECIPE, CPU)
    scores = (ClassUnetScore(unet, base.schedule) for unet in (base.network, state.fake_score, state.generator))
    losses = TrainingStep(*scores, None, base.schedule, RECIPE, None)(state, sampler, sampler.draw(state.rng))
    assert all(torch.isfinite(torch.tensor(loss)) for loss in losses)


def test_times_without_signal_are_refused_of_either_family(tmp_path: Path) -> None:
    for make in (make_tiny_model, make_tiny_text_model):
        model = rescaled(make(tmp_path / make.__name__))
        check = describe(model.family).check_times
        check(RECIPE, model)
        with pytest.raises(InvalidRequest, match=r"/recipe/t_max: must be 0 to 998 .* no signal at the last"):
            check(dataclasses.replace(RECIPE, t_max=999), model)
