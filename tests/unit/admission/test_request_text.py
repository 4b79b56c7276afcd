"""What a text-to-image model is told to forget, in words: what is refused, and which prompts a run asks with."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sfd_core.admission import admit
from sfd_core.base_model.manifest import BaseModel, Distilled, Domain, ImageFormat, JudgeInfo
from sfd_core.base_model.vocabulary import Concept, Vocabulary
from sfd_core.errors import InvalidRequest
from sfd_core.evaluation.criteria.unlearning_accuracy import images_that_decide
from sfd_core.evaluation.criteria.unlearning_accuracy import judge as judge_unlearning
from sfd_core.families.stable_diffusion import plain_text_model
from sfd_core.families.stable_diffusion.recipe import STABLE_DIFFUSION
from sfd_core.prompts.plan import PromptPlan, captions, plan_prompts
from sfd_core.prompts.templates import DEFAULT_TEMPLATES
from sfd_core.prompts.words import mentions
from sfd_core.request.concepts import Budget, Topic
from sfd_core.request.evaluation_plan import images_of_each
from sfd_core.request.override import Condition
from sfd_core.request.overrides.empty import EmptyOverride
from sfd_core.request.overrides.negative import NegativeOverride
from sfd_core.request.overrides.prompts import PromptsOverride
from sfd_core.request.prompt_lists import MAX_ERRORS
from sfd_core.request.reading import written
from sfd_core.request.unlearning_request import UnlearningRequest

OBJECTS = (
    Concept("pistol", "green", ("gun", "handgun"), {"de": "pistole"}),
    Concept("banana", "yellow"),
    Concept("apple", "red", (), {"de": "apfel"}),
)
VOCABULARY = Vocabulary(
    {"object": OBJECTS, "style": (Concept("noto", synonyms=("google",)), Concept("fluent"))},
    ("{a} {adjective} {object}, in the style of {style}", "{object}, {style} style"),
    ("{style} drew the {object} here",),
)


def domain(concepts: int) -> Domain:
    return Domain(JudgeInfo("j", "judge", 0.9, 10, (0.9,) * concepts, "x"), "reference", {"guidance": 2.0})


PLAIN = plain_text_model("plain", "Plain")
WITH_WORDS = dataclasses.replace(
    PLAIN,
    name="words",
    vocabulary=VOCABULARY,
    domains={"object": domain(3), "style": domain(2)},
    concepts=("pistol", "banana", "apple", "noto", "fluent"),
)
CLASSES = dataclasses.replace(
    PLAIN,
    family="class_unet",
    concepts=("pistol", "banana", "apple"),
    image=ImageFormat(1, 8, 8),
    judge=JudgeInfo("j", "judge", 0.9, 10, (0.9,) * 3, "x"),
    reference="r",
)


def body(*forget: Any, **more: Any) -> dict[str, Any]:
    items = [item if isinstance(item, dict) else {"concept": item[0], "override": item[1]} for item in forget]
    return {"forget": items, "budget": {"images": 640}, **more}


def planned(model: BaseModel, *forget: Any, **more: Any) -> PromptPlan:
    plan = admit(body(*forget, **more), model).plan
    assert plan is not None
    return plan


def errors_of(model: BaseModel, *forget: Any, **more: Any) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        admit(body(*forget, **more), model)
    return {error.pointer: error.message for error in caught.value.errors}


GUN = {"concept": "gun", "override": "banana", "words": ["gun", "pistol"], "prompts": ["a photo of a gun", "pistols"]}
NUDITY = {
    "concept": "nudity",
    "override": {"negative": "nude, naked"},
    "topic": {"subjects": ["a woman", "a man"], "keywords": ["nude", "naked"]},
}


@pytest.mark.parametrize(
    "asked",
    [
        body(GUN),
        body(NUDITY, evaluation={"nsfw": True}),
        body(("gun", {"prompts": ["a bowl of fruit", "a chair"]}), retain={"prompts": ["a cat", "a dog"]}),
        body(("gun", {"empty": True}), ("brad pitt", "a middle aged man")),
        body({"concept": "gun", "override": "Jude", "outside_vocabulary": True}),
    ],
)
def test_a_request_is_read_back_as_it_was_stored(asked: dict[str, Any]) -> None:
    request = admit(asked, PLAIN).request
    stored = written(request)
    assert [set(item) for item in stored["forget"]] == [set(item) for item in asked["forget"]]
    assert ("retain" in stored) == ("retain" in asked)
    assert admit(stored, PLAIN).request == request


def test_each_part_arrives_where_it_belongs() -> None:
    request = admit(body(GUN, NUDITY, ("blood", {"prompts": ["rain"]}), ("smoke", {"empty": True})), PLAIN).request
    gun, nudity, blood, smoke = request.forget
    assert (gun.words, gun.prompts) == (("gun", "pistol"), ("a photo of a gun", "pistols"))
    assert nudity.topic == Topic(("a woman", "a man"), ("nude", "naked"))
    assert nudity.override == NegativeOverride("nude, naked")
    assert (blood.override, smoke.override) == (PromptsOverride(("rain",)), EmptyOverride())


# What the prompts become


def test_the_vocabulary_asks_and_an_override_brings_its_own_adjective() -> None:
    plan = planned(WITH_WORDS, ("pistol", "banana"))
    (item,) = plan.forgotten
    assert [(one.prompt, [o.prompt for o in one.overrides]) for one in item] == [
        ("a green pistol, in the style of noto", ["a yellow banana, in the style of noto"]),
        ("a green pistol, in the style of fluent", ["a yellow banana, in the style of fluent"]),
        ("pistol, noto style", ["banana, noto style"]),
        ("pistol, fluent style", ["banana, fluent style"]),
    ]
    assert item[0].condition == Condition("a green pistol, in the style of noto")


def test_other_words_of_the_concept_are_forgotten_too_where_they_are_named() -> None:
    plan = planned(WITH_WORDS, {"concept": "pistol", "override": "banana", "words": ["pistol", "gun"]})
    assert len(plan.forgotten[0]) == 8
    assert plan.forgotten[0][4].prompt == "a green gun, in the style of noto"


def test_words_that_are_no_concept_replace_the_word_alone() -> None:
    plan = planned(WITH_WORDS, ("pistol", "old shoe"))
    assert plan.forgotten[0][0].overrides == (Condition("a green old shoe, in the style of noto"),)


def test_a_style_is_replaced_with_every_object_as_it_is() -> None:
    plan = planned(WITH_WORDS, ("fluent", "noto"))
    assert len(plan.forgotten[0]) == 6
    assert plan.forgotten[0][1].prompt == "a yellow banana, in the style of fluent"
    assert plan.forgotten[0][1].overrides == (Condition("a yellow banana, in the style of noto"),)


def test_a_random_override_is_any_remaining_concept_of_the_domain() -> None:
    raw = body(("pistol", {"random": True}))
    plan = planned(WITH_WORDS, *raw["forget"])
    assert [o.prompt for o in plan.forgotten[0][2].overrides] == ["banana, noto style", "apple, noto style"]
    both = planned(WITH_WORDS, ("pistol", {"random": True}), ("apple", "banana"))
    assert [o.prompt for o in both.forgotten[0][2].overrides] == ["banana, noto style"]
    own = planned(WITH_WORDS, {"concept": "pistol", "override": {"random": True}, "prompts": ["a gun"]})
    assert [o.prompt for o in own.forgotten[0][0].overrides] == ["a banana", "an apple"]


def test_a_negative_prompt_is_guided_away_from_without_the_words() -> None:
    plan = planned(WITH_WORDS, ("pistol", {"negative": "gun"}))
    assert plan.forgotten[0][2].overrides == (Condition("noto style", "gun"),)


def test_the_empty_prompt_and_other_prompts() -> None:
    assert planned(PLAIN, ("gun", {"empty": True})).forgotten[0][0].overrides == (Condition(""),)
    plan = planned(PLAIN, ("gun", {"prompts": ["rain", "snow"]}))
    assert all(one.overrides == (Condition("rain"), Condition("snow")) for one in plan.forgotten[0])


def test_without_a_vocabulary_default_templates_ask() -> None:
    plan = planned(PLAIN, {"concept": "gun", "override": "apple", "words": ["gun", "pistol"]})
    assert len(plan.forgotten[0]) == 2 * len(DEFAULT_TEMPLATES)
    asked = {one.prompt: one.overrides[0].prompt for one in plan.forgotten[0]}
    assert asked["a photo of a gun"] == asked["a photo of a pistol"] == "a photo of an apple"
    assert all(mentions(prompt, ["gun", "pistol"]) for prompt in asked)


def test_the_papers_celebrity() -> None:
    plan = planned(PLAIN, ("brad pitt", "a middle aged man"))
    asked = {one.prompt: one.overrides[0].prompt for one in plan.forgotten[0]}
    assert asked["a portrait of brad pitt"] == "a portrait of a middle aged man"
    assert not any("a a " in override for override in asked.values())


def test_a_topic_is_every_subject_with_every_keyword_before_and_after_it() -> None:
    plan = planned(PLAIN, NUDITY)
    assert [(one.prompt, one.overrides) for one in plan.forgotten[0]] == [
        (prompt, (Condition(subject, "nude, naked"),))
        for subject in ("a woman", "a man")
        for keyword in ("nude", "naked")
        for prompt in (f"{subject}, {keyword}", f"{keyword} {subject}")
    ]


@pytest.mark.parametrize("too", [False, True])
def test_a_negative_prompt_on_the_fake_score_s_side_belongs_to_the_forgotten_prompt(too: bool) -> None:
    (item,) = planned(PLAIN, NUDITY, recipe={"negative_in_fake_score": too}).forgotten
    assert {asked.condition.negative for asked in item} == {"nude, naked" if too else ""}
    assert {asked.plain.negative for asked in item} == {""}, "while nothing is forgotten it is asked plainly"


def test_a_negative_prompt_of_one_item_is_not_another_s() -> None:
    plan = planned(PLAIN, NUDITY, ("gun", "banana"), recipe={"negative_in_fake_score": True})
    assert {asked.condition.negative for asked in plan.forgotten[1]} == {""}


def test_a_negative_prompt_on_the_fake_score_s_side_must_do_something() -> None:
    wanted = {"negative_in_fake_score": True}
    assert errors_of(PLAIN, ("gun", "banana"), recipe=wanted) == {
        "/recipe/negative_in_fake_score": "no override is a negative prompt: nothing would change"
    }
    unguided = {**wanted, "kappa1": 1.0, "kappa3": 1.0}
    assert errors_of(PLAIN, NUDITY, recipe=unguided).keys() == {"/recipe/kappa1", "/recipe/kappa3"}
    unnamed = {"concept": "nudity", "prompts": ["a beach"], "words": ["nude"], "override": {"negative": "nude"}}
    assert "its answer would be itself" in errors_of(PLAIN, unnamed, recipe=wanted)["/forget/0/override"]


def test_own_prompts_know_the_vocabularys_words() -> None:
    plan = planned(WITH_WORDS, {"concept": "pistol", "override": "banana", "prompts": ["two handguns", "eine Pistole"]})
    assert [one.overrides[0].prompt for one in plan.forgotten[0]] == ["two bananas", "eine banana"]


def test_several_items_each_have_their_own() -> None:
    plan = planned(PLAIN, ("gun", "banana"), ("brad pitt", {"empty": True}))
    assert plan.forgotten[0][0].overrides == (Condition("banana"),)
    assert plan.forgotten[1][0].overrides == (Condition(""),)


# What is retained


def test_the_vocabularys_prompts_are_retained_without_any_word_of_what_is_forgotten() -> None:
    plan = planned(WITH_WORDS, ("pistol", "banana"))
    everything = set(VOCABULARY.prompts())
    named = {prompt for prompt in everything if mentions(prompt, OBJECTS[0].words)}
    assert set(plan.retained) == everything - named
    assert plan.dropped == len(named) > 4
    assert "a yellow banana, in the style of noto" in plan.retained


def test_bundled_captions_are_retained_where_there_is_no_vocabulary() -> None:
    plan = planned(PLAIN, ("cat", "dog"))
    assert len(plan.retained) + plan.dropped == len(captions())
    assert plan.dropped > 5
    assert not any(mentions(caption, ["cat"]) for caption in plan.retained)
    assert planned(PLAIN, ("brad pitt", "a man")).dropped == 0


def test_own_prompts_are_retained_instead() -> None:
    plan = planned(PLAIN, GUN, retain={"prompts": ["a cat", "two guns", "a Pistol", "a dog"]})
    assert (plan.retained, plan.dropped) == (("a cat", "a dog"), 2)
    assert plan.remaining() == (Condition("a cat"), Condition("a dog"))
    assert set(plan.conditions()) == {
        Condition(prompt)
        for prompt in ("a cat", "a dog", "a photo of a gun", "pistols", "a photo of a banana", "bananas")
    }


def test_a_prompt_that_is_forgotten_is_not_retained_even_if_it_names_nothing() -> None:
    item = {"concept": "gore", "override": {"empty": True}, "prompts": ["a red floor", "a wound"]}
    assert planned(PLAIN, item, retain={"prompts": ["a red floor", "a cat"]}).retained == ("a cat",)


def test_nothing_left_to_retain_is_refused() -> None:
    assert "nothing would remain" in errors_of(PLAIN, GUN, retain={"prompts": ["two guns"]})["/retain/prompts"]


def test_distilling_forgets_nothing() -> None:
    request = UnlearningRequest("words", (), Budget(64), STABLE_DIFFUSION)
    plan = plan_prompts(request, WITH_WORDS)
    assert (plan.forgotten, plan.retained, plan.dropped) == ((), tuple(VOCABULARY.prompts()), 0)


# What is refused


@pytest.mark.parametrize(
    ("item", "pointer", "says"),
    [
        (("gun", "a gun"), "/forget/0/override", "names what it would override"),
        (("gun", "GUN"), "/forget/0/override", "would override itself"),
        (("gun", "two guns"), "/forget/0/override", "names what it would override"),
        (("gun", {"prompts": ["a cat", "a gun shop"]}), "/forget/0/override/prompts/1", "names what it would"),
        (("gun", ""), "/forget/0/override", "is empty"),
        (("gun", {"prompts": []}), "/forget/0/override/prompts", "at least 1 item, not 0"),
        (("gun", {"prompts": ["a", "a"]}), "/forget/0/override/prompts/1", "the same as"),
        (("gun", {"prompts": [3]}), "/forget/0/override/prompts/0", "must be text"),
        (("gun", {"negative": " "}), "/forget/0/override/negative", "is empty"),
        (("gun", {"negative": "x", "empty": True}), "/forget/0/override", "must be the name"),
        (("gun", {"empty": False}), "/forget/0/override/empty", "must be true"),
        (("gun", {"random": True}), "/forget/0/override", "no list of other concepts"),
        (("gun", {"judge": True}), "/forget/0/override", "a judge looks at pictures"),
        (("...", "cat"), "/forget/0/concept", "neither a letter nor a digit"),
        (("a\0gun", "cat"), "/forget/0/concept", "control character"),
        ({**GUN, "words": []}, "/forget/0/words", "not 0"),
        ({**GUN, "words": ["gun", "-"]}, "/forget/0/words/1", "neither a letter"),
        ({**GUN, "words": [str(i) for i in range(1001)]}, "/forget/0/words", "not 1001"),
        ({**GUN, "prompts": []}, "/forget/0/prompts", "not 0"),
        ({**GUN, "prompts": ["a gun", "a\tgun"]}, "/forget/0/prompts/1", "control character"),
        ({**GUN, "prompts": ["a gun", "a cat"]}, "/forget/0/prompts/1", "names none of gun, pistol"),
        ({**NUDITY, "words": ["nude"]}, "/forget/0/topic", "give no others"),
        ({**NUDITY, "prompts": ["nude"]}, "/forget/0/topic", "give no others"),
        ({**NUDITY, "topic": {"subjects": [], "keywords": ["x"]}}, "/forget/0/topic/subjects", "not 0"),
        ({**NUDITY, "topic": {"subjects": ["x"], "keywords": ["x", "x"]}}, "/forget/0/topic/keywords/1", "the same"),
        (
            {**NUDITY, "topic": {"subjects": [f"s{i}" for i in range(101)], "keywords": [f"k{i}" for i in range(100)]}},
            "/forget/0/topic",
            "makes 20200 prompts",
        ),
        (
            {"concept": "gore", "override": {"prompts": ["rain"]}, "prompts": ["rain", "a wound"]},
            "/forget/0/override",
            "'rain' would be answered with 'rain'",
        ),
    ],
)
def test_an_item_that_would_do_nothing_or_means_nothing(item: Any, pointer: str, says: str) -> None:
    assert says in errors_of(PLAIN, item)[pointer]


@pytest.mark.parametrize(
    ("forget", "pointer", "says"),
    [
        ((), "/forget", "at least 1 item"),
        ((("gun", "cat"), ("Gun", "dog")), "/forget/1/concept", "named twice"),
        ((("gun", "knife"), ("knife", "gun")), "/forget/0/override", "is itself forgotten"),
        ((("gun", {"prompts": ["two knives"]}), ("knife", "cat")), "/forget/0/override/prompts/0", "itself forgotten"),
        ((GUN, {"concept": "arms", "override": "cat", "words": ["Pistol"]}), "/forget/1/words", "a word of item 0"),
        (
            (
                {"concept": "gun", "override": {"empty": True}, "prompts": ["a gun and a knife"]},
                {"concept": "knife", "override": {"empty": True}, "prompts": ["a gun and a knife"]},
            ),
            "/forget/1",
            "also to be forgotten by item 0",
        ),
        (
            ({"concept": "gun", "override": "cat", "prompts": ["a gun and a knife"]}, ("knife", "dog")),
            "/forget/0/override",
            "'a cat and a knife', which names what is to be forgotten",
        ),
    ],
)
def test_items_that_contradict_each_other(forget: tuple[Any, ...], pointer: str, says: str) -> None:
    assert says in errors_of(PLAIN, *forget)[pointer]


@pytest.mark.parametrize(
    ("forget", "pointer", "says"),
    [
        ((("gun", "banana"),), "/forget/0/concept", "'gun' is a word for 'pistol' here"),
        ((("Pistol", "banana"),), "/forget/0/concept", "'Pistol' is a word for 'pistol' here"),
        ((("pistol", "handgun"),), "/forget/0/override", "would override itself"),
        ((("pistol", "Pistole in hand"),), "/forget/0/override", "names what it would override"),
        ((("pistol", "apfel"), ("apple", "banana")), "/forget/0/override", "is itself forgotten"),
        ((("style:pistol", "banana"),), "/forget/0/concept", "no concept 'pistol' (did you mean 'object:pistol'?)"),
        ((("style:nota", "fluent"),), "/forget/0/concept", "no concept 'nota' (did you mean 'style:noto'?)"),
        (
            (("pistol", "banana"), ("noto", "sepia"), ("fluent", "sepia")),
            "/forget",
            "every concept of the domain 'style'",
        ),
        (
            (("pistol", "banana"), {"concept": "teapot", "override": "cup", "outside_vocabulary": True}),
            "/forget/1/concept",
            "in none of the model's domains",
        ),
        ((("noto", "sepia"), ("fluent", "sepia")), "/forget", "every concept of the domain 'style'"),
    ],
)
def test_what_a_vocabulary_knows_is_held_against_it(forget: tuple[Any, ...], pointer: str, says: str) -> None:
    assert says in errors_of(WITH_WORDS, *forget)[pointer]


def test_a_concept_that_the_vocabulary_lacks_is_asked_for_by_its_words_if_that_is_said() -> None:
    plan = planned(WITH_WORDS, {"concept": "teapot", "override": "banana", "outside_vocabulary": True})
    assert len(plan.forgotten[0]) == len(DEFAULT_TEMPLATES)
    assert plan.dropped == 0
    assert planned(WITH_WORDS, NUDITY).forgotten, "a topic's name is a label"


@pytest.mark.parametrize(
    ("item", "field", "says"),
    [
        (("pistl", "banana"), "concept", "unknown concept 'pistl' (did you mean 'pistol'?); known: pistol, banana,"),
        (("Handgn", "banana"), "concept", "unknown concept 'Handgn' (did you mean 'pistol'?)"),
        (("teapot", "banana"), "concept", "unknown concept 'teapot'; known: pistol"),
        (("teapot", "banana"), "concept", 'as it is spelt, say "outside_vocabulary": true (--outside-vocabulary)'),
        (("pistol", "bananna"), "override", "unknown word 'bananna' (did you mean 'banana'?)"),
        (("pistol", "random"), "override", "looks like the override 'random': write {\"random\": true}"),
        (("pistol", "Random"), "override", "(on the command line random)"),
        (("pistol", "JUDGE"), "override", 'write {"judge": true}'),
        (("pistol", "Empty"), "override", 'write {"empty": true}'),
        (("pistol", "Negative:rain"), "override", 'write {"negative": "..."} (on the command line negative:...)'),
        (("pistol", "negativ: rain"), "override", 'write {"negative": "..."}'),
        (("pistol", "Prompts:rain.txt"), "override", 'write {"prompts": [...]} (on the command line prompts:FILE)'),
        (("pistol, apple", "banana"), "concept", "'pistol, apple' names 2 things: give each an item of its own"),
    ],
)
def test_what_is_hardly_meant_is_refused_with_what_may_be(item: Any, field: str, says: str) -> None:
    assert says in errors_of(WITH_WORDS, item)[f"/forget/0/{field}"]
    concept, override = item
    assert planned(WITH_WORDS, {"concept": concept, "override": override, "outside_vocabulary": True}).forgotten


@pytest.mark.parametrize(
    "item",
    [
        ("pistol", "bananas"),
        ("pistol", "a ripe banana"),
        ("pistol", "BANANA"),
        ("pistol", "a teapot"),
        ("pistol", "at random"),
        ("pistol", "Jude"),
        ("pistol", "16:9 photo"),
        {"concept": "violence, nudity", "override": "rain", "words": ["violence"], "outside_vocabulary": True},
    ],
)
def test_what_may_be_meant_is_taken(item: Any) -> None:
    assert planned(WITH_WORDS, item).forgotten


def test_a_list_as_one_name_is_refused_unless_its_words_are_given_or_it_is_a_name() -> None:
    item = {"concept": "violence, nudity, harm", "override": {"empty": True}}
    said = errors_of(PLAIN, item)["/forget/0/concept"]
    assert "names 3 things: give each an item of its own (several --forget), or one item the list as its words" in said
    assert planned(PLAIN, item | {"words": ["violence", "nudity", "harm"]}).forgotten
    assert planned(PLAIN, item | {"outside_vocabulary": True}).forgotten
    named = dataclasses.replace(
        VOCABULARY, domains={**VOCABULARY.domains, "object": (Concept("salt, pepper"), *OBJECTS)}
    )
    model = dataclasses.replace(WITH_WORDS, vocabulary=named)
    assert planned(model, ("salt, pepper", "banana")).forgotten


def test_both_names_of_an_item_are_told_at_once() -> None:
    found = errors_of(WITH_WORDS, ("pistl", "Random"), ("aple", "bananna"))
    assert list(found) == ["/forget/0/concept", "/forget/0/override", "/forget/1/concept", "/forget/1/override"]


def test_a_name_is_found_however_it_is_typed() -> None:
    asked = {"concept": "Beyoncé", "override": "a singer"}
    kept = ["a photo of Beyonce", "BEYONCÉ on stage", "Beyon\u00adcé", "Ｂｅｙｏｎｃｅ", "a singer on stage"]
    assert planned(PLAIN, asked, retain={"prompts": kept}).retained == ("a singer on stage",)
    assert "named twice" in errors_of(PLAIN, asked, ("beyonce", "a singer"))["/forget/1/concept"]
    assert "override itself" in errors_of(PLAIN, ("Beyoncé", "BEYONCE"))["/forget/0/override"]


@pytest.mark.parametrize(
    ("more", "pointer", "says"),
    [
        ({"recipe": {"kappa4": 1.0}}, "/recipe/kappa4", "must be above 1"),
        ({"retain": {"prompts": ["a cat", ""]}}, "/retain/prompts/1", "is empty"),
        ({"retain": {"prompts": []}}, "/retain/prompts", "not 0"),
        (
            {"evaluation": {"probes": ["relearning", "concept_inversion"]}},
            "/evaluation/probes/1",
            "'concept_inversion' works on class-conditional models only; on text-to-image models work relearning",
        ),
    ],
)
def test_the_rest_of_a_request(more: dict[str, Any], pointer: str, says: str) -> None:
    assert says in errors_of(PLAIN, ("gun", {"negative": "gun"}), **more)[pointer]


def test_until_it_passes_is_taken_also_where_no_judge_knows_what_is_forgotten() -> None:
    """All of the budget is used then, and the report says so."""
    budget = {"images": 640, "until": "pass"}
    assert admit(body(("gun", "banana"), budget=budget), PLAIN).request.budget.until == "pass"


def test_a_budget_that_is_left_out_is_the_familys() -> None:
    asked = body(("gun", "banana"))
    del asked["budget"]
    assert admit(asked, PLAIN).request.budget == Budget(12_800)


def test_probes_take_a_judge_that_knows_what_is_forgotten() -> None:
    evaluation = {"probes": ["token_search", "relearning"]}
    message = errors_of(PLAIN, ("gun", "banana"), evaluation=evaluation)["/evaluation/probes"]
    assert "no judge of this model knows what is forgotten" in message
    known = admit(body(("pistol", "banana"), evaluation=evaluation), WITH_WORDS)
    assert known.request.evaluation.probes == ("token_search", "relearning")


DISTILLED = dataclasses.replace(PLAIN, name="shipped", distilled=Distilled("generator", "fake", 625))


@pytest.mark.parametrize(
    ("model", "recipe", "pointer", "says"),
    [
        (PLAIN, {"start": "distilled"}, "/recipe/start", "plain ships no distilled generator"),
        (CLASSES, {"start": "distilled"}, "/recipe/start", "say base_model, or auto"),
        (DISTILLED, {"start": "distilled", "t_init": 500}, "/recipe/t_init", "must be 625"),
        (DISTILLED, {"t_init": 500}, "/recipe/t_init", "say that, or start from base_model"),
        (PLAIN, {"start": "teacher"}, "/recipe/start", '"teacher" is called "base_model" now'),
        (PLAIN, {"start": "anywhere"}, "/recipe/start", "'base_model' or 'distilled'"),
    ],
)
def test_a_start_that_there_is_not(model: BaseModel, recipe: dict[str, Any], pointer: str, says: str) -> None:
    found = errors_of(model, ("pistol", "banana"), recipe=recipe)
    assert list(found) == [pointer]
    assert says in found[pointer]


@pytest.mark.parametrize("recipe", [{}, {"start": "distilled"}, {"start": "base_model", "t_init": 500}])
def test_a_start_that_there_is(recipe: dict[str, Any]) -> None:
    assert admit(body(("pistol", "banana"), recipe=recipe), DISTILLED).plan


def test_guidance_is_needed_for_a_negative_prompt_alone() -> None:
    assert admit(body(("gun", "cat"), recipe={"kappa4": 1.0}), PLAIN).request.recipe.kappa4 == 1


def test_a_models_own_recommendation_counts() -> None:
    model = dataclasses.replace(PLAIN, recipe={"kappa4": 1.0, "batch": 16})
    assert admit(body(("gun", "cat")), model).request.recipe.batch == 16
    assert "/recipe/kappa4" in errors_of(model, ("gun", {"negative": "gun"}))
    assert admit(body(("gun", {"negative": "gun"}), recipe={"kappa4": 2.0}), model).request.recipe.kappa4 == 2


@pytest.mark.parametrize(
    ("item", "more", "pointer"),
    [
        ({"concept": "pistol", "override": "banana", "words": ["gun"]}, {}, "/forget/0/words"),
        ({"concept": "pistol", "override": "banana", "prompts": ["a gun"]}, {}, "/forget/0/prompts"),
        (
            {"concept": "pistol", "override": "banana", "topic": {"subjects": ["a"], "keywords": ["b"]}},
            {},
            "/forget/0/topic",
        ),
        (("pistol", {"prompts": ["a cat"]}), {}, "/forget/0/override"),
        (("pistol", {"negative": "a cat"}), {}, "/forget/0/override"),
        (("pistol", {"empty": True}), {}, "/forget/0/override"),
        (
            {"concept": "pistol", "override": "banana", "outside_vocabulary": True},
            {},
            "/forget/0/outside_vocabulary",
        ),
        (("pistol", "banana"), {"retain": {"prompts": ["a cat"]}}, "/retain"),
        (("pistol", "banana"), {"evaluation": {"nsfw": True}}, "/evaluation/nsfw"),
        (("pistol", "banana"), {"recipe": {"kappa4": 2.0}}, "/recipe/kappa4"),
    ],
)
def test_a_class_conditional_model_takes_no_words(item: Any, more: dict[str, Any], pointer: str) -> None:
    assert list(errors_of(CLASSES, item, **more)) == [pointer]


def test_a_request_that_is_wrong_throughout_is_not_told_whole() -> None:
    words, prompts = [f"word{i}" for i in range(100)], [f"prompt {i}" for i in range(500)]
    found = errors_of(PLAIN, {"concept": "gun", "override": "cat", "words": words, "prompts": prompts})
    assert len(found) == MAX_ERRORS
    assert max(map(len, found.values())) < 200
    found = errors_of(PLAIN, ("prompt", {"prompts": prompts}))
    assert len(found) == MAX_ERRORS


def test_an_object_and_a_style_are_forgotten_in_one_job() -> None:
    asked = admit(body(("pistol", "banana"), ("style:noto", "fluent")), WITH_WORDS)
    assert [item.concept for item in asked.request.forget] == ["pistol", "noto"]
    assert asked.model.domain == "object", "the first one's"
    assert asked.plan is not None
    pistol, noto = ({one.prompt: one.overrides for one in item} for item in asked.plan.forgotten)
    # What names both belongs to the first, and its answer names neither.
    assert pistol["pistol, noto style"] == (Condition("banana, fluent style"),)
    assert noto["apple, noto style"] == (Condition("apple, fluent style"),)
    assert not any("pistol" in prompt for prompt in noto)
    gone = ("pistol", "gun", "handgun", "pistole", "noto", "google")
    assert not any(mentions(prompt, gone) for prompt in asked.plan.retained)
    assert asked.plan.retained, "bananas and apples in the style that remains"


def test_what_names_both_is_answered_with_each_that_remains_where_none_is_named() -> None:
    three = dataclasses.replace(
        VOCABULARY, domains={**VOCABULARY.domains, "style": (*VOCABULARY.domains["style"], Concept("clay"))}
    )
    model = dataclasses.replace(WITH_WORDS, vocabulary=three)
    plan = planned(model, ("pistol", "banana"), ("noto", {"random": True}))
    (both,) = [one for one in plan.forgotten[0] if one.prompt == "pistol, noto style"]
    assert both.overrides == (Condition("banana, fluent style"), Condition("banana, clay style"))


@pytest.mark.parametrize(
    ("forgotten", "threshold", "images"),
    [
        *[(1, 0.99, 2000), (10, 0.99, 2000), (15, 0.99, 1333), (30, 0.9, 1000)],
        *[(30, 0.99, 1500), (40, 0.99, 1600), (300, 0.99, 2200), (1, 0.999, 5800), (1000, 0.999999, 100_000)],
    ],
)
def test_many_concepts_share_the_images_that_a_request_does_not_ask_for(
    forgotten: int, threshold: float, images: int
) -> None:
    assert images_of_each(forgotten, images_that_decide(threshold, forgotten)) == images


@pytest.mark.parametrize("forgotten", [*range(1, 60), 100, 300, 1000])
@pytest.mark.parametrize("threshold", [0.9, 0.99, 0.999])
def test_as_many_images_as_are_looked_at_can_pass_with_a_miss(forgotten: int, threshold: float) -> None:
    images = images_of_each(forgotten, images_that_decide(threshold, forgotten))
    assert judge_unlearning("x", images - 1, images, threshold, forgotten).decision == "pass"


def test_a_request_that_says_how_many_images_has_them() -> None:
    things = (*OBJECTS, *(Concept(f"thing{i}") for i in range(30)))
    model = dataclasses.replace(
        PLAIN,
        vocabulary=dataclasses.replace(VOCABULARY, domains={**VOCABULARY.domains, "object": things}),
        domains={"object": domain(len(things)), "style": domain(2)},
    )
    forget = [(thing.name, "banana") for thing in things[3:]]
    assert admit(body(*forget), model).request.evaluation.images_per_forgotten_concept == 1500
    for threshold, images in ((0.9, 1000), (0.999, 14_900)):
        asked = admit(body(*forget, thresholds={"unlearning_accuracy": threshold}), model).request
        assert asked.evaluation.images_per_forgotten_concept == images
    for thresholds in ({"unlearning_accuracy": "0.9"}, {"unlearning_accuracy": 1.0}, []):
        with pytest.raises(InvalidRequest, match="/thresholds"):
            admit(body(*forget, thresholds=thresholds), model)
    said = admit(body(*forget, evaluation={"images_per_forgotten_concept": 44}), model).request.evaluation
    assert said.images_per_forgotten_concept == 44
