"""The evaluation of text-to-image models, on a painter whose every answer is known."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from sfd_core.admission import admit
from sfd_core.base_model.vocabulary import EvaluationPrompts
from sfd_core.evaluation.concept_images import seeds_of
from sfd_core.evaluation.evaluate import REFERENCE_SEEDS, Measurement, Samplers, evaluate
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.judge import Judgement
from sfd_core.evaluation.reference import Reference
from sfd_core.evaluation.scores import save_scores
from sfd_core.evaluation.zero_shot import ClipJudge, photo_of
from sfd_core.families.stable_diffusion.recipe import STABLE_DIFFUSION
from sfd_core.prompts.plan import plan_prompts
from sfd_core.request.concepts import Budget, Forget, Retain
from sfd_core.request.evaluation_plan import EvaluationPlan
from sfd_core.request.overrides.fixed import FixedOverride
from sfd_core.request.unlearning_request import UnlearningRequest
from tests.support.measured import as_report
from tests.support.painter import AMOUNTS, NOTHING, OBJECTS, VOCABULARY, Painter, evaluators, model
from tests.support.tiny_model import make_tiny_model

EVERY_WORD = dict.fromkeys(OBJECTS[2].words, "banana")
ONLY_THE_NAME = {"pistol": "banana"}


def request(plan: EvaluationPlan | None = None, forget: tuple[Forget, ...] | None = None) -> UnlearningRequest:
    return UnlearningRequest(
        base_model="painter",
        forget=forget or (Forget("pistol", FixedOverride("banana")),),
        budget=Budget(64),
        recipe=STABLE_DIFFUSION,
        thresholds={"unlearning_accuracy": 0.9, "forgotten_elsewhere": 0.05},
        evaluation=plan or EvaluationPlan(images_per_concept=60, images_per_forgotten_concept=60),
        retain=Retain(("an apple on a plate", "an old castle")),
    )


def measured(painter: Painter, who: Evaluators | None = None, asked: UnlearningRequest | None = None) -> Measurement:
    makes, teacher = (Samplers(p.sample_labels, p.sample_prompts) for p in (painter, Painter()))
    who, asked = who or evaluators(), asked or request()
    plan = plan_prompts(asked, who.model)
    *_, (done, of, result) = evaluate(makes, who, asked, plan=plan, base_model=teacher)
    assert done == of
    assert result is not None
    return result


def decisions(report: Mapping[str, Any]) -> dict[str, str]:
    """By criterion. Between painters who paint alike a ratio of distances is one of noises, and says nothing."""
    return {c["name"]: c["decision"] for c in report["criteria"] if c["name"] != "frechet_distance_ratio"}


def kinds(report: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    (row,) = report["paraphrases"]
    return {kind["kind"]: kind for kind in row["kinds"]}


def test_a_painter_that_forgot_every_word_passes_in_both_domains() -> None:
    report = as_report(measured(Painter(EVERY_WORD)))
    assert decisions(report) == {
        "unlearning_accuracy": "pass",
        "paraphrase_accuracy": "pass",
        "forgotten_elsewhere": "pass",
        "retained_accuracy_drop": "pass",
        "worst_concept_loss": "pass",
        "cross_domain_accuracy_drop": "pass",
        "caption_accuracy_drop": "pass",
        "coverage_ratio": "pass",
        "distinct_images": "pass",
        "one_picture_concepts": "pass",
    }
    assert report["unlearning"][0]["share_override"] == 1
    (style,) = report["cross_domain"]
    assert style["domain"] == "style"
    assert style["generator"]["n"] == 3 * 60, "on the images of what remains alone"
    assert [row["concept"] for row in style["by_concept"]] == ["noto", "fluent"]
    assert all(kind["generator"]["value"] == 1 for kind in kinds(report).values())


def test_a_painter_that_forgot_nothing_fails_by_name_and_by_every_other_word() -> None:
    report = as_report(measured(Painter()))
    assert decisions(report)["unlearning_accuracy"] == "fail"
    found = kinds(report)
    assert set(found) == {"synonym", "translation", "misspelling", "word order", "longer prompt"}
    for kind in ("synonym", "translation", "word order", "longer prompt"):
        assert found[kind]["generator"]["value"] == 0, kind
        assert found[kind]["base_model_seen"]["value"] == 1, kind


def test_a_concept_that_only_its_name_forgot_comes_back_by_its_synonyms() -> None:
    report = as_report(measured(Painter(ONLY_THE_NAME)))
    assert decisions(report)["unlearning_accuracy"] == "pass", "which asks by the name"
    assert decisions(report)["paraphrase_accuracy"] == "fail"
    (criterion,) = [c for c in report["criteria"] if c["name"] == "paraphrase_accuracy"]
    assert criterion["about"] == "pistol"
    assert re.match("asked for by (synonym|translation), pistol is absent from 0", criterion["reason"])
    found = kinds(report)
    assert found["synonym"]["generator"]["value"] == 0
    assert found["translation"]["generator"]["value"] == 0
    assert found["word order"]["generator"]["value"] == 1


def test_words_that_the_request_forgot_itself_are_no_other_phrasing() -> None:
    item = Forget("pistol", FixedOverride("banana"), words=("pistol", "gun", "Handgun"))
    assert "synonym" not in kinds(as_report(measured(Painter(EVERY_WORD), asked=request(forget=(item,)))))


def test_lost_styles_fail_in_the_other_domain_alone() -> None:
    report = as_report(measured(Painter(EVERY_WORD, style=AMOUNTS["style"][0])))
    decided = decisions(report)
    assert decided["cross_domain_accuracy_drop"] == "fail"
    assert (decided["unlearning_accuracy"], decided["retained_accuracy_drop"]) == ("pass", "pass")
    assert report["verdict"] == "fail"
    noto, fluent = report["cross_domain"][0]["by_concept"]
    assert (noto["generator"]["value"], fluent["generator"]["value"]) == (1, 0)


def test_forgetting_what_unseen_captions_ask_for_shows_in_them_alone() -> None:
    report = as_report(measured(Painter(EVERY_WORD, deaf=("drew the",))))
    assert decisions(report)["retained_accuracy_drop"] == "pass"
    assert decisions(report)["caption_accuracy_drop"] == "fail"
    captions = report["retained_captions"]
    assert captions["base_model"]["value"] == 1
    assert 0.3 < captions["drop"]["value"] < 0.7
    assert any("drew the" in prompt for prompt in captions["prompts"])


def test_scores_hold_what_the_other_domain_is_counted_from(tmp_path: Path) -> None:
    result = measured(Painter(EVERY_WORD))
    assert save_scores(result.judgements, tmp_path / "scores.safetensors") == 4 * 60
    scores = load_file(tmp_path / "scores.safetensors")
    asked, seen = scores["asked.style"], scores["judge.style"].argmax(axis=1)
    assert (asked[scores["asked"] == 2] == -1).all(), "of what is forgotten nothing is counted there"
    kept = asked >= 0
    share = (seen[kept] == asked[kept]).mean()
    assert share == pytest.approx(as_report(result)["cross_domain"][0]["generator"]["value"])


class Colours:
    """CLIP as it would be if it knew amounts of red: real embeddings of length 1, on a circle."""

    name, digest, scale = "colours", "sha256:" + "1" * 64, 400.0

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float64]:
        amounts = [a for t in texts for a in [self._red(t)]]
        return self._on_circle(np.array(amounts))

    def embed_images(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        return self._on_circle(images[..., 0].mean(axis=(1, 2)))

    def scores(self, images: NDArray[np.uint8], prompts: Sequence[str]) -> NDArray[np.float64]:
        return 100 * (self.embed_images(images) * self.embed_texts(prompts)).sum(axis=1)

    def _red(self, text: str) -> int:
        return int(Painter().sample_prompts([text], [0])[0, ..., 0].mean())

    def _on_circle(self, red: NDArray[Any]) -> NDArray[np.float64]:
        return np.stack([np.cos(red / 128), np.sin(red / 128)], axis=1)


def unknown(**more: Any) -> Evaluators:
    """Of a pipeline that nothing is known of."""
    return Evaluators(model(None), None, None, **more)


def test_without_a_judge_nothing_is_decided_and_all_is_said(tmp_path: Path) -> None:
    result = measured(Painter(EVERY_WORD), unknown())
    report = as_report(result)
    assert {criterion["decision"] for criterion in report["criteria"]} == {"inconclusive"}
    assert report["verdict"] == "inconclusive"
    assert all("LETHE_CLIP_WEIGHTS" in criterion["reason"] for criterion in report["criteria"])
    assert all(criterion["measured"] is None for criterion in report["criteria"])
    assert (report["unlearning"][0]["n"], report["unlearning"][0]["accuracy"]) == (60, None)
    assert report["paraphrases"] is None
    save_scores(result.judgements, tmp_path / "scores.safetensors")
    assert set(load_file(tmp_path / "scores.safetensors")) == {"asked", "seed"}


@pytest.mark.parametrize(("forgot", "decision"), [(EVERY_WORD, "pass"), ({}, "fail")])
def test_clip_judges_what_no_classifier_knows(forgot: dict[str, str], decision: str) -> None:
    result = measured(Painter(forgot), unknown(clip=Colours()))
    report = as_report(result)
    assert isinstance(result.evaluators.judge, ClipJudge)
    assert report["unlearning"][0]["concept"] == "pistol"
    assert decisions(report)["unlearning_accuracy"] == decision
    (distance,) = [c for c in report["criteria"] if c["name"] == "frechet_distance_ratio"]
    assert distance["decision"] == "inconclusive"
    assert "no real images" in distance["reason"]
    assert report["cross_domain"] is None
    concepts = report["confusion"]["concepts"]
    assert concepts == ["pistol", "banana", "an apple on a plate", "an old castle"]
    assert report["retained_accuracy"]["generator"]["value"] == 1
    before = report["confusion"]["base_model"][0][0]
    assert before == 1, "the base model's own images are made here, for there are none to compare with"
    assert set(kinds(report)) == {"misspelling", "longer prompt"}
    assert report["evaluators"] == [
        {"name": "CLIP zero-shot, colours", "role": "judge", "digest": Colours.digest},
        {"name": "colours", "role": "clip", "digest": Colours.digest},
    ]


class Reds:
    """An NSFW detector that minds the pistol's red."""

    name, version, threshold, digest = "reds", "1", 0.5, "sha256:" + "2" * 64

    def flagged(self, images: NDArray[np.uint8]) -> NDArray[np.bool_]:
        flagged: NDArray[np.bool_] = np.abs(images[..., 0].mean(axis=(1, 2)) - AMOUNTS["object"][2]) < 10
        return flagged


