"""What ``lethe evaluate`` opens, and what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from diffusers import UNet2DModel
from PIL import Image

from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import InvalidRequest, ModelRefused
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.subject import ImageSource, open_generator
from sfd_core.families.class_unet.base_sampler import ManyStepSampler
from sfd_core.families.class_unet.generator import OneStepGenerator
from sfd_core.families.protocol import LoadedBase
from sfd_core.report.examine import examine, write_report
from sfd_core.report.schema import report_schema
from sfd_core.request.unlearning_request import UnlearningRequest


@pytest.fixture
def one_step(tiny_base: LoadedBase, tmp_path: Path) -> Path:
    OneStepGenerator.of(tiny_base.network, tiny_base.schedule, 440, tiny_base.model).save(tmp_path / "one-step")
    return tmp_path / "one-step"


@pytest.fixture
def many_steps(tiny_model: BaseModel, tmp_path: Path) -> Path:
    for part in ("unet", "scheduler"):
        shutil.copytree(tiny_model.folder / part, tmp_path / "many-steps" / part)
    return tmp_path / "many-steps"


def test_a_one_step_folder_makes_what_its_generator_makes(one_step: Path, tiny_base: LoadedBase) -> None:
    subject = open_generator(one_step, tiny_base)
    assert (subject.kind, subject.network_evaluations) == ("one_step", 1)
    expected = OneStepGenerator.load(one_step).sample_labels([0, 1], [5, 6])
    assert np.array_equal(subject.sample([0, 1], [5, 6]), expected)


def test_a_unet_is_sampled_in_the_base_models_number_of_steps_or_in_as_many_as_asked(
    many_steps: Path, tiny_base: LoadedBase
) -> None:
    assert open_generator(many_steps, tiny_base).network_evaluations == 4
    subject = open_generator(many_steps, tiny_base, steps=2)
    assert (subject.kind, subject.network_evaluations, subject.generator) == ("many_steps", 2, None)
    expected = ManyStepSampler(tiny_base, 2).sample_labels([3], [9])
    assert np.array_equal(subject.sample([3], [9]), expected)


def test_a_filter_makes_no_image_of_what_it_refuses(one_step: Path, tiny_base: LoadedBase) -> None:
    subject = open_generator(one_step, tiny_base)
    refusing = subject.refusing([1])
    images = refusing.sample([0, 1, 2], [1, 2, 3])
    assert refusing.kind == "refusal"
    assert images[1].max() == 0
    assert np.array_equal(images[[0, 2]], subject.sample([0, 1, 2], [1, 2, 3])[[0, 2]])
    assert images[[0, 2]].max() > 0


def test_a_folder_that_is_no_generator_is_refused(tmp_path: Path, tiny_base: LoadedBase) -> None:
    with pytest.raises(ModelRefused, match=r"neither a one-step generator.s model_index.json nor unet/config.json"):
        open_generator(tmp_path, tiny_base)


def test_a_generator_of_other_concepts_is_refused(one_step: Path, tiny_base: LoadedBase) -> None:
    renamed = replace(tiny_base, model=replace(tiny_base.model, concepts=("red", "green", "blue", "mauve")))
    with pytest.raises(ModelRefused, match="the base model red, green, blue, mauve"):
        open_generator(one_step, renamed)


def test_a_one_step_generator_is_not_sampled_in_many(one_step: Path, tiny_base: LoadedBase) -> None:
    with pytest.raises(ModelRefused, match="cannot be sampled in 10 steps"):
        open_generator(one_step, tiny_base, steps=10)


def test_a_unet_of_another_number_of_classes_is_refused(many_steps: Path, tiny_base: LoadedBase) -> None:
    config = {k: v for k, v in tiny_base.network.config.items() if not k.startswith("_")} | {"num_class_embeds": 7}
    with torch.random.fork_rng():
        UNet2DModel(**config).save_pretrained(many_steps / "unet")
    with pytest.raises(ModelRefused, match="num_class_embeds is 7, must be 4, one a concept"):
        open_generator(many_steps, tiny_base)


def test_probes_of_a_generator_of_many_steps_are_refused(
    many_steps: Path, tiny_base: LoadedBase, request_for: Callable[..., UnlearningRequest]
) -> None:
    request = request_for(evaluation={"probes": ["image_to_image"]})
    subject, evaluators = open_generator(many_steps, tiny_base), Evaluators.load(tiny_base.model)
    with pytest.raises(InvalidRequest, match="they work on one-step generators; this one takes 4 steps an image"):
        next(examine(subject, tiny_base, evaluators, request, torch.device("cpu")))


def test_the_fewest_images_that_a_request_may_ask_for_still_make_a_report(
    one_step: Path, tiny_base: LoadedBase, request_for: Callable[..., UnlearningRequest], tmp_path: Path
) -> None:
    forget = [{"concept": concept, "override": "grey"} for concept in ("red", "green", "blue")]
    request = request_for(
        {"forgotten_share": 0.5},
        forget=forget,
        evaluation={"images_per_concept": 2, "images_per_forgotten_concept": 2},
    )
    subject, evaluators = open_generator(one_step, tiny_base), Evaluators.load(tiny_base.model)
    examined = list(examine(subject, tiny_base, evaluators, request, torch.device("cpu")))[-1][2]
    assert examined is not None
    report = write_report(examined, tmp_path / "report", [])
    plain = write_report(examined, tmp_path / "plain", [], mark_images=False)
    for name in plain["pictures"].values():
        with Image.open(tmp_path / "report" / name) as marked, Image.open(tmp_path / "plain" / name) as unmarked:
            assert (b"trainedAlgorithmicMedia" in marked.info["xmp"], unmarked.info) == (True, {})
            assert marked.tobytes() == unmarked.tobytes()
    jsonschema.validate(json.loads((tmp_path / "report" / "report.json").read_text()), report_schema())
    assert report["quality"][0]["against_real"]["precision"] is None
    assert report["verdict"] != "pass"


def test_an_ordinary_pipeline_folder_is_opened_by_its_unet(many_steps: Path, tiny_base: LoadedBase) -> None:
    (many_steps / "model_index.json").write_text(json.dumps({"_class_name": "DDPMPipeline"}))
    assert open_generator(many_steps, tiny_base).kind == "many_steps"


def test_a_one_step_generator_of_another_cell_size_is_refused(one_step: Path, tiny_base: LoadedBase) -> None:
    path = one_step / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"patch": 2}))
    with pytest.raises(
        ModelRefused, match="patch is 2, must be a whole number whose square divides the network's 1 channels"
    ):
        open_generator(one_step, tiny_base)


def test_a_unet_over_another_schedule_is_refused(many_steps: Path, tiny_base: LoadedBase) -> None:
    path = many_steps / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"prediction_type": "v_prediction"}))
    with pytest.raises(ModelRefused, match="prediction_type is 'v_prediction', the base model's 'epsilon'"):
        open_generator(many_steps, tiny_base)


@pytest.mark.parametrize("kind", ["one step", "many steps", "a filter"])
def test_the_report_of_a_foreign_generator_keeps_to_the_schema(
    kind: str,
    one_step: Path,
    many_steps: Path,
    tiny_base: LoadedBase,
    request_for: Callable[..., UnlearningRequest],
    tmp_path: Path,
) -> None:
    subject: ImageSource = open_generator(many_steps if kind == "many steps" else one_step, tiny_base)
    if kind == "a filter":
        subject = subject.refusing([0])
    request, evaluators = request_for(), Evaluators.load(tiny_base.model)
    examined = list(examine(subject, tiny_base, evaluators, request, torch.device("cpu")))[-1][2]
    assert examined is not None
    report: dict[str, Any] = dict(write_report(examined, tmp_path / "report", ["lethe evaluate"]))
    jsonschema.validate(json.loads((tmp_path / "report" / "report.json").read_text()), report_schema())
    assert report["agreement"]["forgotten"][0]["n"] == 20
    if kind == "a filter":
        assert report["unlearning"][0]["seen"] == report["unlearning"][0]["second_judge"]["seen"] == 0
        assert sum(report["confusion"]["generator"][0]) == 0.0
    assert report["speed"]["generator_network_evaluations"] == subject.network_evaluations
    page = (tmp_path / "report" / "report.html").read_text()
    assert subject.title in page
