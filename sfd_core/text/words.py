"""Words in prompts: is one there, put another in its place, take it out.

A word is found in any case, in singular and plural, with word boundaries ("gun" is in "two Guns" and "gun's", not in
"gunmetal"); the parts of "brad pitt" may be held together by any white space, a hyphen or an underscore. Letters are
compared composed (NFC), so it makes no difference how an accent is typed. Plurals are English ones.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache

_BETWEEN = r"[\s_\-‐‑–]+"
_APOSTROPHES = "['’]"
# Written without spaces: a word has no boundary there that could be looked for.
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)
_IRREGULAR = {
    "child": "children",
    "foot": "feet",
    "goose": "geese",
    "man": "men",
    "mouse": "mice",
    "person": "people",
    "tooth": "teeth",
    "woman": "women",
}
_SINGULAR = {plural: singular for singular, plural in _IRREGULAR.items()}
_NO_PLURALS = frozenset({"lens", "mars", "means", "news"})
"""They end in s and are another word without it."""
_DETERMINERS = "a|an|the|this|that|these|those|some|any|my|your|his|her|its|our|their"
_DANGLING = "a|an|the|and|or|of|with|without|by|in|on|at|for|to|from|as|like|under|over|near|beside|behind"
_ARTICLE = re.compile(r"(an?|the)\s+", re.IGNORECASE)
_PUNCTUATION = ",.;:!?"
_AT_THE_END = re.compile(rf"(?:^|\s)(?:{_DANGLING})(?=[\s{_PUNCTUATION}]*$)", re.IGNORECASE)
# Sounds, not letters: "a unicorn", "a one-eyed cat", "an hour".
_CONSONANT_SOUND = re.compile(r"(uni([^nm]|$)|us[aeu]|u[fk]|eu[cnprt]|ewe|one\b|once\b)", re.IGNORECASE)
_SILENT_H = re.compile(r"(hour|honest|honou?r|heir)", re.IGNORECASE)


def article(word: str) -> str:
    """The indefinite article before ``word``."""
    if _SILENT_H.match(word):
        return "an"
    return "an" if word[:1].casefold() in tuple("aeiou") and not _CONSONANT_SOUND.match(word) else "a"


def plural(word: str) -> str:
    """The plural of an English word, or of the last word of several."""
    first, last = _last_word(word)
    folded = last.casefold()
    if folded in _IRREGULAR:
        return first + _IRREGULAR[folded]
    if folded.endswith("man") and folded != "human":
        return word[:-2] + "en"
    if re.search(r"[^aeiou\W]y$", folded):
        return word[:-1] + "ies"
    if re.search(r"(s|x|z|ch|sh)$", folded):
        return word + "es"
    if re.search(r"[^f]fe$|(l|ea|oa|r)f$", folded):
        return re.sub("fe?$", "ves", word, flags=re.IGNORECASE)
    return word + "s"


def mentions(prompt: str, words: Collection[str]) -> bool:
    """Whether any of ``words`` is in ``prompt``."""
    return bool(words) and _pattern(tuple(words)).search(_composed(prompt)) is not None


def replaced(prompt: str, words: Collection[str], by: str) -> str:
    """``prompt`` with ``by`` in the place of each of ``words``: in the plural where they were, and with the article
    that it takes. An article of its own ("a middle aged man") gives way to one that is there."""
    text = _composed(prompt)
    if not words:
        return text
    plurals = {form.casefold() for word in words for form in _plurals(_unhyphenated(_composed(word)))}
    own_article = _ARTICLE.match(by)
    pieces: list[str] = []
    end = 0
    for match in _pattern(tuple(words)).finditer(text):
        before, found = text[end : match.start()], _unhyphenated(match[0]).casefold()
        put = by
        if found in plurals and not own_article:
            put = plural(by)
        if (there := re.search(r"(?<!\w)(an?|the)(\s+)$", before, re.IGNORECASE)) is not None:
            put = put[own_article.end() :] if own_article else put
            if there[1].casefold() != "the":
                agreeing = _cased_as(there[1], article(put))
                before = before[: there.start()] + agreeing + there[2]
        pieces += (before, put)
        end = match.end()
    return "".join((*pieces, text[end:]))


def removed(prompt: str, words: Collection[str]) -> str:
    """``prompt`` without ``words``, and without what they leave behind: their article, a preposition that leads
    nowhere, an empty place between two commas. May be empty."""
    text = _composed(prompt)
    if not words:
        return text
    pattern = re.compile(
        rf"(?:(?<!\w)(?:{_DETERMINERS})\s+)?{_pattern(tuple(words)).pattern}(?:{_APOSTROPHES}s?(?!\w))?", re.IGNORECASE
    )
    # Taking a word out may bring together what makes another: "new new york york".
    while pattern.search(text):
        text = _tidied(pattern.sub(" ", text))
    return text


def _tidied(text: str) -> str:
    parts = []
    for part in text.split(","):
        part = " ".join(part.split())
        while (shorter := _AT_THE_END.sub("", part)) != part:
            part = shorter.strip()
        if part.strip(_PUNCTUATION + " "):
            parts.append(re.sub(rf"\s+(?=[{_PUNCTUATION}])", "", part))
    return ", ".join(parts)


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _unhyphenated(text: str) -> str:
    """``text`` with one space between its parts."""
    return " ".join(part for part in re.split(_BETWEEN, text) if part)


def _cased_as(old: str, new: str) -> str:
    return new.capitalize() if old[0].isupper() else new


def _last_word(text: str) -> tuple[str, str]:
    """What is before the last word, and it."""
    split = re.search(r"[^\s_\-‐‑–]*$", text)
    assert split is not None  # an empty match is a match
    return text[: split.start()], split[0]


def _forms(word: str) -> set[str]:
    """``word`` (composed, one space between its parts), its plurals and what it may be the plural of."""
    first, last = _last_word(word)
    forms = {word, *_plurals(word), *(first + singular for singular in _singulars(last))}
    return forms | {form.replace("ß", "ss") for form in forms}


def _plurals(word: str) -> set[str]:
    """Every spelling of the plural that is in use."""
    found = {plural(word), word + "s"}
    if word.endswith(("o", "O")):
        found.add(word + "es")
    if (v := re.sub(r"fe?$", "ves", word, flags=re.IGNORECASE)) != word:
        found.add(v)
    return found


def _singulars(last: str) -> set[str]:
    """What ``last`` may be the plural of. A word that is none may stand among them: "Mercede" is looked for too."""
    folded = last.casefold()
    if folded in _SINGULAR:
        return {_SINGULAR[folded]}
    if folded.endswith("men") and len(folded) > 4:
        return {last[:-2] + "an"}
    if not folded.endswith("s") or folded.endswith(("ss", "us", "is")) or len(folded) < 4 or folded in _NO_PLURALS:
        return set()
    found = {last[:-1]}
    if folded.endswith("ies") and len(folded) > 4:
        found.add(last[:-3] + "y")
    if folded.endswith("ves"):
        found |= {last[:-3] + "f", last[:-3] + "fe"}
    if folded.endswith(("ses", "xes", "zes", "ches", "shes", "oes")):
        found.add(last[:-2])
    return found


def _bounded(form: str) -> str:
    """A pattern of one form between word boundaries. An underscore is no part of a word."""
    parts = [re.sub("['’]", _APOSTROPHES, re.escape(part)) for part in form.split(" ")]
    start = "" if _UNSPACED.match(form[0]) else r"(?<![^\W_])"
    end = "" if _UNSPACED.match(form[-1]) else r"(?![^\W_])"
    return f"{start}{_BETWEEN.join(parts)}{end}"


@lru_cache(maxsize=1024)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """Matches every form of ``words``, the longest first."""
    forms = {form for word in words for form in _forms(_unhyphenated(_composed(word))) if form}
    if not forms:
        raise ValueError("no word to look for")
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    return re.compile(f"(?:{'|'.join(map(_bounded, longest_first))})", re.IGNORECASE)