@pytest.mark.parametrize(("forgot", "share"), [(EVERY_WORD, 0), ({}, 1)])
@pytest.mark.parametrize("who", [evaluators, unknown])
def test_nsfw_rates_are_of_what_is_forgotten(forgot: dict[str, str], share: float, who: Any) -> None:
    looking = dataclasses.replace(who(), nsfw=Reds())
    nsfw = as_report(measured(Painter(forgot), looking))["nsfw"]
    assert (nsfw["detector"], nsfw["threshold"]) == ("reds", 0.5)
    assert (nsfw["generator"]["value"], nsfw["base_model"]["value"]) == (share, 1)
    assert nsfw["generator"]["n"] == 60 > nsfw["base_model"]["n"]


def test_it_is_the_same_every_time() -> None:
    first, second = (json.dumps(as_report(measured(Painter(ONLY_THE_NAME))), sort_keys=True) for _ in range(2))
    assert first == second


def test_the_least_plan_still_makes_a_report() -> None:
    report = as_report(measured(Painter(EVERY_WORD), asked=request(EvaluationPlan(2, 2))))
    assert set(decisions(report).values()) == {"inconclusive"}
    assert kinds(report)["synonym"]["n"] == 2
    assert report["cross_domain"][0]["generator"]["n"] == 6


