"""Every prompt that a run asks with, before it starts: those that are to forget, what overrides each, and what is kept.

Plain: importing this does not import torch. What is planned here is what a family encodes, once a run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from sfd_core.base_model.inflection import article
from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.vocabulary import Concept, Vocabulary
from sfd_core.errors import FieldError, InvalidRequest
from sfd_core.prompts.items import forgotten_words, known_words, words_of
from sfd_core.prompts.templates import DEFAULT_TEMPLATES, TOPIC_TEMPLATE
from sfd_core.prompts.words import Words
from sfd_core.request.concepts import (
    EmptyOverride,
    FixedOverride,
    Forget,
    JudgeOverride,
    NegativeOverride,
    PromptsOverride,
    RandomOverride,
)
from sfd_core.request.unlearning_request import UnlearningRequest

CAPTIONS = "captions.txt"


@dataclass(frozen=True)
class Condition:
    """What a network is asked with. ``negative``: the prompt that it is guided away from (the empty one)."""

    prompt: str
    negative: str = ""


@dataclass(frozen=True)
class ForgottenPrompt:
    """A prompt that is to forget; each time it is drawn, one of ``overrides`` says what it shall show. None of them is
    the prompt itself."""

    prompt: str
    overrides: tuple[Condition, ...]

    @property
    def condition(self) -> Condition:
        return Condition(self.prompt)


@dataclass(frozen=True)
class PromptPlan:
    """``forgotten``: the prompts of each item, in the request's order. ``dropped``: how many prompts were not retained
    because they name what is forgotten."""

    forgotten: tuple[tuple[ForgottenPrompt, ...], ...]
    retained: tuple[str, ...]
    dropped: int

    def remaining(self) -> tuple[Condition, ...]:
        """The conditions that stay as they are."""
        return tuple(Condition(prompt) for prompt in self.retained)

    def conditions(self) -> Iterator[Condition]:
        """All that may be asked for; some come more than once."""
        yield from self.remaining()
        for item in self.forgotten:
            for asked in item:
                yield asked.condition
                yield from asked.overrides


def plan_prompts(request: UnlearningRequest, model: BaseModel) -> PromptPlan:
    """The prompts of ``request``, which ``sfd_core.prompts.items`` found nothing wrong with.

    Raises:
        InvalidRequest: for an override that leaves its prompt as it is or still names what is forgotten, a prompt of
            two items, or nothing left to retain.
    """
    vocabulary = model.vocabulary
    errors: list[FieldError] = []
    gone = Words(forgotten_words(request.forget, vocabulary))
    owners: dict[str, int] = {}
    forgotten = []
    for i, item in enumerate(request.forget):
        prompts = tuple(_forgotten_prompts(item, request.forget, vocabulary))
        forgotten.append(prompts)
        for asked in prompts:
            if (other := owners.setdefault(asked.prompt, i)) != i:
                message = f"{asked.prompt!r} is also to be forgotten by item {other}: it can have one override"
                errors.append(FieldError(f"/forget/{i}", message))
                break
            wrong = [o.prompt for o in asked.overrides if o == asked.condition or gone.are_in(o.prompt)]
            if wrong:
                message = f"{asked.prompt!r} would be answered with {wrong[0]!r}, which names what is to be forgotten"
                errors.append(FieldError(f"/forget/{i}/override", message))
                break
    kept = request.retain.prompts if request.retain else vocabulary.prompts() if vocabulary else captions()
    candidates = list(dict.fromkeys(kept))
    retained = tuple(p for p in candidates if not gone.are_in(p) and p not in owners)
    if not retained:
        errors.append(FieldError("/retain/prompts", "every prompt names what is to be forgotten: nothing would remain"))
    if errors:
        raise InvalidRequest(tuple(errors))
    return PromptPlan(tuple(forgotten), retained, len(candidates) - len(retained))


def _forgotten_prompts(
    item: Forget, forget: Sequence[Forget], vocabulary: Vocabulary | None
) -> Iterator[ForgottenPrompt]:
    """The prompts of one item: its own, a topic's, the vocabulary's, or the default ones."""
    words = Words(known_words(item, vocabulary))
    at = vocabulary.find(item.concept) if vocabulary is not None else None
    if vocabulary is not None and at is not None and not item.prompts and item.topic is None:
        yield from _by_vocabulary(item, at, forget, vocabulary)
        return
    instead = _others(at, forget, vocabulary) if vocabulary is not None and at is not None else ()
    for prompt in dict.fromkeys(_own_prompts(item)):
        match item.override:
            case FixedOverride(by):
                yield ForgottenPrompt(prompt, (Condition(words.replaced(prompt, by)),))
            case RandomOverride():
                changed = (words.replaced(prompt, other.name) for other in instead)
                yield ForgottenPrompt(prompt, tuple(map(Condition, changed)))
            case _:
                yield ForgottenPrompt(prompt, _without_replacing(prompt, item, words))


def _own_prompts(item: Forget) -> Iterator[str]:
    if item.topic is not None:
        for subject in item.topic.subjects:
            for keyword in item.topic.keywords:
                yield TOPIC_TEMPLATE.format(subject=subject, keyword=keyword)
    elif item.prompts:
        yield from item.prompts
    else:
        for word in words_of(item):
            for template in DEFAULT_TEMPLATES:
                yield template.format(a=article(word), concept=word)


def _by_vocabulary(
    item: Forget, at: tuple[str, int], forget: Sequence[Forget], vocabulary: Vocabulary
) -> Iterator[ForgottenPrompt]:
    """Every template by every word of the item, with every concept of the other domains. Where another concept takes
    its place the prompt is that one's own, adjective and all: "a yellow banana" for "a green pistol"."""
    domain, index = at
    concept = vocabulary.domains[domain][index]
    words = Words(known_words(item, vocabulary))
    instead: tuple[Concept, ...] = ()
    if isinstance(item.override, RandomOverride):
        instead = _others(at, forget, vocabulary)
    elif isinstance(item.override, FixedOverride):
        by = item.override.concept
        instead = tuple(other for other in vocabulary.domains[domain] if other.name == by)
    for word in words_of(item):
        for template in vocabulary.templates:
            for named in vocabulary.together_with(domain, concept):
                prompt = vocabulary.asked(template, named, {domain: word})
                if instead:
                    asked = (vocabulary.asked(template, {**named, domain: other}) for other in instead)
                    overrides = tuple(map(Condition, asked))
                elif isinstance(item.override, FixedOverride):
                    overrides = (Condition(words.replaced(prompt, item.override.concept)),)
                else:
                    overrides = _without_replacing(prompt, item, words)
                yield ForgottenPrompt(prompt, overrides)


def _without_replacing(prompt: str, item: Forget, words: Words) -> tuple[Condition, ...]:
    match item.override:
        case PromptsOverride(prompts):
            return tuple(map(Condition, prompts))
        case NegativeOverride(text):
            return (Condition(words.removed(prompt), text),)
        case EmptyOverride():
            return (Condition(""),)
        case FixedOverride() | RandomOverride() | JudgeOverride():
            raise ValueError(f"{item.override} replaces words, or is none of a text-to-image model's")


def _others(at: tuple[str, int], forget: Sequence[Forget], vocabulary: Vocabulary) -> tuple[Concept, ...]:
    """The concepts of the same domain that remain."""
    forgotten = {item.concept for item in forget}
    return tuple(concept for concept in vocabulary.domains[at[0]] if concept.name not in forgotten)


@cache
def captions() -> tuple[str, ...]:
    """What is retained where nothing else is said: captions of many kinds, ``make_captions.py`` makes them."""
    return tuple(resources.files(__package__).joinpath(CAPTIONS).read_text("utf-8").splitlines())
