"""Every prompt that a run asks with, before it starts: those that are to forget, what overrides each, and what is kept.

Plain: importing this does not import torch. What is planned here is what a family encodes, once a run.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

from sfd_core.base_model.inflection import article
from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.vocabulary import Concept, Vocabulary
from sfd_core.errors import FieldError, InvalidRequest
from sfd_core.prompts.effort import Effort
from sfd_core.prompts.items import forgotten_words, known_words, words_of
from sfd_core.prompts.templates import DEFAULT_TEMPLATES, TOPIC_TEMPLATES
from sfd_core.prompts.words import Words
from sfd_core.request.concepts import Forget
from sfd_core.request.override import Condition
from sfd_core.request.overrides.fixed import FixedOverride
from sfd_core.request.unlearning_request import UnlearningRequest

CAPTIONS = "captions.txt"


@dataclass(frozen=True)
class ForgottenPrompt:
    """A prompt that is to forget; each time it is drawn, one of ``overrides`` says what it shall show. None of them is
    the prompt itself. ``negative``: what the fake score is guided away from where it is asked for the prompt (the
    empty one)."""

    prompt: str
    overrides: tuple[Condition, ...]
    negative: str = ""

    @property
    def condition(self) -> Condition:
        """The prompt as it is asked while it is to forget."""
        return Condition(self.prompt, self.negative)

    @property
    def plain(self) -> Condition:
        """The prompt as it is asked while nothing is forgotten."""
        return Condition(self.prompt)


@dataclass(frozen=True)
class PromptPlan:
    """The prompts that a run forgets and retains. ``forgotten``: the prompts of each item, in the request's order.
    ``dropped``: how many prompts were not retained because they name what is forgotten."""

    forgotten: tuple[tuple[ForgottenPrompt, ...], ...]
    retained: tuple[str, ...]
    dropped: int

    def remaining(self) -> tuple[Condition, ...]:
        """Return the conditions that stay as they are."""
        return tuple(Condition(prompt) for prompt in self.retained)

    def conditions(self) -> Iterator[Condition]:
        """Yield all that may be asked for; some come more than once."""
        yield from self.remaining()
        for item in self.forgotten:
            answers: tuple[Condition, ...] = ()
            for asked in item:
                yield asked.condition
                yield asked.plain
                if asked.overrides is not answers:  # those of a list are the same for every prompt
                    answers = asked.overrides
                    yield from answers


def plan_prompts(request: UnlearningRequest, model: BaseModel) -> PromptPlan:
    """Plan the prompts of ``request``, which ``sfd_core.prompts.items`` found nothing wrong with.

    Raises:
        InvalidRequest: for an override that leaves its prompt as it is or still names what is forgotten, a prompt of
            two items, or nothing left to retain.
    """
    vocabulary = model.vocabulary
    errors: list[FieldError] = []
    effort = Effort()
    gone = Words(forgotten_words(request.forget, vocabulary), effort)
    owners: dict[str, int] = {}
    forgotten = []
    for i, item in enumerate(request.forget):
        prompts = tuple(_counted(_forgotten_prompts(item, request.forget, vocabulary, effort), effort))
        if request.recipe.negative_in_fake_score:
            # A negative prompt is the only override with one, and has no other beside it.
            prompts = tuple(replace(asked, negative=asked.overrides[0].negative) for asked in prompts)
        forgotten.append(prompts)
        answers: tuple[Condition, ...] = ()
        among, naming = frozenset[Condition](), None
        for asked in prompts:
            if asked.overrides is not answers:  # those of a list are the same for every prompt
                answers, among = asked.overrides, frozenset(asked.overrides)
                naming = next((answer.prompt for answer in answers if gone.are_in(answer.prompt)), None)
            if (other := owners.setdefault(asked.prompt, i)) != i:
                message = f"{asked.prompt!r} is also to be forgotten by item {other}: it can have one override"
                errors.append(FieldError(f"/forget/{i}", message))
                break
            if asked.negative and asked.condition in asked.overrides:
                message = f"{asked.prompt!r} names nothing that is to be forgotten: its answer would be itself"
                errors.append(FieldError(f"/forget/{i}/override", message))
                break
            if (wrong := asked.prompt if asked.condition in among else naming) is not None:
                message = f"{asked.prompt!r} would be answered with {wrong!r}, which names what is to be forgotten"
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


def _counted(prompts: Iterator[ForgottenPrompt], effort: Effort) -> Iterator[ForgottenPrompt]:
    """The same, counted as they are made, with their answers."""
    answers: tuple[Condition, ...] = ()
    for asked in prompts:
        effort.make(1 if asked.overrides is answers else 1 + len(asked.overrides))
        answers = asked.overrides
        yield asked


def _forgotten_prompts(
    item: Forget, forget: Sequence[Forget], vocabulary: Vocabulary | None, effort: Effort
) -> Iterator[ForgottenPrompt]:
    """The prompts of one item: its own, a topic's, the vocabulary's, or the default ones."""
    words = Words(known_words(item, vocabulary), effort)
    at = vocabulary.find(item.concept) if vocabulary is not None else None
    if vocabulary is not None and at is not None and not item.prompts and item.topic is None:
        yield from _by_vocabulary(item, at, words, forget, vocabulary)
        return
    others = _others(at, forget, vocabulary) if vocabulary is not None and at is not None else ()
    for prompt in dict.fromkeys(_own_prompts(item)):
        yield ForgottenPrompt(prompt, item.override.conditions(_OwnPrompt(prompt, words, others)))


@dataclass(frozen=True)
class _OwnPrompt:
    """A prompt that is to forget ``words``, which stand in it. ``others``: what remains of the same domain."""

    prompt: str
    words: Words
    others: Sequence[Concept]

    def replaced(self, by: str) -> str:
        return self.words.replaced(self.prompt, by)

    def removed(self) -> str:
        return self.words.removed(self.prompt)

    def with_others(self) -> Sequence[str]:
        return [self.words.replaced(self.prompt, other.name) for other in self.others]


def _own_prompts(item: Forget) -> Iterator[str]:
    if item.topic is not None:
        for subject in item.topic.subjects:
            for keyword in item.topic.keywords:
                for template in TOPIC_TEMPLATES:
                    yield template.format(subject=subject, keyword=keyword)
    elif item.prompts:
        yield from item.prompts
    else:
        for word in words_of(item):
            for template in DEFAULT_TEMPLATES:
                yield template.format(a=article(word), concept=word)


def _by_vocabulary(
    item: Forget, at: tuple[str, int], words: Words, forget: Sequence[Forget], vocabulary: Vocabulary
) -> Iterator[ForgottenPrompt]:
    """Every template by every word of the item, with every concept of the other domains. Where another concept takes
    its place the prompt is that one's own, adjective and all: "a yellow banana" for "a green pistol".

    A prompt that names what is forgotten in another domain too ("a pistol in the style of S") belongs to the first such
    item of the request: that one's override answers, with a concept of the other domain that remains."""
    domain, index = at
    concept = vocabulary.domains[domain][index]
    others = _others(at, forget, vocabulary)
    before = itertools.takewhile(lambda each: each is not item, forget)
    first = {each.concept for each in before if not each.prompts and each.topic is None}
    for word in words_of(item):
        for template in vocabulary.templates:
            for named in vocabulary.together_with(domain, concept):
                beside = [each for name, each in named.items() if name != domain]
                if any(each.name in first for each in beside):
                    continue
                prompt = vocabulary.asked(template, named, {domain: word})
                answers = []
                for answered in _remaining_beside(named, domain, forget, vocabulary):
                    asked = vocabulary.asked(template, answered, {domain: word})
                    made = _MadePrompt(asked, words, others, vocabulary, template, answered, domain)
                    answers.append(item.override.conditions(made))
                # Those of a list stay the same object for every prompt.
                same = answers[0] if len(answers) == 1 else tuple(dict.fromkeys(itertools.chain(*answers)))
                yield ForgottenPrompt(prompt, same)