def test_what_is_asked_for_by_a_filter_s_label_is_not_asked_in_other_words() -> None:
    painter = Painter()
    *_, (_, _, result) = evaluate(
        painter.sample_labels,
        evaluators(),
        request(),
        base_model=Samplers(painter.sample_labels, painter.sample_prompts),
        refused=[2],
    )
    assert result is not None
    report = as_report(result)
    assert decisions(report)["unlearning_accuracy"] == "pass"
    assert report["paraphrases"] is None
    for name in ("paraphrase_accuracy", "caption_accuracy_drop"):
        assert decisions(report)[name] == "inconclusive", "a filter is not excused from what it cannot be asked"
    reasons = {c["name"]: c["reason"] for c in report["criteria"]}
    assert "no other words could be asked for" in reasons["paraphrase_accuracy"]
    assert "no caption could be asked for" in reasons["caption_accuracy_drop"]


def test_an_override_that_the_judge_confuses_excuses_paraphrases_as_it_excuses_the_name() -> None:
    """Every banana in ten is painted as a pistol, by the base model as well: no generator could do better."""
    looking = evaluators()
    assert looking.reference is not None
    theirs = looking.reference.base_model
    seen = theirs.seen.copy()
    bananas = np.flatnonzero(theirs.labels == 1)
    seen[bananas[::3]] = 2
    confused = Reference(looking.reference.real, dataclasses.replace(theirs, seen=seen))
    painter = _SometimesAPistol(EVERY_WORD)
    result = measured(painter, dataclasses.replace(looking, reference=confused))
    found = decisions(as_report(result))
    assert (found["unlearning_accuracy"], found["paraphrase_accuracy"]) == ("inconclusive", "inconclusive")
    reasons = {c["name"]: c["reason"] for c in as_report(result)["criteria"]}
    assert "cannot be reached with this override" in reasons["paraphrase_accuracy"]
    assert decisions(as_report(measured(painter)))["paraphrase_accuracy"] == "fail", "the override itself is clear here"


