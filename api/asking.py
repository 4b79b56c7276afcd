"""What a request for samples asks of a generator, and whether that names what it has forgotten. It is answered all the
same: seeing what comes is the point."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from api.problems import Wrong, invalid, wrong_fields
from api.schemas.generators import SamplesRequest
from api.services import Services
from jobs.generators import Generator
from sfd_core.base_model.vocabulary import EvaluationPrompts, Vocabulary
from sfd_core.errors import InvalidRequest
from sfd_core.prompts.words import mentions
from sfd_core.request.prompt_lists import check_text
from sfd_core.request.unlearning_request import MAX_SEED
from sfd_core.suggestions import unknown


@dataclass(frozen=True)
class Asked:
    """The content of a request for samples, once checked. ``prompts``: one an image, of a text-to-image generator; none
    of one that is asked by class. ``forgotten``: whether the concept, or a word of a prompt, is one that it has
    forgotten."""

    prompts: tuple[str, ...]
    forgotten: bool

    def to_sampler(self, body: SamplesRequest, seed: int) -> dict[str, Any]:
        """Write it as the sampler takes it."""
        what: dict[str, Any] = (
            {"prompts": list(self.prompts)} if self.prompts else {"concept": body.concept, "n": body.n}
        )
        return {**what, "seed": seed, "format": body.format}

    def to_log(self, body: SamplesRequest, in_words: bool) -> dict[str, Any]:
        """Return what the log says of it: a prompt as its SHA-256, unless it may stand there ``in_words``."""
        if body.prompt is None:
            return {"concept": body.concept, "forgotten": self.forgotten}
        digest = hashlib.sha256(body.prompt.encode()).hexdigest()
        said = {"prompt": body.prompt} if in_words else {}
        return {"prompt_sha256": digest, **said, "forgotten": self.forgotten}

    def to_audit(self, body: SamplesRequest) -> dict[str, Any]:
        """Return what the audit log says of it, for good: no name of a concept, which may be somebody's."""
        said = self.to_log(body, in_words=False)
        return {name: value for name, value in said.items() if name != "concept"}


def asked(use: Services, generator: Generator, body: SamplesRequest, seed: int) -> Asked:
    """Hold what ``body`` asks for against what the generator can be asked.

    Raises:
        Problem: ``invalid_request``, with every wrong value.
    """
    wrong = []
    if body.concept is not None and body.prompt is not None:
        wrong.append(Wrong("/prompt", "a concept is asked for already: send the one or the other"))
    elif body.prompt is not None:
        wrong += _wrong_prompt(body.prompt, generator)
    elif body.concept is not None:
        wrong += _wrong_concept(body.concept, use, generator)
    else:
        wrong.append(Wrong("/prompt" if generator.takes_prompts else "/concept", "is required"))
    if body.format == "png" and body.n != 1:
        wrong.append(Wrong("/format", f"png is for one image, not {body.n}: ask for grid or json"))
    if seed + body.n - 1 > MAX_SEED:
        wrong.append(Wrong("/seed", f"the last of {body.n} images needs seed + {body.n - 1}, above {MAX_SEED}"))
    if wrong:
        raise invalid(wrong)
    if not generator.takes_prompts:
        return Asked((), any(item["concept"] == body.concept for item in generator.forget))
    prompts = _prompts(body, _vocabulary(use, generator), seed)
    return Asked(prompts, _names_forgotten(set(prompts), generator.forget))


def _wrong_prompt(prompt: str, generator: Generator) -> list[Wrong]:
    if not generator.takes_prompts:
        return [Wrong("/prompt", "this generator has no prompts: send a concept of its base model")]
    try:
        check_text(prompt, "/prompt")
    except InvalidRequest as error:
        return wrong_fields(error.errors)
    return []


def _wrong_concept(concept: str, use: Services, generator: Generator) -> list[Wrong]:
    if generator.takes_prompts:
        vocabulary = _vocabulary(use, generator)
        if vocabulary is None:
            return [Wrong("/concept", "this generator knows no concepts by name: send a prompt")]
        known = [each.name for concepts in vocabulary.domains.values() for each in concepts]
        hint = "; anything else is asked for by a prompt"
    else:
        model = use.models.get(generator.base_model)
        if model is None:
            return []  # the generator itself knows its concepts: the sampler says which
        known, hint = list(model.concepts), ""
    return [] if concept in known else [Wrong("/concept", unknown("concept", concept, known) + hint)]


def _vocabulary(use: Services, generator: Generator) -> Vocabulary | None:
    model = use.models.get(generator.base_model)
    return None if model is None else model.vocabulary


def _prompts(body: SamplesRequest, vocabulary: Vocabulary | None, seed: int) -> tuple[str, ...]:
    """The prompt of every image: of a concept, as an evaluation asks for it, by (concept, seed + i) alone."""
    if body.prompt is not None:
        return (body.prompt,) * body.n
    found = vocabulary.find(body.concept) if vocabulary is not None and body.concept is not None else None
    assert vocabulary is not None
    assert found is not None  # a concept without prompts was refused
    domain, label = found
    return tuple(EvaluationPrompts(vocabulary, domain).texts([label] * body.n, range(seed, seed + body.n)))


def _names_forgotten(prompts: Iterable[str], forget: Iterable[Mapping[str, Any]]) -> bool:
    words = [word for item in forget for word in item.get("words") or (item["concept"],)]
    return any(mentions(prompt, words) for prompt in prompts)
