"""English words: their articles, their plurals, and what they may be the plural of. Plain.

``inflect`` knows English; here is what it lacks: words of other languages, and every spelling that is in use.
"""

from __future__ import annotations

import re
from functools import lru_cache

import inflect

_ENGINE = inflect.engine()
_ARTICLES = {"eule": "an"}
"""German, by its sound."""
_PLURALS = {"deco": "decos", "fish": "fishes", "noto": "notos", "vélo": "vélos"}
"""Each one is the only plural that prompts have ever had."""
_SINGULARS_IN_S = frozenset({"lens", "mars", "means", "news"})
"""They end in s and are another word without it."""


@lru_cache(maxsize=65536)
def article(word: str) -> str:
    """Return the indefinite article before ``word``, which may have more words or punctuation after it."""
    first = re.match(r"\w+", word)
    if first is None:
        return "a"
    known = _ARTICLES.get(first[0].casefold())
    return known or _ENGINE.a(word).split()[0].casefold()


@lru_cache(maxsize=65536)
def plural(word: str) -> str:
    """Return the plural of an English word, or of the last word of several."""
    first, last = _last_word(word)
    folded = last.lower()
    if not last:
        return word + "s"
    found = _PLURALS.get(folded) or _plural(folded)
    same = next((i for i, (a, b) in enumerate(zip(folded, found, strict=False)) if a != b), len(folded))
    return first + last[:same] + found[same:]


def forms_of(word: str) -> set[str]:
    """Return ``word`` (one space between its parts), its plurals and what it may be the plural of."""
    first, last = _last_word(word)
    return {word, *plurals(word), *(first + singular for singular in _singulars(last))}


def plurals(word: str) -> set[str]:
    """Return every spelling of the plural that is in use."""
    found = {plural(word), word + "s"}
    if re.search(r"(o|s|x|z|ch|sh)$", word, re.IGNORECASE):
        found.add(word + "es")
    found.add(re.sub(r"fe?$", "ves", word, flags=re.IGNORECASE))
    return found - {word}


def _plural(folded: str) -> str:
    found = str(_ENGINE.plural_noun(folded) or "").lower()
    if found[:1] != folded[0]:  # "they" is no other spelling of "it": a pronoun is a name here
        return folded + "s"
    # A word that is a plural has none, and prompts must stay what they were: not "grapess".
    return folded + "es" if found == folded + "s" and folded.endswith("s") else found


@lru_cache(maxsize=65536)
def _singulars(last: str) -> set[str]:
    """What ``last`` may be the plural of. A word that is none may stand among them: "Mercede" is looked for too."""
    folded = last.lower()
    if len(folded) < 4 or folded.endswith(("ss", "us", "is")) or folded in _SINGULARS_IN_S:
        return set()
    singular = _ENGINE.singular_noun(folded)
    found = {str(singular).lower()} if singular else set()
    return found | ({last[:-1]} if folded.endswith("s") else set())


def _last_word(text: str) -> tuple[str, str]:
    """What is before the last word, and it."""
    split = re.search(r"\S*$", text)
    assert split is not None  # an empty match is a match
    return text[: split.start()], split[0]