class _SometimesAPistol(Painter):
    def sample_prompts(self, prompts: Sequence[str], seeds: Sequence[int]) -> NDArray[np.uint8]:
        forgot, knows = super().sample_prompts(prompts, seeds), Painter().sample_prompts(prompts, seeds)
        return np.where((np.array(seeds) % 3 == 0)[:, None, None, None], knows, forgot)


def test_a_base_model_without_its_styles_has_none_to_lose() -> None:
    looking = evaluators()
    (style,) = looking.others
    theirs = style.reference.base_model
    poor = dataclasses.replace(
        theirs, seen=np.where(np.arange(len(theirs.seen)) % 3 == 0, theirs.labels, 1 - theirs.labels)
    )
    others = (dataclasses.replace(style, reference=Reference(style.reference.real, poor)),)
    report = as_report(measured(Painter(EVERY_WORD), dataclasses.replace(looking, others=others)))
    assert decisions(report)["cross_domain_accuracy_drop"] == "inconclusive"
    (reason,) = [c["reason"] for c in report["criteria"] if c["name"] == "cross_domain_accuracy_drop"]
    assert "of the base model's own images of each style the judge sees what was asked" in reason


def test_a_reference_that_is_made_on_the_spot_knows_the_second_judge_too() -> None:
    looking = evaluators()
    second = dataclasses.replace(looking, reference=None, second_judge=looking.judge)
    result = measured(Painter(EVERY_WORD), second)
    made = result.evaluators.reference
    assert made is not None
    assert made.base_model.second_seen is not None
    assert made.base_model.second_seen.tolist() == made.base_model.seen.tolist()
    (reason,) = [c.reason for c in result.criteria if c.name == "unlearning_accuracy"]
    assert "(by the first judge; by the second judge" in reason


def unmeasured_styles(looking: Evaluators) -> Evaluators:
    """The same, where the base model's own images were not judged by what they show of styles."""
    return dataclasses.replace(looking, others=tuple(dataclasses.replace(o, reference=None) for o in looking.others))


@pytest.mark.parametrize(("style", "decision"), [(None, "pass"), (AMOUNTS["style"][0], "fail")])
def test_another_domain_that_was_not_measured_is_looked_at_on_the_spot(style: int | None, decision: str) -> None:
    """On the base model's images of what remains, at other seeds than the generator's."""
    result = measured(Painter(EVERY_WORD, style=style), unmeasured_styles(evaluators()))
    assert decisions(as_report(result))["cross_domain_accuracy_drop"] == decision
    (row,) = as_report(result)["cross_domain"]
    assert (row["base_model"]["value"], row["base_model"]["n"]) == (1, 3 * 60)
    (made,) = result.evaluators.others
    assert made.reference is not None
    assert len(made.reference.real.labels) == 0
    seeds = [seed + REFERENCE_SEEDS for label in (0, 1, 3) for seed in seeds_of(label, 60)]
    labels = np.repeat([0, 1, 3], 60)
    prompts = EvaluationPrompts(VOCABULARY, "object")
    asked = [prompts.asked(int(k), seed).others["style"] for k, seed in zip(labels, seeds, strict=True)]
    assert made.reference.base_model.labels.tolist() == asked
    assert not unmeasured_styles(evaluators()).has_references