def _remaining_beside(
    named: Mapping[str, Concept], domain: str, forget: Sequence[Forget], vocabulary: Vocabulary
) -> Iterator[Mapping[str, Concept]]:
    """``named`` with what remains in the place of what is forgotten in the domains beside ``domain``: its own override
    where that is one concept of its domain, else each that remains there."""
    items = {each.concept: each for each in forget}
    for name, concept in named.items():
        if name == domain or (item := items.get(concept.name)) is None:
            continue
        instead: Sequence[Concept] = _others((name, 0), forget, vocabulary)
        if isinstance(item.override, FixedOverride):
            fixed = item.override.concept
            instead = [each for each in instead if each.name == fixed] or instead
        for each in instead:
            yield from _remaining_beside({**named, name: each}, domain, forget, vocabulary)
        return
    yield named


@dataclass(frozen=True)
class _MadePrompt(_OwnPrompt):
    """A prompt that the vocabulary made of ``template`` and a concept of each domain, ``named``."""

    vocabulary: Vocabulary
    template: str
    named: Mapping[str, Concept]
    domain: str

    def replaced(self, by: str) -> str:
        found = (other for other in self.vocabulary.domains[self.domain] if other.name == by)
        other = next(found, None)
        return super().replaced(by) if other is None else self._with(other)

    def with_others(self) -> Sequence[str]:
        return [self._with(other) for other in self.others]

    def _with(self, other: Concept) -> str:
        return self.vocabulary.asked(self.template, {**self.named, self.domain: other})


def _others(at: tuple[str, int], forget: Sequence[Forget], vocabulary: Vocabulary) -> tuple[Concept, ...]:
    """The concepts of the same domain that remain."""
    forgotten = {item.concept for item in forget}
    return tuple(concept for concept in vocabulary.domains[at[0]] if concept.name not in forgotten)


@cache
def captions() -> tuple[str, ...]:
    """Return what is retained where nothing else is said: captions of many kinds, ``make_captions.py`` makes them."""
    return tuple(resources.files(__package__).joinpath(CAPTIONS).read_text("utf-8").splitlines())
