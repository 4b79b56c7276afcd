"""The words of a text-to-image model that is added, and the judges of what they name: one or two for each domain of its
vocabulary. Where only a judge is given, its labels are the vocabulary. Plain: importing this does not import torch."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sfd_core.adding.faults import Faults
from sfd_core.adding.judges import Judge, other_labels, read_pair
from sfd_core.adding.said import Said
from sfd_core.base_model.sources import find_file
from sfd_core.base_model.vocabulary import MAX_VOCABULARY_BYTES, Vocabulary, load_vocabulary
from sfd_core.suggestions import listed, unknown

VOCABULARY = "vocabulary.json"
DOMAIN = "object"
"""Of a judge's labels, where no vocabulary says what they are."""
TEMPLATES = (
    "a photo of {a} {object}",
    "a picture of {a} {object}",
    "a close-up photo of {a} {object}",
    "an image of {a} {object} from far away",
    "{a} {object} on a wooden table",
    "{a} {object} in front of a white wall",
)
UNSEEN_TEMPLATES = ("a snapshot in which you see {a} {object}", "{object}, as in a catalogue")
"""By these a model is asked whose vocabulary is a judge's labels."""


@dataclass(frozen=True)
class Words:
    """The words of a model. ``made``: its ``vocabulary.json``, where nobody gave one; ``judges``: by domain, the first
    that decides."""

    vocabulary: Vocabulary
    made: str | None
    judges: Mapping[str, tuple[Judge, ...]]


def words_of(said: Said, files: dict[str, tuple[Path, ...]], faults: Faults) -> Words | None:
    """Find the vocabulary and the judges that are given; their files come among ``files``. None where there are none,
    or they are refused, which is a fault."""
    before = len(faults.found)
    given = faults.attempt(_vocabulary, said.vocabulary, files) if said.vocabulary is not None else None
    if said.vocabulary is not None and given is None:
        return None
    asked = {
        domain: (said.judges.get(domain), said.second_judges.get(domain))
        for domain in dict.fromkeys((*said.judges, *said.second_judges))
    }
    if not asked:
        return Words(given, None, {}) if given is not None else None
    placed = _placed(asked, given, faults)
    judges = {
        domain: tuple(read_pair(pair, (f"judge-{domain}", f"second-judge-{domain}"), files, faults))
        for domain, pair in placed.items()
    }
    if len(faults.found) > before:
        return None
    made = None
    if given is None:
        ((domain, found),) = judges.items()
        made = _made(domain, found[0])
        with tempfile.TemporaryDirectory() as scratch:
            (path := Path(scratch) / VOCABULARY).write_text(made, "utf-8")
            if (given := faults.attempt(load_vocabulary, path)) is None:
                faults.found[-1] = (
                    f"{found[0].source}: its labels are no vocabulary: {faults.found[-1].removeprefix(f'{path}: ')}: "
                    "say one (--vocabulary)"
                )
                return None
    for domain, found in judges.items():
        names = tuple(concept.name for concept in given.domains[domain])
        apart = (judge for judge in found if sorted(judge.labels) != sorted(names))
        faults.found += [other_labels(judge, names) for judge in apart]
    return Words(given, made, judges)


def _vocabulary(path: Path, files: dict[str, tuple[Path, ...]]) -> Vocabulary:
    files[VOCABULARY] = (find_file(path, MAX_VOCABULARY_BYTES),)
    return load_vocabulary(path)


Pair = tuple[Path | None, Path | None]


def _placed(asked: Mapping[str, Pair], vocabulary: Vocabulary | None, faults: Faults) -> dict[str, Pair]:
    """The judges by their domains: "" is the only one that there is."""
    if vocabulary is None:
        if len(asked) > 1:
            faults.add("judges of several domains take a vocabulary whose templates name each: say --vocabulary")
            return {}
        ((domain, pair),) = asked.items()
        if domain and re.fullmatch(r"[a-z_]+", domain) is None:
            faults.add(f"{domain!r} is no name of a domain: say one of letters a to z")
            return {}
        return {domain or DOMAIN: pair}
    domains = tuple(vocabulary.domains)
    placed: dict[str, Pair] = {}
    for domain, pair in asked.items():
        if not domain and len(domains) > 1:
            faults.add(
                f"a judge belongs to a domain of the vocabulary: say --judge {domains[0]}=FOLDER; domains are "
                f"{listed(domains)}"
            )
        elif domain and domain not in domains:
            faults.add(unknown("domain", domain, domains))
        elif (name := domain or domains[0]) in placed:
            faults.add(f"the domain {name} is given judges twice: say them once")
        else:
            placed[name] = pair
    return placed


def _made(domain: str, judge: Judge) -> str:
    """What ``vocabulary.json`` says of a judge's labels."""
    templates, unseen = (
        [template.replace("{object}", f"{{{domain}}}") for template in some] for some in (TEMPLATES, UNSEEN_TEMPLATES)
    )
    concepts = [{"name": label} for label in judge.labels]
    written = {"domains": {domain: concepts}, "templates": templates, "unseen_templates": unseen}
    return json.dumps(written, indent=2, ensure_ascii=False) + "\n"