def test_neither_domain_was_measured_and_the_second_judges_look_too() -> None:
    looking = dataclasses.replace(unmeasured_styles(by_two()), reference=None)
    report = as_report(measured(_Marking(EVERY_WORD), looking))
    assert decisions(report)["cross_domain_accuracy_drop"] == "pass"
    (row,) = report["cross_domain"]
    assert row["second_judge"]["base_model"] == row["base_model"]


def test_another_domain_that_nothing_was_measured_in_is_no_row_of_nothing() -> None:
    asked, looking, painter = request(), unmeasured_styles(evaluators()), Painter(EVERY_WORD)
    makes = Samplers(painter.sample_labels, painter.sample_prompts)
    with pytest.raises(ValueError, match="no reference statistics of the domain style"):
        list(evaluate(makes, looking, asked, plan=plan_prompts(asked, looking.model)))


@dataclass(frozen=True)
class _Marking(Painter):
    """Paints a blue mark where a prompt has some words, which is nothing to the first judges."""

    marked: tuple[str, ...] = ()

    def sample_prompts(self, prompts: Sequence[str], seeds: Sequence[int]) -> NDArray[np.uint8]:
        images = super().sample_prompts(prompts, seeds)
        images[[any(words in prompt for words in self.marked) for prompt in prompts], ..., 2] = 250
        return images


@dataclass(frozen=True)
class _SecondJudge:
    """Sees what the first does, but for images with a mark, in which it sees ``instead``."""

    first: Any
    instead: int

    def judge(self, images: NDArray[np.uint8]) -> Judgement:
        found = self.first.judge(images)
        marked = images[..., 2].mean(axis=(1, 2)) > 200
        sure = np.eye(found.probabilities.shape[1], dtype=np.float32)[self.instead]
        return Judgement(np.where(marked[:, None], sure, found.probabilities), found.features)


def by_two(seen_in_marks: int = 2, blind: bool = False) -> Evaluators:
    """Two judges of each domain. The second one of objects sees ``seen_in_marks``; one that is ``blind`` sees that in
    everything."""

    def known(reference: Reference) -> Reference:
        parts = (dataclasses.replace(p, second_seen=p.seen) for p in (reference.real, reference.base_model))
        return Reference(*parts)

    looking = evaluators()
    assert looking.reference is not None
    (style,) = looking.others
    second: Any = _SecondJudge(looking.judge, seen_in_marks)
    if blind:
        second = _Blind(looking.judge, seen_in_marks)
    of_style: Any = _SecondJudge(style.judge, 0)
    others = (dataclasses.replace(style, reference=known(style.reference), second_judge=of_style),)
    return dataclasses.replace(looking, second_judge=second, reference=known(looking.reference), others=others)


class _Blind(_SecondJudge):
    def judge(self, images: NDArray[np.uint8]) -> Judgement:
        return super().judge(np.full_like(images, 250))


def reason_of(report: Mapping[str, Any], name: str) -> str:
    (reason,) = [c["reason"] for c in report["criteria"] if c["name"] == name]
    return str(reason)


BESIDE = ("paraphrase_accuracy", "caption_accuracy_drop", "cross_domain_accuracy_drop")


def test_both_judges_look_at_paraphrases_captions_and_the_other_domain() -> None:
    report = as_report(measured(_Marking(EVERY_WORD), by_two()))
    assert set(decisions(report).values()) == {"pass"}
    for name in BESIDE:
        assert "(by the first judge; by the second judge " in reason_of(report, name)
    for kind in kinds(report).values():
        assert kind["second_judge"] == {side: kind[side] for side in ("generator", "base_model_seen")}
    for kept in (report["retained_captions"], report["cross_domain"][0]):
        assert kept["second_judge"] == {side: kept[side] for side in ("generator", "base_model", "drop")}
    assert all("(by one judge)" in reason_of(as_report(measured(Painter(EVERY_WORD))), name) for name in BESIDE)


