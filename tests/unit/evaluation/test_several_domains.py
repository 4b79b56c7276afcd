"""An object and a style forgotten in one job: each is judged in its own domain, and neither counts as lost in the
other's. On the painter, whose every answer is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from sfd_core.base_model.manifest import Domain
from sfd_core.evaluation.criteria import unlearning_accuracy
from sfd_core.evaluation.domain_parts import domain_parts
from sfd_core.evaluation.evaluate import Samplers, evaluate
from sfd_core.evaluation.evaluators import Evaluators, OtherDomain
from sfd_core.evaluation.intervals import wilson, z_of_all
from sfd_core.evaluation.probe import ProbeResult, Probes
from sfd_core.evaluation.probing import together
from sfd_core.families.stable_diffusion.recipe import STABLE_DIFFUSION
from sfd_core.prompts.plan import plan_prompts
from sfd_core.request.concepts import Budget, Forget
from sfd_core.request.evaluation_plan import EvaluationPlan
from sfd_core.request.overrides.fixed import FixedOverride
from sfd_core.request.parent import Earlier, Measured, Parent
from sfd_core.request.undone import Undone
from sfd_core.request.unlearning_request import UnlearningRequest
from tests.support.measured import as_report
from tests.support.painter import OBJECTS, Painter, evaluators, model

PISTOL, NOTO = Forget("pistol", FixedOverride("banana")), Forget("noto", FixedOverride("fluent"))
NO_PISTOL = dict.fromkeys(OBJECTS[2].words, "banana")
NO_NOTO = {"noto": "fluent"}


def with_domains() -> Evaluators:
    """The painter's, over a model that names its domains."""
    domains = {}
    for name in ("object", "style"):
        seen = model(name)
        assert seen.judge is not None
        assert seen.reference is not None
        domains[name] = Domain(seen.judge, seen.reference, seen.figures)
    whole = dataclasses.replace(model("object"), domains=domains)
    who = evaluators()
    (style,) = who.others
    others = (OtherDomain(whole.view("style"), style.judge, style.reference),)
    return dataclasses.replace(who, model=whole, others=others)


def measured(
    painter: Painter, *forget: Forget, who: Evaluators | None = None, undoes: Undone | None = None
) -> dict[str, dict[str, Any]]:
    """What is measured in each domain, by its name."""
    who = who or with_domains()
    request = UnlearningRequest(
        base_model="painter",
        forget=forget,
        budget=Budget(64),
        recipe=STABLE_DIFFUSION,
        thresholds={"unlearning_accuracy": 0.9, "forgotten_elsewhere": 0.05},
        evaluation=EvaluationPlan(images_per_concept=60, images_per_forgotten_concept=60),
        undoes=undoes,
    )
    makes, teacher = (Samplers(p.sample_labels, p.sample_prompts) for p in (painter, Painter()))
    found = {}
    for part in domain_parts(request, who.model, plan_prompts(request, who.model)):
        seen = who.seen_in(part.model)
        *_, (_, _, result) = evaluate(makes, seen, part.request, plan=part.plan, base_model=teacher, in_all=part.in_all)
        assert result is not None
        found[str(part.model.domain)] = as_report(result)
    return found


def decisions(report: Mapping[str, Any]) -> dict[str, str]:
    return {c["name"]: c["decision"] for c in report["criteria"] if c["name"] != "frechet_distance_ratio"}


@pytest.fixture(scope="module")
def who() -> Evaluators:
    return with_domains()


def test_each_domain_is_judged_by_its_own_judge_and_what_the_other_forgot_is_not_lost(who: Evaluators) -> None:
    found = measured(Painter(NO_PISTOL | NO_NOTO), PISTOL, NOTO, who=who)
    assert list(found) == ["object", "style"], "in the order of the request"
    for domain, (gone, kept, remains) in {
        "object": ("pistol", ["apple", "banana", "castle"], ["fluent"]),
        "style": ("noto", ["fluent"], ["apple", "banana", "castle"]),
    }.items():
        report = found[domain]
        assert [row["concept"] for row in report["unlearning"]] == [gone]
        assert [row["concept"] for row in report["retention"]] == kept
        (other,) = report["cross_domain"]
        assert [row["concept"] for row in other["by_concept"]] == remains
        assert other["generator"]["value"] == other["base_model"]["value"] == 1
        assert report["evaluators"][0]["name"] == f"amount of {domain}"
        decided = decisions(report)
        for name in ("unlearning_accuracy", "worst_concept_loss", "caption_accuracy_drop", "coverage_ratio"):
            assert decided[name] == "pass", f"{domain}: {name}"
        (accuracy,) = [c["measured"] for c in report["criteria"] if c["name"] == "unlearning_accuracy"]
        of_both = wilson(60, 60, z_of_all(2))
        assert (accuracy["value"], accuracy["low"]) == (1, of_both.low), "for the concepts of both domains at once"
        assert decided["cross_domain_accuracy_drop"] != "fail"
    kinds = [kind for report in found.values() for row in report["paraphrases"] for kind in row["kinds"]]
    assert not any("pistol" in prompt and "noto" in prompt for kind in kinds for prompt in kind["prompts"])


