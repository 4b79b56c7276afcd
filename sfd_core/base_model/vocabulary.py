"""The words of a text-to-image model: the concepts that it knows, by domain, and the prompts that it was trained on.

Plain: importing this does not import torch. ``docs/base-models.md`` describes the file.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import Formatter
from typing import Any

from sfd_core.base_model.configs import read_sound_object
from sfd_core.base_model.folding import fold
from sfd_core.base_model.inflection import article
from sfd_core.errors import ModelRefused

MAX_VOCABULARY_BYTES = 4 << 20
_ARTICLE_HERE = "\0"


@dataclass(frozen=True)
class Concept:
    """One thing that a model knows. ``adjective``: one that is true of it. ``translations``: by language."""

    name: str
    adjective: str = ""
    synonyms: tuple[str, ...] = ()
    translations: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> tuple[str, ...]:
        """Every word for it, the name first."""
        return tuple(dict.fromkeys((self.name, *self.synonyms, *self.translations.values())))


@dataclass(frozen=True)
class Vocabulary:
    """The words of a text-to-image model and the prompts made of them. ``domains``: concepts of one kind each (objects,
    styles). ``templates``: the prompts that the model was trained on; ``unseen_templates``: others, that neither it nor
    a forget job is trained on. A template names every domain (``{object}``, ``{style}``) and may have an
    ``{adjective}`` and ``{a}``, the article of the word that follows."""

    domains: Mapping[str, tuple[Concept, ...]]
    templates: tuple[str, ...]
    unseen_templates: tuple[str, ...]

    def prompt(self, template: str, words: Mapping[str, str], adjective: str = "") -> str:
        """Fill in ``template`` with a word for each domain."""
        filled = " ".join(template.format(a=_ARTICLE_HERE, adjective=adjective, **words).split())
        return re.sub(rf"{_ARTICLE_HERE}(?= ?(\S*))", lambda match: article(match[1]), filled)

    def find(self, name: str) -> tuple[str, int] | None:
        """Find the domain of the concept of this name, and its place there."""
        for domain, concepts in self.domains.items():
            for i, concept in enumerate(concepts):
                if concept.name == name:
                    return domain, i
        return None

    def without(self, names: Collection[str]) -> Vocabulary:
        """Return the same vocabulary without the concepts of these names."""
        left = {
            domain: tuple(concept for concept in concepts if concept.name not in names)
            for domain, concepts in self.domains.items()
        }
        return replace(self, domains=left)

    def owner(self, word: str) -> Concept | None:
        """Find the first concept that ``word`` is a word for, as words are compared in prompts."""
        folded = fold(word)
        for concepts in self.domains.values():
            for concept in concepts:
                if any(fold(known) == folded for known in concept.words):
                    return concept
        return None

    def asked(self, template: str, named: Mapping[str, Concept], words: Mapping[str, str] | None = None) -> str:
        """Fill in ``template`` with a concept for each domain: by its name, unless ``words`` has another word."""
        by_name = {domain: concept.name for domain, concept in named.items()}
        adjectives = (named[domain].adjective for domain in self.domains)
        return self.prompt(template, {**by_name, **(words or {})}, next(filter(None, adjectives), ""))

    def together_with(self, domain: str, concept: Concept) -> Iterator[dict[str, Concept]]:
        """Yield ``concept`` with every choice of a concept from each of the other domains."""
        choices = [(concept,) if name == domain else concepts for name, concepts in self.domains.items()]
        for chosen in itertools.product(*choices):
            yield dict(zip(self.domains, chosen, strict=True))

    def prompts(self) -> Iterator[str]:
        """Yield what the model can be asked for: every template with the names of every domain's concepts, and by each
        other word for a concept one prompt with each of the other domains' names, the templates in turn."""
        first, concepts = next(iter(self.domains.items()))
        for template in self.templates:
            for concept in concepts:
                for named in self.together_with(first, concept):
                    yield self.asked(template, named)
        templates = itertools.cycle(self.templates)
        for domain, concepts in self.domains.items():
            for concept in concepts:
                for word in concept.words[1:]:
                    for named in self.together_with(domain, concept):
                        yield self.asked(next(templates), named, {domain: word})


@dataclass(frozen=True)
class Asked:
    """One prompt of an evaluation. ``others``: which concept of each other domain it names."""

    prompt: str
    others: Mapping[str, int]