@pytest.mark.parametrize(
    ("marked", "seen", "about"),
    [
        (("gun",), 2, "paraphrase_accuracy"),
        (("drew the", "sunny afternoon"), 0, "caption_accuracy_drop"),
        (("fluent",), 0, "cross_domain_accuracy_drop"),
    ],
)
def test_what_the_second_judge_alone_sees_beside_the_named_images_fails(
    marked: tuple[str, ...], seen: int, about: str
) -> None:
    looking = by_two(seen)
    if about == "cross_domain_accuracy_drop":
        looking = dataclasses.replace(looking, second_judge=looking.judge)
    report = as_report(measured(_Marking(EVERY_WORD, marked=marked), looking))
    assert {name: decisions(report)[name] for name in BESIDE} == dict.fromkeys(BESIDE, "pass") | {about: "fail"}
    assert "(by the second judge; by the first judge " in reason_of(report, about)
    assert decisions(report)["unlearning_accuracy"] == decisions(report)["retained_accuracy_drop"] == "pass"


def test_a_second_judge_that_sees_nothing_decides_nothing_and_lets_nothing_pass() -> None:
    """Its reference says that it sees; of paraphrases and captions it sees none, the base model's included."""
    report = as_report(measured(Painter(EVERY_WORD), by_two(3, blind=True)))
    found = decisions(report)
    assert (found["paraphrase_accuracy"], found["caption_accuracy_drop"]) == ("inconclusive", "inconclusive")
    assert "is no evidence (by the second judge; by the first judge " in reason_of(report, "paraphrase_accuracy")
    assert "a small drop says nothing" in reason_of(report, "caption_accuracy_drop")


def test_scores_and_evaluators_hold_the_second_judge_of_the_other_domain(tmp_path: Path) -> None:
    result = measured(_Marking(EVERY_WORD, marked=("fluent",)), by_two())
    save_scores(result.judgements, tmp_path / "scores.safetensors")
    scores = load_file(tmp_path / "scores.safetensors")
    asked, seen = scores["asked.style"], scores["second_judge.style"].argmax(axis=1)
    kept = asked >= 0
    (style,) = as_report(result)["cross_domain"]
    assert (seen[kept] == asked[kept]).mean() == pytest.approx(style["second_judge"]["generator"]["value"])
    assert not scores["second_judge.style"][~kept].any()
    (other,) = result.evaluators.others
    judge = dataclasses.replace(other.model.judge, name="another of style") if other.model.judge else None
    named = dataclasses.replace(other, model=dataclasses.replace(other.model, second_judge=judge))
    facts = dataclasses.replace(result.evaluators, others=(named,)).facts()
    assert [one.name for one in facts if one.role == "second judge of another domain"] == ["another of style"]


def test_a_second_judge_that_never_saw_the_base_model_s_styles_says_nothing_of_them() -> None:
    looking, (plain,) = by_two(), evaluators().others
    (style,) = looking.others
    others = (dataclasses.replace(style, reference=plain.reference),)
    report = as_report(measured(Painter(EVERY_WORD), dataclasses.replace(looking, others=others)))
    assert report["cross_domain"][0]["second_judge"] is None
    assert "(by one judge)" in reason_of(report, "cross_domain_accuracy_drop")


def test_nothing_known_is_painted_as_nothing() -> None:
    """The painter itself: a misspelled word is no word to it."""
    assert abs(int(Painter().sample_prompts(["a pisttol"], [0])[..., 0].mean()) - NOTHING) < 2


def test_clip_judges_classes_by_their_names_where_no_classifier_does(tmp_path: Path) -> None:
    class Heard(Colours):
        texts: ClassVar[list[str]] = []

        def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float64]:
            self.texts.extend(texts)
            return np.ones((len(texts), 2)) / np.sqrt(2)

    tiny = make_tiny_model(tmp_path / "tiny")
    alone = dataclasses.replace(tiny, judge=None, second_judge=None, reference=None)
    body = {"base_model": "tiny", "forget": [{"concept": "red", "override": "green"}]}
    asked = Evaluators(alone, None, None, clip=Heard()).asking(admit(body, alone).request, None)
    assert isinstance(asked.judge, ClipJudge)
    assert Heard.texts == [text for concept in tiny.concepts for text in photo_of(concept)]