def test_asked_for_one_alone_the_same_painter_has_lost_the_other(who: Evaluators) -> None:
    found = measured(Painter(NO_PISTOL | NO_NOTO), PISTOL, who=who)
    assert decisions(found["object"])["cross_domain_accuracy_drop"] == "fail", "noto was to remain"


@pytest.mark.parametrize(("forgot", "domain", "passed"), [(NO_PISTOL, "style", "object"), (NO_NOTO, "object", "style")])
def test_what_one_domain_still_shows_fails_there_alone(
    who: Evaluators, forgot: dict[str, str], domain: str, passed: str
) -> None:
    found = measured(Painter(forgot), PISTOL, NOTO, who=who)
    assert decisions(found[domain])["unlearning_accuracy"] == "fail"
    assert decisions(found[passed])["unlearning_accuracy"] == "pass"


def test_what_is_lost_of_a_domain_is_seen_from_both(who: Evaluators) -> None:
    found = measured(Painter(NO_PISTOL, style=120), PISTOL, Forget("fluent", FixedOverride("noto")), who=who)
    assert decisions(found["style"])["retained_accuracy_drop"] != "fail", "120 is taken for noto"
    found = measured(Painter({**NO_PISTOL, "apple": "castle"}), PISTOL, NOTO, who=who)
    assert decisions(found["object"])["worst_concept_loss"] == "fail"
    assert decisions(found["style"])["cross_domain_accuracy_drop"] == "fail"


def test_a_request_of_one_domain_is_one_part_as_it_is() -> None:
    who = with_domains()
    request = UnlearningRequest("painter", (PISTOL,), Budget(64), STABLE_DIFFUSION)
    (part,) = domain_parts(request, who.model, None)
    assert (part.model is who.model, part.request is request, part.in_all) == (True, True, 1)


def test_what_is_kept_forgotten_is_measured_in_its_own_domain() -> None:
    who = with_domains()
    earlier = Earlier("gen_1", {"pistol": Measured(0.99, 0.98, 1.0)})
    parent = Parent("gen_1", "0" * 64, ("pistol",), 625, 1, (earlier,))
    request = UnlearningRequest("painter", (PISTOL, NOTO), Budget(64), STABLE_DIFFUSION, parent=parent)
    kept, new = (part.request for part in domain_parts(request, who.model, None))
    assert (kept.kept, new.kept) == ({"pistol"}, frozenset())


def test_attacks_on_every_domain_stand_together_in_the_order_of_the_domains() -> None:
    of_objects, of_styles = (
        Probes(("relearning",), {"relearning": (ProbeResult(concept, "It came back."),)})
        for concept in ("pistol", "noto")
    )
    found = together([of_objects, of_styles])
    assert found.asked == ("relearning",)
    assert [row.concept for row in found.results["relearning"]] == ["pistol", "noto"]
    assert together([]) == Probes()


def test_of_many_forgotten_concepts_one_just_below_a_threshold_by_chance_does_not_fail() -> None:
    alone, of_thirty = (unlearning_accuracy.judge("pistol", 1974, 2000, 0.992, n) for n in (1, 30))
    assert (alone.decision, of_thirty.decision) == ("fail", "inconclusive")
    assert alone.measured == wilson(1974, 2000), "of one alone as it always was"
    assert unlearning_accuracy.judge("pistol", 1000, 1000, 0.99, 30).decision == "pass", "what is gone can still pass"


def test_what_is_taken_back_is_looked_for_in_its_own_domain(who: Evaluators) -> None:
    undoes = Undone("gen_1", ("banana", "fluent"))
    found = measured(Painter(NO_PISTOL), PISTOL, Forget("noto", FixedOverride("fluent")), who=who, undoes=undoes)
    rows = {domain: [row["concept"] for row in part["drawn_again"]["concepts"]] for domain, part in found.items()}
    assert rows == {"object": ["banana"], "style": ["fluent"]}
    (row,) = found["object"]["drawn_again"]["concepts"]
    assert row["generator"]["value"] == row["base_model"]["value"] == 1
    nothing = measured(Painter(NO_PISTOL), PISTOL, who=who)
    assert nothing["object"]["drawn_again"] is None
