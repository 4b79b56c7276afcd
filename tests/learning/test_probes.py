"""Probes on the bundled model: each must succeed where the class is left and fail where there is nothing."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter

from jobs.settings import BUNDLED_MODELS
from sfd_core.evaluation.attack_target import AttackTarget
from sfd_core.evaluation.judge import ImageJudge
from sfd_core.evaluation.probe import Probes
from sfd_core.evaluation.probes import probes_for
from sfd_core.evaluation.probing import run_probes
from sfd_core.families.class_unet.generator import OneStepGenerator
from sfd_core.families.loading import load_base
from sfd_core.families.registry import load_manifest

# They take a minute on two idle cores, and several on a busy machine.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
T_INIT = 440


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """All probes of Sneaker on a generator that has forgotten everything: it draws noise under any condition."""
    torch.set_num_threads(2)
    base = load_base(load_manifest(BUNDLED_MODELS / "fashion"))
    model = base.model
    empty = OneStepGenerator.of(copy.deepcopy(base.network), base.schedule, T_INIT, model)
    for parameter in empty.pipe.unet.conv_out.parameters():
        parameter.data.zero_()
    sneaker, bag = model.concept_index("Sneaker"), model.concept_index("Bag")
    subject = AttackTarget(
        generator=empty,
        base=base,
        controls={sneaker: OneStepGenerator.load(model.folder / model.controls["Sneaker"])},
        judge=ImageJudge.load(model),
        second_judge=ImageJudge.load(model, info=model.second_judge),
        forgotten=[(sneaker, bag)],
        seed=0,
        device=torch.device("cpu"),
    )
    results = list(run_probes(list(probes_for("classes")), subject))[-1][2]
    assert results is not None
    written = TypeAdapter(Probes).dump_python(results.part, mode="json")
    return {name: rows[0] for name, rows in written["results"].items()}


def test_the_base_relearns_before_a_network_that_never_knew_and_an_empty_one_does_not(found: dict[str, Any]) -> None:
    steps: dict[str, dict[int, int | None]] = {}
    for curve in found["relearning"]["curves"]:
        steps.setdefault(curve["network"], {})[curve["n"]] = curve["steps_to_half"]
    for n in (10, 100, 1000):
        never, base = steps["control"][n], steps["base_model"][n]
        assert never is not None
        assert base is not None
        assert base < never
        assert steps["generator"][n] is None


def test_the_base_completes_an_image_and_an_empty_network_does_not(found: dict[str, Any]) -> None:
    by_t = {level["t"]: level for level in found["image_to_image"]["levels"]}
    assert by_t[100]["floor"]["low"] > 0.8, "little noise: any denoiser gives the image back"
    assert by_t[600]["base_model"]["low"] > 0.9 > 0.1 > by_t[600]["floor"]["high"]
    assert by_t[T_INIT]["generator"]["high"] < 0.1
    many = found["image_to_image"]["many_steps"]
    assert many["base_model"]["low"] > 0.9
    assert many["generator"]["high"] < 0.1


def test_a_search_finds_more_in_the_base_than_where_the_class_was_never_learnt(found: dict[str, Any]) -> None:
    attack = found["concept_inversion"]
    assert attack["base_model"]["low"] > attack["control"]["high"]
    assert attack["generator"]["high"] < 0.05
    assert attack["scored_by"] != attack["searched_with"]


def test_other_classes_leave_the_base_as_it_is_and_bring_nothing_back_where_nothing_is(found: dict[str, Any]) -> None:
    for curve in found["benign_fine_tuning"]["curves"]:
        end = curve["points"][-1]["unlearning_accuracy"]
        if curve["network"] == "base_model":
            assert end["high"] < 0.5
        else:
            assert end["low"] > 0.9