@dataclass(frozen=True)
class EvaluationPrompts:
    """The prompts by which an evaluation in ``domain`` asks for its concepts: the templates in turn, and with each
    round of them the next concepts of the other domains, so that (label, seed) alone decides a prompt."""

    vocabulary: Vocabulary
    domain: str

    def asked(self, label: int, seed: int) -> Asked:
        """Return the prompt of the image of this label and seed, with the concepts' names."""
        domains, templates = self.vocabulary.domains, self.vocabulary.templates
        named, others = {}, {}
        rounds = seed // len(templates)
        for domain, concepts in domains.items():
            if domain == self.domain:
                named[domain] = concepts[label]
            else:
                others[domain] = rounds % len(concepts)
                named[domain] = concepts[others[domain]]
                rounds //= len(concepts)
        return Asked(self.vocabulary.asked(templates[seed % len(templates)], named), others)

    def texts(self, labels: Sequence[int], seeds: Sequence[int]) -> list[str]:
        """Write one prompt for each (label, seed)."""
        return [self.asked(label, seed).prompt for label, seed in zip(labels, seeds, strict=True)]


def load_vocabulary(path: Path) -> Vocabulary:
    """Read and check a model's ``vocabulary.json``.

    Raises:
        ModelRefused: naming the file and the field.
    """
    raw = read_sound_object(path, MAX_VOCABULARY_BYTES)
    domains = raw.get("domains")
    if not isinstance(domains, dict) or not domains or not all(re.fullmatch(r"[a-z_]+", name) for name in domains):
        raise ModelRefused(f"{path}: domains must be an object of lists of concepts; names are letters a to z")
    if reserved := {"a", "adjective"} & set(domains):
        raise ModelRefused(f"{path}: domains: {', '.join(reserved)} has another meaning in a template")
    return Vocabulary(
        _concepts(domains, path),
        _templates(raw, "templates", domains, path, fewest=1),
        _templates(raw, "unseen_templates", domains, path, fewest=0),
    )


def _concepts(domains: Mapping[str, Any], path: Path) -> dict[str, tuple[Concept, ...]]:
    found, names = {}, set()
    for domain, entries in domains.items():
        if not isinstance(entries, list) or len(entries) < 2:
            raise ModelRefused(f"{path}: domains.{domain} must be a list of at least two concepts")
        found[domain] = tuple(_concept(entry, f"{path}: domains.{domain}[{i}]") for i, entry in enumerate(entries))
        for concept in found[domain]:
            if concept.name in names:
                raise ModelRefused(f"{path}: domains.{domain}: the name {concept.name!r} is there twice")
            names.add(concept.name)
    return found


def _concept(entry: Any, at: str) -> Concept:
    if not isinstance(entry, dict):
        raise ModelRefused(f"{at} must be an object")
    if unknown := set(entry) - {"name", "adjective", "synonyms", "translations"}:
        raise ModelRefused(f"{at}: unknown key {min(unknown)!r}")
    name, adjective = entry.get("name"), entry.get("adjective", "")
    synonyms, translations = entry.get("synonyms", []), entry.get("translations", {})
    if not isinstance(synonyms, list) or not isinstance(translations, dict) or not isinstance(adjective, str):
        raise ModelRefused(f"{at}: synonyms must be a list, translations an object, adjective a string")
    if not all(isinstance(word, str) and re.search(r"\w", word) for word in (name, *synonyms, *translations.values())):
        raise ModelRefused(f"{at}: name, synonyms and translations must be words")
    return Concept(str(name), adjective, tuple(synonyms), translations)


def _templates(
    raw: Mapping[str, Any], name: str, domains: Mapping[str, Any], path: Path, fewest: int
) -> tuple[str, ...]:
    templates = raw.get(name, [])
    if not isinstance(templates, list) or len(templates) < fewest:
        raise ModelRefused(f"{path}: {name} must be a list of at least {fewest} templates")
    for i, template in enumerate(templates):
        try:
            # A format could reach into objects ("{object.name}"): only the plain names are let through.
            parts = list(Formatter().parse(template))
        except (ValueError, TypeError) as error:
            raise ModelRefused(f"{path}: {name}[{i}]: {error}") from None
        fields = {field for _, field, _, _ in parts if field is not None}
        if any(spec or conversion for _, _, spec, conversion in parts) or fields - {"a", "adjective", *domains}:
            raise ModelRefused(f"{path}: {name}[{i}]: only {{a}}, {{adjective}} and domains may be in braces")
        if missing := [domain for domain in domains if domain not in fields]:
            raise ModelRefused(f"{path}: {name}[{i}] must name every domain; {{{missing[0]}}} is missing")
    return tuple(templates)
